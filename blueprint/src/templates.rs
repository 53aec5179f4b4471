//! Templates: a starting blueprint and the first content of a platform, compiled in from
//! `templates/`.
//!
//! One rule merges: first the template's defaults, then the person's values over them. Groups
//! merge field by field; lists and single values replace; `null` removes. Then the result is
//! checked like any other blueprint.

mod load;

use std::sync::LazyLock;

use semver::Version;
use serde_json::{Map, Value, json};

use crate::{API_VERSION, BlueprintName, KIND, PlanName, PlatformBlueprint, Problem, read};

/// Names of all templates.
pub const KNOWN: [&str; 3] = ["creator", "business", "education"];

/// A starting blueprint and the first content of a platform.
#[derive(Clone, Debug)]
pub struct Template {
    /// One of [`KNOWN`].
    pub name: String,
    /// Grows with every change of defaults or content.
    pub version: Version,
    /// Shown in the gallery.
    pub title: String,
    /// What it is for, in one sentence.
    pub summary: String,
    /// What a new platform starts with.
    pub seed: Seed,
    /// How to go on from here, as Markdown.
    pub readme: String,
    /// Files of the brand, to lie beside the blueprint.
    pub brand: Vec<SeedFile>,
    /// The template's part of `spec`, before anybody's values.
    pub defaults: Value,
}

/// What a new platform starts with.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Its agents, the first one greeting people.
    pub agents: Vec<SeedAgent>,
    /// Its pages, the first one being the home page.
    pub pages: Vec<SeedPage>,
}

/// An agent a platform starts with.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedAgent {
    /// Its address: lowercase letters, digits, hyphens. The name of its file.
    #[serde(skip)]
    pub slug: String,
    /// The name people see.
    pub name: String,
    /// One sentence on what it helps with.
    pub description: String,
    /// What the model is told before every conversation.
    pub instructions: String,
    /// An id of the blueprint's models; its default one when left out.
    #[serde(default)]
    pub model: Option<String>,
    /// First messages people can pick.
    pub starters: Vec<String>,
}

/// A page a platform starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedPage {
    /// Its address; `home` is the first page.
    pub slug: String,
    /// Its heading.
    pub title: String,
    /// What stands below the heading.
    pub markdown: String,
}

/// A file a platform starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFile {
    /// Beside the blueprint, such as `brand/logo.svg`.
    pub path: String,
    /// What it holds.
    pub bytes: &'static [u8],
}

/// What a person says when a platform is made; everything else comes from the template.
#[derive(Clone, Debug)]
pub struct Overrides {
    /// The platform's name.
    pub name: BlueprintName,
    /// The name people see; made from `name` when left out.
    pub display_name: Option<String>,
    /// The plan wished for.
    pub plan: Option<PlanName>,
    /// The main domain name.
    pub domain: Option<String>,
    /// The model agents use, added to the template's ones.
    pub model: Option<String>,
}

impl Overrides {
    /// A name, and the template's word for everything else.
    pub fn named(name: BlueprintName) -> Self {
        Self { name, display_name: None, plan: None, domain: None, model: None }
    }

    /// These values as a part of `spec`, to be merged over `defaults`.
    fn spec(&self, defaults: &Value) -> Value {
        let display_name = self.display_name.clone().unwrap_or_else(|| spoken(&self.name));
        let mut spec = json!({ "identity": { "displayName": display_name } });
        if let Some(plan) = self.plan {
            spec["plan"] = plan.as_str().into();
        }
        if let Some(domain) = &self.domain {
            spec["domains"] = json!([domain]);
        }
        if let Some(model) = &self.model {
            let mut models = defaults["ai"]["models"].as_array().cloned().unwrap_or_default();
            if !models.iter().any(|known| known["id"] == **model) {
                models.push(json!({ "id": model }));
            }
            spec["ai"] = json!({ "models": models, "defaultModel": model });
        }
        spec
    }
}

/// Every template, in the order of [`KNOWN`].
pub fn all() -> &'static [Template] {
    // A template that does not load is not offered; a test says why.
    static ALL: LazyLock<Vec<Template>> =
        LazyLock::new(|| KNOWN.into_iter().filter_map(|name| load::load(name).ok()).collect());
    &ALL
}

/// The template of this name.
pub fn get(name: &str) -> Option<&'static Template> {
    all().iter().find(|template| template.name == name)
}

/// The blueprint a platform begins with, checked: what a person said may still be wrong.
pub fn from_template(
    template: &Template,
    overrides: &Overrides,
) -> Result<PlatformBlueprint, Vec<Problem>> {
    from_template_with(template, &overrides.name, &overrides.spec(&template.defaults))
}

/// The same from any part of `spec`, such as a file of overrides.
pub fn from_template_with(
    template: &Template,
    name: &BlueprintName,
    overrides: &Value,
) -> Result<PlatformBlueprint, Vec<Problem>> {
    let mut spec = template.defaults.clone();
    spec["template"] = json!({ "name": template.name, "version": template.version });
    merge(&mut spec, overrides);
    let resource = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": { "name": name },
        "spec": spec,
    });
    let problems = read::problems(&resource);
    if problems.is_empty() {
        read::typed(resource).map_err(|problem| vec![problem])
    } else {
        Err(problems)
    }
}

/// The one rule: groups merge, lists and single values replace, `null` removes.
pub fn merge(base: &mut Value, over: &Value) {
    let Value::Object(over) = over else {
        base.clone_from(over);
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let Some(base) = base.as_object_mut() else { return };
    for (field, value) in over {
        if value.is_null() {
            base.remove(field);
        } else {
            merge(base.entry(field.clone()).or_insert(Value::Null), value);
        }
    }
}

/// `my-company` as people say it: `My Company`.
fn spoken(name: &BlueprintName) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    };
    let words: Vec<String> =
        name.as_str().split('-').filter(|word| !word.is_empty()).map(capital).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_merge_and_the_rest_replaces() {
        let mut base =
            json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": {"x": 1}, "text": "t"});
        let over = json!({"a": {"b": 3, "d": {"e": null, "f": 4}}, "list": [9], "gone": null, "text": {"now": "group"}});
        merge(&mut base, &over);
        assert_eq!(
            base,
            json!({"a": {"b": 3, "c": 2, "d": {"f": 4}}, "list": [9], "text": {"now": "group"}})
        );
    }

    #[test]
    fn a_name_is_spoken_in_words() {
        let spoken = |name: &str| spoken(&name.parse().unwrap());
        assert_eq!(spoken("my-company"), "My Company");
        assert_eq!(spoken("a--b2"), "A B2");
    }

    #[test]
    fn every_template_loads() {
        for name in KNOWN {
            load::load(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert_eq!(all().len(), KNOWN.len());
        assert!(get("none").is_none());
    }
}
