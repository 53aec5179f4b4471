//! What an organization asks of its members.

use pages::parts::Field;
use serde::Serialize;

/// The settings of an organization.
#[derive(Clone, Debug, Serialize)]
pub struct Policy {
    /// Whether they were just changed.
    pub is_changed: bool,
    /// This page.
    pub base: String,
    /// Whether members need a second factor.
    pub second_factor: Field,
    /// How many members have none.
    pub without: i64,
}
