//! What was done, each line bound to the one before it: who changes one, or leaves one out, is found
//! by anybody who has the lines, without the database.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::id::OrganizationId;

/// What the first line of an organization is bound to.
pub const BEGINNING: [u8; 32] = [0; 32];

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Whose it is.
    #[schema(value_type = String)]
    pub organization: OrganizationId,
    /// From 1 on, without gaps.
    pub number: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who: a person, a key, or whoever runs the control plane.
    pub actor: String,
    /// What, such as `platform.create`.
    pub action: String,
    /// What it was done to, by its id or name.
    pub target: String,
    /// What else there is to say.
    pub detail: Value,
    /// 64 hexadecimal digits: SHA-256 of the line before and of all that this one says.
    #[serde(with = "hex")]
    #[schema(value_type = String)]
    pub hash: [u8; 32],
}

/// What is wrong with lines that should follow one another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// One is missing, or there twice.
    #[error("line {expected} is missing: {found} is in its place")]
    Gap {
        /// The number that should have followed.
        expected: i64,
        /// The one that did.
        found: i64,
    },
    /// It was changed, or one before it.
    #[error("line {0} does not say what it said when it was written")]
    Changed(i64),
    /// It is of somebody else.
    #[error("line {0} is another organization's")]
    Elsewhere(i64),
}

impl Entry {
    /// What it should be bound by, after a line with this hash.
    pub fn bound(&self, before: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(before);
        // Each part with its length: no part can pass for the end of another.
        let parts = [
            self.organization.to_string(),
            self.number.to_string(),
            self.at.to_string(),
            self.actor.clone(),
            self.action.clone(),
            self.target.clone(),
            canonical(&self.detail),
        ];
        for part in parts {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

/// The same text for the same values, whoever wrote them down in between: the database has an order
/// of fields of its own.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            let text = |(name, value): (&String, &Value)| {
                format!("{}:{}", Value::from(name.as_str()), canonical(value))
            };
            format!("{{{}}}", fields.into_iter().map(text).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        plain => plain.to_string(),
    }
}

/// Whether these follow one another, from the first one on.
///
/// # Errors
/// [`Broken`]: where, and how.
pub fn verify<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), Broken> {
    let (mut before, mut expected, mut whose) = (BEGINNING, 1, None);
    for entry in entries {
        if *whose.get_or_insert(entry.organization) != entry.organization {
            return Err(Broken::Elsewhere(entry.number));
        }
        if entry.number != expected {
            return Err(Broken::Gap { expected, found: entry.number });
        }
        if entry.hash != entry.bound(&before) {
            return Err(Broken::Changed(entry.number));
        }
        before = entry.hash;
        expected += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn chain(length: i64) -> Vec<Entry> {
        let mut before = BEGINNING;
        let entry = |number| {
            let mut entry = Entry {
                organization: OrganizationId(Uuid::from_u128(7)),
                number,
                at: Timestamp::from_second(1_772_366_400 + number).unwrap(),
                actor: "key_x".to_owned(),
                action: "platform.create".to_owned(),
                target: format!("acme-{number}"),
                detail: json!({"plan": "starter", "changes": [number]}),
                hash: BEGINNING,
            };
            entry.hash = entry.bound(&before);
            before = entry.hash;
            entry
        };
        (1..=length).map(entry).collect()
    }

    #[test]
    fn lines_as_they_were_written_follow_one_another() {
        let entries = chain(50);
        assert_eq!(verify(&entries), Ok(()));
        // As a file of them, too.
        let text: Vec<_> =
            entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
        let read: Vec<Entry> =
            text.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(verify(&read), Ok(()));
    }

    #[test]
    fn each_of_a_thousand_changes_is_found() {
        type Change = fn(&mut Vec<Entry>, usize);
        let changes: [(&str, Change); 10] = [
            ("actor", |all, at| all[at].actor = "key_y".to_owned()),
            ("action", |all, at| all[at].action = "platform.delete".to_owned()),
            ("target", |all, at| all[at].target.push('x')),
            ("time", |all, at| all[at].at = all[at + 1].at),
            ("detail", |all, at| all[at].detail["plan"] = json!("business")),
            ("left out", |all, at| drop(all.remove(at))),
            ("twice", |all, at| all.insert(at, all[at].clone())),
            ("in another order", |all, at| all.swap(at, at + 1)),
            ("renumbered", |all, at| {
                all.remove(at);
                for (at, entry) in all.iter_mut().enumerate() {
                    entry.number = i64::try_from(at).unwrap() + 1;
                }
            }),
            ("of another one", |all, at| {
                all[at].organization = OrganizationId(Uuid::from_u128(8));
            }),
        ];
        let written = chain(101);
        let mut found = 0;
        for at in 0..100 {
            for (what, change) in changes {
                let mut entries = written.clone();
                change(&mut entries, at);
                assert!(verify(&entries).is_err(), "{what} at {at}");
                found += 1;
            }
        }
        assert_eq!(found, 1_000);
        let mut turned = chain(1);
        turned[0].detail = serde_json::from_str(r#"{"changes":[1],"plan":"starter"}"#).unwrap();
        assert_eq!(verify(&turned), Ok(()), "the order of fields says nothing");
        let mut parts = chain(1);
        parts[0].actor = "key_xplatform".to_owned();
        parts[0].action = ".create".to_owned();
        assert!(verify(&parts).is_err(), "a letter more here, one less there");
    }
}
