//! What of an event is read before it is stored: what it is called and of what it is. Nothing else.

use jiff::Timestamp;
use serde::Deserialize;

/// The outside of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the rail calls it, for ever.
    pub id: String,
    /// What happened, in the rail's words.
    pub kind: String,
    /// When the rail says it did.
    pub created: Timestamp,
    /// On whose account, where it is not ours.
    pub account: Option<String>,
    /// In which version of its own words it speaks.
    pub api_version: Option<String>,
    /// What sort of object it is of, in the rail's words.
    pub object_kind: String,
    /// Which one.
    pub object: String,
}

#[derive(Deserialize)]
struct Told<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    account: Option<String>,
    api_version: Option<String>,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Object<'a> {
    id: Option<String>,
    #[serde(borrow)]
    object: std::borrow::Cow<'a, str>,
}

impl Envelope {
    /// Reads it, or says why it cannot be.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        // What it says of a text has that text in it.
        let plain = |error: serde_json::Error| error.to_string().replace(char::is_control, " ");
        let told: Told<'_> = serde_json::from_slice(body).map_err(plain)?;
        let Object { id, object: object_kind } = told.data.object;
        let envelope = Self {
            id: told.id,
            kind: told.kind,
            created: Timestamp::from_second(told.created)
                .ok()
                .filter(|created| *created >= Timestamp::UNIX_EPOCH)
                .ok_or("it was made at no time")?,
            account: told.account,
            api_version: told.api_version,
            object_kind: object_kind.into_owned(),
            object: id.ok_or("it is of an object without an id")?,
        };
        let Self { id, kind, object, object_kind, .. } = &envelope;
        let optional = [envelope.account.as_ref(), envelope.api_version.as_ref()];
        let all = [id, kind, object, object_kind].into_iter().chain(optional.into_iter().flatten());
        for text in all {
            if text.is_empty() || text.len() > 255 || text.contains(char::is_control) {
                return Err(
                    "a name in it is empty, too long or holds control characters".to_owned()
                );
            }
        }
        Ok(envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_its_outside() {
        let body = br#"{"id":"evt_1","object":"event","type":"charge.refunded","created":1790000000,
            "account":"acct_1","api_version":"2026-09-30.endive","livemode":true,"unheard":[1,{"of":2}],
            "data":{"object":{"id":"ch_1","object":"charge","amount":{"what":"ever"}},"previous_attributes":{}}}"#;
        let envelope = Envelope::read(body).unwrap();
        assert_eq!((envelope.id.as_str(), envelope.kind.as_str()), ("evt_1", "charge.refunded"));
        assert_eq!((envelope.object_kind.as_str(), envelope.object.as_str()), ("charge", "ch_1"));
        assert_eq!(envelope.account.as_deref(), Some("acct_1"));
        assert_eq!(envelope.created.as_second(), 1_790_000_000);
    }

    #[test]
    fn what_has_no_outside_says_why() {
        for body in [
            "",
            "[]",
            "{\"id\":1}",
            r#"{"id":"","type":"a","created":1,"data":{"object":{"id":"x","object":"y"}}}"#,
            r#"{"id":"e\u0000","type":"a","created":1,"data":{"object":{"id":"x","object":"y"}}}"#,
            r#"{"id":"e","type":"a","created":1,"data":{"object":{"object":"balance"}}}"#,
            r#"{"id":"e","type":"a","created":-1,"data":{"object":{"id":"x","object":"y"}}}"#,
        ] {
            assert!(Envelope::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
