//! Idempotency keys: what a key did once it does for a day, and only once.

use std::collections::HashMap;

use serde_json::Value;

use crate::refusal::Refusal;

/// How long Stripe remembers, in seconds.
const REMEMBERED: i64 = 24 * 3_600;

/// What was asked, to the last parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) endpoint: String,
    pub(crate) parameters: Value,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) request: String,
}

/// The keys of everybody, by the account they were used for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(HashMap<(String, String), Entry>);

#[derive(Clone, Debug)]
struct Entry {
    asked: Asked,
    since: i64,
    answered: Option<Answered>,
}

impl Keys {
    /// Takes a key for a request; what it answered before, if it did.
    pub(crate) fn take(
        &mut self,
        account: &str,
        key: &str,
        asked: &Asked,
        now: i64,
    ) -> Result<Option<Answered>, Refusal> {
        let name = (account.to_owned(), key.to_owned());
        if let Some(entry) = self.0.get(&name)
            && now - entry.since < REMEMBERED
        {
            if entry.asked.endpoint != asked.endpoint {
                return Err(Refusal::key_reused(key, "for the same endpoint"));
            }
            if entry.asked != *asked {
                return Err(Refusal::key_reused(key, "with the same parameters"));
            }
            return match &entry.answered {
                Some(answered) => Ok(Some(answered.clone())),
                None => Err(Refusal::key_in_use(key)),
            };
        }
        self.0.insert(name, Entry { asked: asked.clone(), since: now, answered: None });
        Ok(None)
    }

    /// Keeps what was answered under a key that was taken.
    pub(crate) fn keep(&mut self, account: &str, key: &str, answered: Answered) {
        if let Some(entry) = self.0.get_mut(&(account.to_owned(), key.to_owned())) {
            entry.answered = Some(answered);
        }
    }

    /// Lets go of a key whose request had not begun.
    pub(crate) fn let_go(&mut self, account: &str, key: &str) {
        self.0.remove(&(account.to_owned(), key.to_owned()));
    }
}
