//! How much more somebody may ask for, in headers: those of the IETF's draft (`RateLimit-Policy`,
//! `RateLimit`), and OpenAI's (`x-ratelimit-..`) for each unit.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens, read and made.
    Tokens,
}

/// One limit, and where somebody stands with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Its name, a word without spaces, like `waiting`.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// How many there are in all, where that is known.
    pub limit: Option<u64>,
    /// How many are left now.
    pub left: u64,
    /// When there will be more.
    pub more_in: Duration,
}

/// Adds the headers of these quotas; of several that count the same, OpenAI's headers have the one
/// with the least left.
pub(crate) fn write(quotas: &[&Quota], headers: &mut HeaderMap) {
    let (mut policies, mut limits) = (String::new(), String::new());
    for quota in quotas {
        let Quota { name, limit, left, more_in, .. } = quota;
        if let Some(limit) = limit {
            let _ = write!(policies, "{}\"{name}\";q={limit}", comma(&policies));
        }
        let _ =
            write!(limits, "{}\"{name}\";r={left};t={}", comma(&limits), whole_seconds(*more_in));
    }
    put(headers, "ratelimit-policy", &policies);
    put(headers, "ratelimit", &limits);
    for (unit, word) in [(Unit::Requests, "requests"), (Unit::Tokens, "tokens")] {
        let least = quotas.iter().filter(|quota| quota.unit == unit).min_by_key(|quota| quota.left);
        let Some(Quota { limit, left, more_in, .. }) = least else { continue };
        let limit = limit.map(|limit| limit.to_string()).unwrap_or_default();
        put(headers, &format!("x-ratelimit-limit-{word}"), &limit);
        put(headers, &format!("x-ratelimit-remaining-{word}"), &left.to_string());
        put(
            headers,
            &format!("x-ratelimit-reset-{word}"),
            &format!("{}s", whole_seconds(*more_in)),
        );
    }
}

fn comma(before: &str) -> &'static str {
    if before.is_empty() { "" } else { ", " }
}

/// Whole ones: who comes back then is not too early.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quota_is_told_in_both_forms() {
        let waiting = Quota {
            name: "waiting",
            unit: Unit::Requests,
            limit: Some(4),
            left: 3,
            more_in: Duration::from_millis(1500),
        };
        let tokens = Quota { name: "day", unit: Unit::Tokens, limit: None, left: 70, ..waiting };
        let fewer = Quota { name: "month", left: 50, ..tokens };
        let mut headers = HeaderMap::new();
        write(&[&waiting, &tokens, &fewer], &mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"waiting\";q=4");
        assert_eq!(
            headers["ratelimit"],
            "\"waiting\";r=3;t=2, \"day\";r=70;t=2, \"month\";r=50;t=2"
        );
        assert_eq!(headers["x-ratelimit-limit-requests"], "4");
        assert_eq!(headers["x-ratelimit-remaining-requests"], "3");
        assert_eq!(headers["x-ratelimit-reset-requests"], "2s");
        assert_eq!(headers["x-ratelimit-remaining-tokens"], "50");
        assert_eq!(headers.get("x-ratelimit-limit-tokens"), None);
    }

    #[test]
    fn without_quotas_nothing_is_said() {
        let mut headers = HeaderMap::new();
        write(&[], &mut headers);
        assert!(headers.is_empty());
    }
}
