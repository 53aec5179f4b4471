//! Authorities that give certificates by ACME (RFC 8555), and our accounts there.

mod account;
mod http;
mod trouble;

use secrecy::SecretString;

use crate::limits::Limits;

pub use account::{Accounts, NoAccount};
pub use trouble::Trouble;
pub(crate) use trouble::{NONCES, again, is_bad_nonce};

/// An authority, as the settings have it.
#[derive(Clone, Debug)]
pub struct Authority {
    /// What it is called here: it stands in the database and in messages.
    pub name: String,
    /// The address of its directory.
    pub directory: String,
    /// Whom it writes to, such as `mailto:ops@example.com`.
    pub contact: Vec<String>,
    /// Which sort of certificate is wanted, such as `shortlived`, where it offers several.
    pub profile: Option<String>,
    /// An account that was made with it by other means, which it wants to know of.
    pub binding: Option<Binding>,
    /// What it allows.
    pub limits: Limits,
    /// Its own root in PEM, where the machine does not know it.
    pub root: Option<String>,
}

/// An account that exists with an authority outside of ACME: external account binding.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What the authority calls it.
    pub id: String,
    /// Its key, as the authority handed it out: base64url without padding.
    pub key: SecretString,
}
