//! What an organization asks of those who come in, and who vouches for its members.

use pages::parts::{Field, Notice};
use serde::Serialize;

/// The settings of an organization.
#[derive(Clone, Debug, Serialize)]
pub struct Policy {
    /// Whether they were just changed.
    pub is_changed: bool,
    /// Why they were not.
    pub notice: Option<Notice>,
    /// This page.
    pub base: String,
    /// What is asked.
    pub fields: Vec<Field>,
    /// How many members have no second factor.
    pub without: i64,
    /// Who vouches for members.
    pub provider: Provider,
}

/// The provider of an organization.
#[derive(Clone, Debug, Serialize)]
pub struct Provider {
    /// Where its form goes.
    pub action: String,
    /// Where the form to take it away goes, where there is one.
    pub remove: Option<String>,
    /// What the provider is to allow.
    pub redirect_url: String,
    /// What it is.
    pub fields: Vec<Field>,
}
