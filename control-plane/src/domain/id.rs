//! Ids as the API says them: what one is of stands before it, so that none is taken for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// It is not an id of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no id such as {prefix}0192f0c8a1b27cc09d3e5f6a7b8c9d0e")]
pub struct NotAnId {
    text: String,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let wrong = || NotAnId { text: text.to_owned(), prefix: $prefix };
                let digits = text.strip_prefix($prefix).ok_or_else(wrong)?;
                let id = Self(Uuid::try_parse(digits).map_err(|_| wrong())?);
                // Of the ways to write one, this is the one that is used.
                if id.to_string() == text { Ok(id) } else { Err(wrong()) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id! {
    /// An organization.
    OrganizationId, "org_"
}
id! {
    /// An API key; not the key itself.
    KeyId, "key_"
}
id! {
    /// A person.
    PersonId, "usr_"
}
id! {
    /// An invitation; not the link.
    InvitationId, "inv_"
}
id! {
    /// A webhook.
    WebhookId, "whk_"
}
id! {
    /// Something that a webhook was told.
    DeliveryId, "msg_"
}
id! {
    /// A platform, as long as the control plane knows of it.
    PlatformId, "plt_"
}

id! {
    /// A model server; not its key.
    ModelServerId, "mds_"
}
id! {
    /// Something that was done to a platform.
    OperationId, "opn_"
}
id! {
    /// A ticket.
    TicketId, "tkt_"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_is_of_and_is_taken_for_nothing_else() {
        let text = "org_0192f0c8a1b27cc09d3e5f6a7b8c9d0e";
        let id: OrganizationId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        for wrong in [
            "0192f0c8a1b27cc09d3e5f6a7b8c9d0e",
            "key_0192f0c8a1b27cc09d3e5f6a7b8c9d0e",
            "org_0192F0C8A1B27CC09D3E5F6A7B8C9D0E",
            "org_0192f0c8-a1b2-7cc0-9d3e-5f6a7b8c9d0e",
            "org_",
            "",
        ] {
            assert!(wrong.parse::<OrganizationId>().is_err(), "{wrong}");
        }
    }
}
