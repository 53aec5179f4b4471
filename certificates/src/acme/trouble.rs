//! What stands against a certificate, by what is to be done about it.

use std::time::Duration;

use instant_acme::{Error, Problem};
use jiff::Timestamp;

use super::http::Busy;

/// Why an order did not get further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The authority refused the name, or did not find what it looked for: somebody has to do
    /// something, or trying again has to wait.
    #[error("{0}")]
    Refused(String),
    /// The authority asks for patience, for this time where it says so.
    #[error("the authority asks for patience: {why}")]
    Busy {
        /// In its words.
        why: String,
        /// For how long.
        after: Option<Duration>,
    },
    /// It did not answer, or in a way that nobody understands.
    #[error("the authority did not answer: {0}")]
    Silent(String),
    /// It does not know the order any more: another one has to be made.
    #[error("the authority does not know the order any more: {0}")]
    Gone(String),
    /// It would refuse one more order now, or after the next few: it is given this one then.
    #[error("the authority allows no more orders before {}", .0.strftime("%Y-%m-%d %H:%M UTC"))]
    Full(Timestamp),
    /// It takes no renewals, or not this one: the order may be made as one for a new certificate.
    #[error("the authority takes this for no renewal: {0}")]
    NoRenewal(String),
    /// What proves the name could not be set, so that nobody was asked to look.
    #[error("{0}")]
    NotSet(String),
    /// It does not know our account any more.
    #[error("the authority does not know our account any more: {0}")]
    NoAccount(String),
    /// Our own doing: a key that does not open, a database that does not answer.
    #[error("{0}")]
    Ours(String),
}

/// How often a call is made again because its nonce was refused. The library does it three times
/// by itself.
pub(crate) const NONCES: usize = 10;

/// Makes a call, and again where its nonce was refused.
macro_rules! again {
    ($call:expr) => {{
        let mut left = $crate::acme::NONCES;
        loop {
            match $call.await {
                Err(error) if $crate::acme::is_bad_nonce(&error) && left > 0 => left -= 1,
                done => break done.map_err($crate::acme::Trouble::from),
            }
        }
    }};
}
pub(crate) use again;

pub(crate) fn is_bad_nonce(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if kind(problem) == "badNonce")
}

/// The last part of the type's name.
fn kind(problem: &Problem) -> &str {
    let name = problem.r#type.as_deref().unwrap_or_default();
    name.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(name)
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::from(&problem),
            Error::Unsupported(what) => Self::NoRenewal(what.to_owned()),
            Error::Timeout(_) => Self::Busy { why: "it is still at it".to_owned(), after: None },
            Error::Other(error) => match error.downcast_ref::<Busy>() {
                Some(busy) => Self::Busy { why: busy.to_string(), after: busy.after },
                // The library says so in words alone.
                None if error.to_string().starts_with("replaces field mismatch") => {
                    Self::NoRenewal(error.to_string())
                }
                None => Self::Silent(chain(&*error)),
            },
            other => Self::Silent(other.to_string()),
        }
    }
}

impl From<&Problem> for Trouble {
    fn from(problem: &Problem) -> Self {
        let why = words(problem);
        match kind(problem) {
            // The order is in another state than we knew: the next look tells in which.
            "badNonce" | "rateLimited" | "serverInternal" | "orderNotReady" => {
                Self::Busy { why, after: None }
            }
            "accountDoesNotExist" => Self::NoAccount(why),
            _ if problem.status == Some(404) => Self::Gone(why),
            _ => Self::Refused(why),
        }
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Ours(format!("the database: {error}"))
    }
}

/// An authority's words, with those about single names.
fn words(problem: &Problem) -> String {
    let own = problem.detail.clone().unwrap_or_else(|| kind(problem).to_owned());
    let more = problem.subproblems.iter().filter_map(|each| each.detail.clone());
    let all: Vec<String> = std::iter::once(own).chain(more).collect();
    all.join("; ")
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        words = format!("{words}: {source}");
        next = source.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(kind: &str) -> Trouble {
        let problem = serde_json::json!({
            "type": format!("urn:ietf:params:acme:error:{kind}"),
            "detail": "words",
            "subproblems": [{"detail": "more"}],
        });
        Trouble::from(Error::Api(serde_json::from_value(problem).unwrap()))
    }

    #[test]
    fn each_refusal_says_what_is_to_be_done() {
        let words = "words; more".to_owned();
        for kind in ["connection", "dns", "unauthorized", "caa", "rejectedIdentifier"] {
            assert_eq!(trouble(kind), Trouble::Refused(words.clone()));
        }
        assert_eq!(trouble("rateLimited"), Trouble::Busy { why: words.clone(), after: None });
        assert_eq!(trouble("accountDoesNotExist"), Trouble::NoAccount(words));
    }
}
