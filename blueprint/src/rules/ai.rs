//! Models, providers, the young.

use serde_json::Value;

use super::{Faults, Rule, nearest, pattern, rule};

const SOURCES: [&str; 4] = ["hf:", "https:", "file:", "pypi:"];

pub(super) fn rules() -> Vec<Rule> {
    vec![
        pattern(
            &["spec.ai.models[].id", "spec.ai.defaultModel"],
            "is not a model's name",
            "^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
            |here, faults| faults.text(here, is_model_id, |_| "a name such as smollm2-135m".into()),
        ),
        pattern(
            &["spec.ai.models[].source"],
            "is not a source of models",
            r"^(hf|https|file|pypi):[^\x00-\x20\x7f-\x9f]+$",
            |here, faults| {
                faults.text(here, is_source, |_| "hf:OWNER/NAME, https:, file: or pypi:".into());
            },
        ),
        rule(
            &["spec.ai.models"],
            "another model has this id",
            "self.all(model, self.exists_one(other, other.id == model.id))",
            |here, faults| faults.unique(here, Some("id")),
        ),
        rule(
            &["spec.ai"],
            "the default model is not among the models",
            "!has(self.defaultModel) || \
             (has(self.models) && self.models.exists(model, model.id == self.defaultModel))",
            default_model,
        )
        .at("defaultModel"),
        rule(
            &["spec.ai"],
            "the model's provider is not allowed",
            "!has(self.allowedProviders) || self.allowedProviders.size() == 0 || \
             !has(self.models) || self.models.all(model, \
             (has(model.provider) ? model.provider : 'local') in self.allowedProviders)",
            allowed_providers,
        )
        .at("models"),
        rule(
            &["spec.ai.allowedProviders", "spec.governance.compliance"],
            "is there twice",
            "self.all(item, self.exists_one(other, other == item))",
            |here, faults| faults.unique(here, None),
        ),
        rule(
            &["spec.ai.ageRules"],
            "consent would be asked only of people who may not be here",
            "!has(self.parentConsentUnder) || self.parentConsentUnder > self.minimumAge",
            |here, faults| {
                if let (Some(least), Some(consent)) =
                    (here["minimumAge"].as_i64(), here["parentConsentUnder"].as_i64())
                    && consent <= least
                {
                    let instead = format!("more than minimumAge ({least}), or leave it out");
                    faults.add("parentConsentUnder", instead);
                }
            },
        )
        .at("parentConsentUnder"),
        rule(
            &["spec.ai"],
            "children may be here, and safety is not at its maximum",
            "!has(self.ageRules) || !has(self.ageRules.parentConsentUnder) || \
             (has(self.safety) && self.safety == 'maximum')",
            |here, faults| {
                let children = here["ageRules"].get("parentConsentUnder").is_some();
                if children && here["safety"] != "maximum" {
                    faults.add("safety", "maximum");
                }
            },
        )
        .at("safety"),
        rule(
            &["spec"],
            "parents have a page, but no rule says who is a child",
            "!has(self.features) || !has(self.features.parentDashboard) || \
             !self.features.parentDashboard || (has(self.ai) && has(self.ai.ageRules) && \
             has(self.ai.ageRules.parentConsentUnder))",
            |here, faults| {
                let asked = here["features"]["parentDashboard"] == true;
                if asked && here["ai"]["ageRules"].get("parentConsentUnder").is_none() {
                    let instead = "an age, such as 16, or features.parentDashboard: false";
                    faults.add("ai.ageRules.parentConsentUnder", instead);
                }
            },
        )
        .at("ai.ageRules.parentConsentUnder"),
    ]
}

fn is_model_id(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(inner)
}

fn is_source(text: &str) -> bool {
    let place = SOURCES.iter().find_map(|kind| text.strip_prefix(kind));
    let odd = |c: char| c == ' ' || c.is_control();
    place.is_some_and(|place| !place.is_empty() && !place.contains(odd))
}

fn default_model(here: &Value, faults: &mut Faults<'_>) {
    let Some(wanted) = here["defaultModel"].as_str() else { return };
    let models = here["models"].as_array().into_iter().flatten();
    let ids: Vec<_> = models.filter_map(|model| model["id"].as_str()).collect();
    if ids.contains(&wanted) {
        return;
    }
    let instead = match nearest(wanted, ids.iter().copied()) {
        Some(near) => near.to_owned(),
        None if ids.is_empty() => format!("a list ai.models with an entry whose id is {wanted}"),
        None => format!("one of {}", ids.join(", ")),
    };
    faults.add("defaultModel", instead);
}

fn allowed_providers(here: &Value, faults: &mut Faults<'_>) {
    let list = here["allowedProviders"].as_array().into_iter().flatten();
    let mut allowed: Vec<_> = list.filter_map(Value::as_str).collect();
    allowed.dedup();
    if allowed.is_empty() {
        return;
    }
    for (at, model) in here["models"].as_array().into_iter().flatten().enumerate() {
        let provider = model.get("provider").map_or(Some("local"), Value::as_str);
        if provider.is_some_and(|provider| !allowed.contains(&provider)) {
            let instead =
                format!("one of {}, or allow it in ai.allowedProviders", allowed.join(", "));
            faults.add(&format!("models[{at}].provider"), instead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_and_sources_have_their_form() {
        for id in ["smollm2-135m", "Qwen/Qwen3-0.6B", "gpt-4o", "llama3.2:1b"] {
            assert!(is_model_id(id), "{id}");
        }
        assert!(!is_model_id("") && !is_model_id("-x") && !is_model_id("a b") && !is_model_id("ä"));
        assert!(is_source("hf:a/b") && is_source("https://x/y.gguf"));
        assert!(!is_source("hf:") && !is_source("http://x") && !is_source("hf:a b"));
    }
}
