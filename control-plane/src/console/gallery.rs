//! Pictures of what platforms look like that begin with a template: drawn from its own colours and words.

use std::sync::LazyLock;

use blueprint::{Template, templates};
use pages::{Brand, BrandInput, Color};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::view::TemplateRow;

/// The picture of a template's home page.
pub struct Picture {
    /// The template's name.
    name: &'static str,
    /// Under which name it is served: its hash is in it.
    pub file: String,
    /// The picture.
    pub svg: String,
}

/// Of each template that names its colours.
pub fn pictures() -> &'static [Picture] {
    static ALL: LazyLock<Vec<Picture>> =
        LazyLock::new(|| templates::all().iter().filter_map(drawn).collect());
    &ALL
}

/// A template, as the gallery shows it.
pub fn row(template: &Template) -> TemplateRow {
    let picture = pictures().iter().find(|it| it.name == template.name);
    TemplateRow {
        title: template.title.clone(),
        summary: template.summary.clone(),
        picture: picture.map(|it| format!("/brand/{}", it.file)),
        shows: format!(
            "The home page of a platform that begins with {}: its name, a button and cards of its agents, \
             in its own colours.",
            template.title
        ),
    }
}

fn drawn(template: &'static Template) -> Option<Picture> {
    let identity = &template.defaults["identity"];
    let palette = &identity["branding"]["palette"];
    let input = BrandInput {
        background: color(&palette["background"]),
        surface: color(&palette["surface"]),
        text: color(&palette["text"]),
        ..BrandInput::new(&template.title, color(&palette["primary"])?, color(&palette["accent"])?)
    };
    let agents: Vec<_> = template.seed.agents.iter().map(|it| it.name.as_str()).collect();
    let svg = Brand::mended(input).sketch(identity["tagline"].as_str().unwrap_or(""), &agents);
    let hash = hex::encode(&Sha256::digest(&svg)[..8]);
    Some(Picture { name: &template.name, file: format!("{}-{hash}.svg", template.name), svg })
}

fn color(text: &Value) -> Option<Color> {
    text.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_has_a_picture_with_its_words_and_its_colour() {
        for template in templates::all() {
            let row = row(template);
            let picture = pictures().iter().find(|it| it.name == template.name).unwrap();
            assert_eq!(row.picture, Some(format!("/brand/{}", picture.file)));
            assert!(row.shows.contains(&template.title));
            let agent = &template.seed.agents[0].name;
            let begin: String = agent.chars().take(8).collect();
            assert!(picture.svg.contains(&begin), "{agent} in {}", picture.svg);
        }
    }
}
