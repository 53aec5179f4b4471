//! Contexts of the forms for signing in, signing up and the admin link.

use pages::parts::Field;
pub use pages::parts::{CardForm, Other};

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
            Field::new_password("new", "New password").error(self.new_error.clone()),
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
            Field::new_password("password", "Password").error(self.password_error.clone()),
        ]
    }
}
