//! Whole pages of one card: a form, or that something is not there.

use serde::Serialize;

use super::{ErrorSummary, Field, Notice};
use crate::Sample;

/// A form on a card, such as signing in: page `card-form`.
#[derive(Debug, Clone, Serialize)]
pub struct CardForm {
    /// What the page is about.
    pub heading: String,
    /// A sentence below it.
    pub lead: Option<String>,
    /// What came of the last try.
    pub notice: Option<Notice>,
    /// Everything in the way.
    pub summary: Option<ErrorSummary>,
    /// Where the form goes.
    pub action: String,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Where to go afterwards; a path of this site.
    pub next: String,
    /// What the button says; none when there is nothing to send.
    pub button: Option<String>,
    /// The other way in.
    pub other: Option<Other>,
    /// And another one.
    pub also: Option<Other>,
}

/// A link to the other way in.
#[derive(Debug, Clone, Serialize)]
pub struct Other {
    /// The words before it.
    pub text: String,
    /// What it says.
    pub label: String,
    /// Where it goes.
    pub href: String,
}

/// That something cannot be shown, and what to know about it: page `nothing`.
#[derive(Debug, Clone, Serialize)]
pub struct Nothing {
    /// What happened.
    pub heading: String,
    /// Why, and what to do.
    pub detail: Option<String>,
    /// The same for programs, and for whoever is asked about it.
    pub code: &'static str,
}

impl CardForm {
    /// A form with its fields; the summary says what is wrong with them.
    #[must_use]
    pub fn new(heading: &str, action: &str, button: &str, fields: Vec<Field>) -> Self {
        let summary = ErrorSummary::of(&fields.iter().collect::<Vec<_>>());
        Self {
            heading: heading.to_owned(),
            lead: None,
            notice: None,
            summary,
            action: action.to_owned(),
            fields,
            next: "/".to_owned(),
            button: Some(button.to_owned()),
            other: None,
            also: None,
        }
    }
}

impl Other {
    /// A link with words before it.
    #[must_use]
    pub fn new(text: &str, label: &str, href: String) -> Self {
        Self { text: text.to_owned(), label: label.to_owned(), href }
    }
}

/// What nobody should be able to break a page with.
const ODD: &str = "Ada <b>\"&' {{x}} </textarea>";

impl Sample for CardForm {
    fn samples() -> Vec<Self> {
        let fields = |wrong: Option<&str>| {
            let wrong = wrong.map(str::to_owned);
            vec![
                Field::email("email", "E-mail address").required().error(wrong.clone()),
                Field::password("password", "Password", "new-password").error(wrong),
            ]
        };
        let plain = Self::new("Sign in", "/signin", "Sign in", fields(None));
        let nothing_to_send =
            Self { button: None, ..Self::new("Almost there", "/", "", Vec::new()) };
        let full = Self {
            lead: Some(ODD.to_owned()),
            notice: Some(Notice::samples().remove(0)),
            next: format!("/{ODD}"),
            other: Some(Other::new("New here?", "Create an account", "/signup".to_owned())),
            also: Some(Other::new("Have a passkey?", "Sign in with it", "/signin".to_owned())),
            ..Self::new(ODD, "/signup", "Create account", fields(Some(ODD)))
        };
        vec![plain, nothing_to_send, full]
    }
}

impl Sample for Nothing {
    fn samples() -> Vec<Self> {
        let told = Self { heading: ODD.to_owned(), detail: Some(ODD.to_owned()), code: "gone" };
        vec![Self { detail: None, ..told.clone() }, told]
    }
}
