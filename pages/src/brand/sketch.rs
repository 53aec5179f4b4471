//! A picture of a home page in a brand's colours: what a gallery shows of a site that is not made yet.

use super::Palette;

/// Letters of a line, at most: what is longer would stand out of the picture.
const HEADING: usize = 22;
const LINE: usize = 46;
const CARD: usize = 14;
/// As many cards as there is room for.
const CARDS: usize = 3;

pub(super) fn svg(
    (name, line): (&str, &str),
    cards: &[&str],
    palette: &Palette,
    radius_px: u8,
) -> String {
    let color = |token: &str| palette.get(token).to_string();
    let radius = radius_px.min(24);
    let card = |(at, title): (usize, &&str)| {
        format!(
            concat!(
                r#"<rect x="{x}" y="132" width="88" height="54" rx="{radius}" fill="{surface}" "#,
                r#"stroke="{border}"/><circle cx="{cx}" cy="150" r="8" fill="{accent}"/>"#,
                r#"<text x="{tx}" y="174" fill="{text}" font-size="9">{title}</text>"#,
            ),
            x = 16 + at * 100,
            cx = 34 + at * 100,
            tx = 26 + at * 100,
            radius = radius,
            surface = color("surface"),
            border = color("border"),
            accent = color("accent"),
            text = color("text"),
            title = short(title, CARD),
        )
    };
    let cards: String = cards.iter().take(CARDS).enumerate().map(card).collect();
    format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200" "#,
            r#"font-family="system-ui,sans-serif"><rect width="320" height="200" fill="{page}"/>"#,
            r#"<rect width="320" height="24" fill="{surface}"/>"#,
            r#"<rect x="16" y="6" width="12" height="12" rx="3" fill="{primary}"/>"#,
            r#"<rect x="270" y="9" width="34" height="6" rx="3" fill="{border}"/>"#,
            r#"<text x="16" y="58" fill="{text}" font-size="20" font-weight="700">{name}</text>"#,
            r#"<text x="16" y="78" fill="{muted}" font-size="10">{line}</text>"#,
            r#"<rect x="16" y="92" width="96" height="24" rx="{radius}" fill="{primary}"/>"#,
            r#"<rect x="34" y="102" width="60" height="4" rx="2" fill="{on_primary}"/>{cards}</svg>"#,
        ),
        page = color("page"),
        surface = color("surface"),
        primary = color("primary"),
        on_primary = color("on-primary"),
        border = color("border"),
        text = color("text"),
        muted = color("muted"),
        radius = radius.min(12),
        name = short(name, HEADING),
        line = short(line, LINE),
        cards = cards,
    )
}

/// So many letters of it, escaped.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return handlebars::html_escape(text);
    }
    let cut: String = text.chars().take(most - 1).collect();
    handlebars::html_escape(cut.trim_end()) + "…"
}

#[cfg(test)]
mod tests {
    use crate::Color;
    use crate::brand::{Brand, Theme, tests::input};

    #[test]
    fn a_picture_has_the_brands_colours_and_no_markup_of_its_words() {
        let mut brand = input(Color::rgb(29, 78, 216), None, Theme::Auto);
        brand.name = "<b>Harbour".to_owned();
        let long = "A line that is so long that it would stand out of the picture";
        let picture = Brand::mended(brand).sketch(long, &["One & two", "Two", "Three", "Four"]);
        for word in ["#1d4ed8", "&lt;b&gt;Harbour", "One &amp; two", "Three", "…</text>"] {
            assert!(picture.contains(word), "{word}: {picture}");
        }
        assert!(!picture.contains("Four") && !picture.contains("<b>"));
        assert_eq!(crate::markup::problems(&picture), Vec::<String>::new());
    }
}
