//! What is watched.

use super::ChildId;
use crate::kind::Kind;

/// What is listed anew at once: blueprints, or the objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listed {
    /// Blueprints.
    Blueprints,
    /// Objects of a kind; of one name only, where only that may be read.
    Children(Kind, Option<&'static str>),
}

impl std::fmt::Display for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blueprints => f.write_str("PlatformBlueprint"),
            Self::Children(kind, None) => f.write_str(kind.word()),
            Self::Children(kind, Some(name)) => write!(f, "{} {name}", kind.word()),
        }
    }
}

impl Listed {
    /// Everything that is watched. Of Secrets only those that are ours by name: the right to read
    /// them goes no further.
    pub fn all() -> Vec<Self> {
        let mut secrets: Vec<_> = plan::SecretKey::ALL.map(|key| key.place().0).into();
        secrets.dedup();
        let secrets = secrets.into_iter().map(|name| Self::Children(Kind::Secret, Some(name)));
        let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Secret);
        let kinds = kinds.map(|kind| Self::Children(kind, None));
        std::iter::once(Self::Blueprints).chain(kinds).chain(secrets).collect()
    }

    /// Whether an object is of this sort.
    pub(super) fn has(self, id: &ChildId) -> bool {
        match self {
            Self::Blueprints => false,
            Self::Children(kind, name) => {
                kind == id.kind && name.is_none_or(|name| *name == *id.name)
            }
        }
    }
}
