//! What is asked once more.

use serde::Serialize;

/// Something that cannot be undone.
#[derive(Clone, Debug, Serialize)]
pub struct Confirm {
    /// The question.
    pub heading: String,
    /// What becomes of it.
    pub text: &'static str,
    /// Where the form goes.
    pub action: String,
    /// What its button says.
    pub button: &'static str,
    /// Where the reader came from.
    pub back: String,
}
