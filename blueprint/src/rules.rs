//! The rules beyond shape: one table, used twice. Each rule carries its CEL, which goes into the
//! resource definition for the API server, and the same check in Rust, which runs everywhere else
//! and also says what would be right.

mod ai;
mod identity;
mod money;
mod names;
mod run;

use std::sync::LazyLock;

use serde_json::Value;

use crate::problem::{Problem, below};

/// One rule: `what` is wrong wherever `cel` does not hold.
pub struct Rule {
    /// Where `self` of the CEL is, such as `spec.monetization.tiers[].id`; the empty text is the
    /// whole resource. An absent place breaks no rule.
    pub places: &'static [&'static str],
    /// The field below its place that the API server names, where that is always the same one.
    pub field: Option<&'static str>,
    /// Holds for what is right.
    pub cel: String,
    /// The same as a regular expression, where it is one: editors know those.
    pub pattern: Option<&'static str>,
    /// What is wrong when it does not hold.
    pub what: &'static str,
    check: fn(&Value, &mut Faults<'_>),
}

impl Rule {
    fn at(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }
}

/// Every rule.
pub fn rules() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        [names::rules(), identity::rules(), money::rules(), ai::rules(), run::rules()]
            .into_iter()
            .flatten()
            .collect()
    });
    &RULES
}

/// Everything in `resource` that breaks a rule. What has the wrong shape is skipped: the schema
/// has already said so.
pub(crate) fn problems(resource: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    for rule in rules() {
        for place in rule.places {
            visit(resource, place, "", &mut |value, path| {
                (rule.check)(value, &mut Faults { path, what: rule.what, found: &mut found });
            });
        }
    }
    found
}

/// Calls `each` with every value at `place`, and its path.
fn visit(value: &Value, place: &str, path: &str, each: &mut impl FnMut(&Value, &str)) {
    if place.is_empty() {
        return each(value, path);
    }
    let (step, rest) = place.split_once('.').unwrap_or((place, ""));
    let (field, list) = step.strip_suffix("[]").map_or((step, false), |field| (field, true));
    let Some(value) = value.get(field) else { return };
    let path = below(path, field);
    if !list {
        return visit(value, rest, &path, each);
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        visit(item, rest, &below(&path, &format!("[{at}]")), each);
    }
}

/// Where a check puts what it finds.
struct Faults<'a> {
    path: &'a str,
    what: &'static str,
    found: &'a mut Vec<Problem>,
}

impl Faults<'_> {
    /// Something wrong at `field` below the rule's place; the empty text is the place itself.
    fn add(&mut self, field: &str, instead: impl Into<String>) {
        self.found.push(Problem::new(below(self.path, field), self.what, instead));
    }

    /// The text here, if it is one, must be `valid`.
    fn text(
        &mut self,
        here: &Value,
        valid: impl Fn(&str) -> bool,
        instead: impl Fn(&str) -> String,
    ) {
        if let Some(text) = here.as_str()
            && !valid(text)
        {
            self.add("", instead(text));
        }
    }

    /// No item of the list here may come twice; `key` names the field that tells them apart.
    fn unique(&mut self, here: &Value, key: Option<&str>) {
        let items: Vec<_> = here.as_array().into_iter().flatten().collect();
        let id = |item: &Value| key.map_or(Some(item), |key| item.get(key)).cloned();
        for (at, item) in items.iter().enumerate() {
            let Some(id_here) = id(item) else { continue };
            if let Some(first) =
                items[..at].iter().position(|other| id(other) == Some(id_here.clone()))
            {
                let field = key.map_or(format!("[{at}]"), |key| format!("[{at}].{key}"));
                self.add(&field, format!("another one than entry [{first}], or leave it out"));
            }
        }
    }
}

fn rule(
    places: &'static [&'static str],
    what: &'static str,
    cel: impl Into<String>,
    check: fn(&Value, &mut Faults<'_>),
) -> Rule {
    Rule { places, field: None, cel: cel.into(), pattern: None, what, check }
}

/// A rule that is a regular expression; it must hold no `'`, and mean the same to RE2 and to
/// JavaScript.
fn pattern(
    places: &'static [&'static str],
    what: &'static str,
    pattern: &'static str,
    check: fn(&Value, &mut Faults<'_>),
) -> Rule {
    Rule {
        pattern: Some(pattern),
        ..rule(places, what, format!("self.matches(r'{pattern}')"), check)
    }
}

/// `['a', 'b']`, as CEL writes a list.
fn cel_list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = items.into_iter().map(|item| format!("'{item}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// The known word closest to what was written, if any is close.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
    let written = plain(written);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, &plain(word)), word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_names_every_item_of_its_lists() {
        let value = json!({"a": [{"b": [1, 2]}, {"c": 0}, {"b": [3]}]});
        let mut seen = Vec::new();
        visit(&value, "a[].b[]", "", &mut |value, path| seen.push(format!("{path}={value}")));
        assert_eq!(seen, ["a[0].b[0]=1", "a[0].b[1]=2", "a[2].b[0]=3"]);
    }

    #[test]
    fn typing_mistakes_find_their_word() {
        let known = ["displayName", "tagline", "supportEmail"];
        assert_eq!(nearest("display_name", known), Some("displayName"));
        assert_eq!(nearest("dispalyName", known), Some("displayName"));
        assert_eq!(nearest("suportemail", known), Some("supportEmail"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn patterns_can_stand_in_cel() {
        for rule in rules() {
            assert!(!rule.places.is_empty() && !rule.what.is_empty());
            assert!(rule.pattern.is_none_or(|pattern| !pattern.contains('\'')), "{}", rule.what);
        }
    }
}
