//! What can go wrong, for people: what happened, what to do next, and an exit code of its own.

/// A failure that ends the command.
#[derive(Debug)]
pub struct Failure {
    /// The exit code's kind.
    pub kind: Kind,
    /// What happened and why.
    pub what: String,
    /// What to do next.
    pub hint: String,
}

/// Each kind has its own exit code; the codes never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ours to mend.
    Unexpected = 1,
    /// A name that cannot be used.
    Name = 3,
    /// A blueprint that cannot be used.
    Blueprint = 4,
    /// A port that somebody else has.
    Port = 5,
    /// The database cannot be had.
    Database = 6,
    /// The model cannot be had.
    Model = 7,
    /// This processor lacks what the program was built for.
    Processor = 8,
    /// A file or folder cannot be read or written, or the disk is full.
    Files = 9,
    /// Another host process is in the way.
    Host = 10,
    /// There is no such platform.
    NoPlatform = 11,
    /// The person said no.
    Declined = 12,
    /// A backup that cannot be used.
    Backup = 13,
    /// The control plane is not named, does not answer, or is none.
    ControlPlane = 14,
    /// No key for a control plane, or one that is not good for this.
    Key = 15,
    /// The control plane does not do it as things stand.
    Refused = 16,
    /// It was not ready in time.
    NotReady = 17,
}

impl Kind {
    /// The kind with this exit code, as another process told it.
    pub fn from_code(code: u8) -> Self {
        let known = [
            Self::Name,
            Self::Blueprint,
            Self::Port,
            Self::Database,
            Self::Model,
            Self::Processor,
            Self::Files,
            Self::Host,
            Self::NoPlatform,
            Self::Declined,
            Self::Backup,
            Self::ControlPlane,
            Self::Key,
            Self::Refused,
            Self::NotReady,
        ];
        known.into_iter().find(|kind| *kind as u8 == code).unwrap_or(Self::Unexpected)
    }
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: Kind, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: hint.into() }
    }

    /// A file or folder that could not be used.
    pub fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let hint = match error.kind() {
            std::io::ErrorKind::StorageFull => {
                "The disk is full. Make room and run the same command again; nothing is lost."
            }
            std::io::ErrorKind::PermissionDenied => {
                "Check who owns it, or choose another place with --home."
            }
            _ => "Check the path and run the same command again.",
        };
        Self::new(Kind::Files, format!("could not {doing} {}: {error}", path.display()), hint)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

impl From<remote::Error> for Failure {
    fn from(error: remote::Error) -> Self {
        let kind = match error.kind() {
            remote::Kind::ControlPlane => Kind::ControlPlane,
            remote::Kind::Key => Kind::Key,
            remote::Kind::Files => Kind::Files,
            remote::Kind::Name => Kind::Name,
            remote::Kind::Blueprint => Kind::Blueprint,
            remote::Kind::NoPlatform => Kind::NoPlatform,
            remote::Kind::Refused => Kind::Refused,
            remote::Kind::Declined => Kind::Declined,
            remote::Kind::NotReady => Kind::NotReady,
        };
        Self::new(kind, error.to_string(), error.hint())
    }
}

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// As it was meant to.
    Well,
    /// It looked for differences and found some, which is exit code 1, as `diff` has it.
    Differs,
}

/// What a command gives back.
pub type Result<T> = std::result::Result<T, Failure>;
