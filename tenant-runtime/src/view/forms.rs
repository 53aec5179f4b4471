//! Contexts of the forms for signing in, signing up and the admin link.

use pages::parts::{ErrorSummary, Field, Notice};
use serde::Serialize;

/// What people should know who choose a password.
const PASSWORD_HINT: &str = "At least 10 characters. A few words are easier to remember.";

/// A form on a card: signing in, signing up, the admin link.
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

/// What was typed into the fields of a new account, and what is in the way.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// As typed.
    pub name: String,
    /// What is in the way.
    pub name_error: Option<String>,
    /// As typed.
    pub email: String,
    /// What is in the way.
    pub email_error: Option<String>,
    /// What is in the way.
    pub password_error: Option<String>,
}

/// What is in the way of another password.
#[derive(Debug, Clone, Default)]
pub struct PasswordChange {
    /// With the one there is.
    pub current_error: Option<String>,
    /// With the one to come.
    pub new_error: Option<String>,
}

impl PasswordChange {
    /// The fields of the form.
    pub fn fields(&self) -> Vec<Field> {
        vec![
            Field::password("current", "Your password now", "current-password")
                .required()
                .error(self.current_error.clone()),
            Field::password("new", "New password", "new-password")
                .required()
                .hint(PASSWORD_HINT)
                .error(self.new_error.clone()),
        ]
    }
}

impl NewAccount {
    /// The fields of the form.
    pub fn fields(&self) -> Vec<Field> {
        let mut name = Field::text("name", "Your name").required().max_length(80);
        name.autocomplete = Some("name");
        vec![
            name.value(&self.name).error(self.name_error.clone()),
            Field::email("email", "E-mail address")
                .required()
                .max_length(254)
                .value(&self.email)
                .error(self.email_error.clone()),
            Field::password("password", "Password", "new-password")
                .required()
                .hint(PASSWORD_HINT)
                .error(self.password_error.clone()),
        ]
    }
}

impl CardForm {
    /// A form with its fields; the summary says what is wrong with them.
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
        }
    }
}

impl Other {
    /// A link with words before it.
    pub fn new(text: &str, label: &str, href: String) -> Self {
        Self { text: text.to_owned(), label: label.to_owned(), href }
    }
}
