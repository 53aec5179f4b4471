//! Versions, copies, sleep, graphics processors.

use super::{Rule, pattern, rule};
use crate::text::seconds;

const MINUTE: u64 = 60;
const WEEK: u64 = 7 * 24 * 60 * MINUTE;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        pattern(
            &["spec.template.version", "spec.runtime.version"],
            "is not a version of three numbers",
            "^(0|[1-9][0-9]{0,5})[.](0|[1-9][0-9]{0,5})[.](0|[1-9][0-9]{0,5})$",
            |here, faults| faults.text(here, is_version, |_| "a version such as 1.0.0".into()),
        ),
        rule(
            &["spec.runtime.replicas"],
            "max is below min",
            "!has(self.max) || (has(self.min) ? self.min : 1) <= self.max",
            |here, faults| {
                let min = here.get("min").map_or(Some(1), serde_json::Value::as_i64);
                if let (Some(min), Some(max)) = (min, here["max"].as_i64())
                    && max < min
                {
                    faults.add("max", format!("{min} or more"));
                }
            },
        )
        .at("max"),
        rule(
            &["spec.runtime.scaleToZeroAfter"],
            "is not a length of time between a minute and a week",
            "self.matches(r'^[1-9][0-9]{0,5}[smh]$') && \
             duration(self) >= duration('1m') && duration(self) <= duration('168h')",
            |here, faults| {
                let fits = |text: &str| seconds(text).is_some_and(|s| (MINUTE..=WEEK).contains(&s));
                faults.text(here, fits, |_| "a time such as 15m or 2h".into());
            },
        ),
        rule(
            &["spec.inference"],
            "graphics processors are only for dedicated inference",
            "!has(self.gpu) || (has(self.placement) && self.placement == 'dedicated')",
            |here, faults| {
                if here.get("gpu").is_some() && here["placement"] != "dedicated" {
                    faults.add("placement", "dedicated, or no gpu");
                }
            },
        )
        .at("placement"),
        pattern(
            &["spec.inference.gpu.product"],
            "is not the name of a graphics processor",
            "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
            |here, faults| faults.text(here, is_product, |_| "a label such as NVIDIA-L4".into()),
        ),
    ]
}

fn is_version(text: &str) -> bool {
    let number = |part: &str| {
        (1..=6).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    text.split('.').count() == 3 && text.split('.').all(number)
}

fn is_product(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| edge(c) || "-_.".contains(c);
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_plain_numbers() {
        assert!(is_version("1.0.0") && is_version("0.12.345"));
        for text in ["1", "1.0", "01.0.0", "1.0.0-rc.1", "v1.0.0", "1.0.0.0", "1..0", "1234567.0.0"]
        {
            assert!(!is_version(text), "{text}");
        }
    }
}
