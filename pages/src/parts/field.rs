//! A form's field: its label, its hint and its error are tied to it by id.

use serde::Serialize;

use crate::Sample;

/// A field: part `field`.
#[derive(Clone, Debug, Serialize)]
pub struct Field {
    /// Its name in the form. Its id is `field-NAME`.
    pub name: String,
    /// What it asks for.
    pub label: String,
    /// Which control it is.
    pub kind: FieldKind,
    /// The `type` of an input: `text`, `email`, `password`, `number`, `color`, ...
    pub input_type: &'static str,
    /// What stands in it.
    pub value: String,
    /// The options of a select.
    pub choices: Vec<Choice>,
    /// Whether a checkbox is ticked.
    pub checked: bool,
    /// How to fill it in.
    pub hint: Option<String>,
    /// What is wrong with what was sent.
    pub error: Option<String>,
    /// Whether it has to be filled in.
    pub required: bool,
    /// The `autocomplete` token, as in `email` or `new-password`.
    pub autocomplete: Option<&'static str>,
    /// The `inputmode` token: which keys a phone shows.
    pub input_mode: Option<&'static str>,
    /// The longest text it takes, in UTF-16 units.
    pub max_length: Option<u32>,
    /// The lines of a textarea.
    pub rows: u8,
    /// Whether the page begins in it.
    pub autofocus: bool,
}

/// Which control a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// One line, or whatever the input's type makes of it.
    Input,
    /// Several lines.
    Textarea,
    /// One of several choices.
    Select,
    /// Yes or no.
    Checkbox,
}

/// An option of a select.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What it says.
    pub label: String,
}

impl Field {
    fn new(name: &str, label: &str, kind: FieldKind) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            input_type: "text",
            value: String::new(),
            choices: Vec::new(),
            checked: false,
            hint: None,
            error: None,
            required: false,
            autocomplete: None,
            input_mode: None,
            max_length: None,
            rows: 4,
            autofocus: false,
        }
    }

    /// One line of text.
    #[must_use]
    pub fn text(name: &str, label: &str) -> Self {
        Self::new(name, label, FieldKind::Input)
    }

    /// An input of another type.
    #[must_use]
    pub fn input(name: &str, label: &str, input_type: &'static str) -> Self {
        Self { input_type, ..Self::text(name, label) }
    }

    /// An e-mail address, filled in by the browser.
    #[must_use]
    pub fn email(name: &str, label: &str) -> Self {
        Self { autocomplete: Some("email"), ..Self::input(name, label, "email") }
    }

    /// A password; `autocomplete` is `current-password` or `new-password`.
    #[must_use]
    pub fn password(name: &str, label: &str, autocomplete: &'static str) -> Self {
        Self { autocomplete: Some(autocomplete), ..Self::input(name, label, "password") }
    }

    /// A code that is good once: phones show digits, and offer to fill it in.
    #[must_use]
    pub fn one_time_code(name: &str, label: &str) -> Self {
        let (autocomplete, input_mode) = (Some("one-time-code"), Some("numeric"));
        Self { autocomplete, input_mode, ..Self::text(name, label) }
    }

    /// A password to choose, with what people should know who choose one.
    #[must_use]
    pub fn new_password(name: &str, label: &str) -> Self {
        let hint = "At least 10 characters. A few words are easier to remember.";
        Self::password(name, label, "new-password").required().hint(hint)
    }

    /// Several lines of text.
    #[must_use]
    pub fn textarea(name: &str, label: &str, rows: u8) -> Self {
        Self { rows, ..Self::new(name, label, FieldKind::Textarea) }
    }

    /// One of these, each a value and what it says.
    #[must_use]
    pub fn select(name: &str, label: &str, choices: &[(&str, &str)]) -> Self {
        let choices = choices.iter().map(|(value, label)| Choice {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
        });
        Self { choices: choices.collect(), ..Self::new(name, label, FieldKind::Select) }
    }

    /// Yes or no; sends `on` or nothing.
    #[must_use]
    pub fn checkbox(name: &str, label: &str, checked: bool) -> Self {
        Self { checked, ..Self::new(name, label, FieldKind::Checkbox) }
    }

    /// With this in it.
    #[must_use]
    pub fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    /// With words on how to fill it in.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With what is wrong, if something is.
    #[must_use]
    pub fn error(self, error: Option<String>) -> Self {
        Self { error, ..self }
    }

    /// Has to be filled in.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Takes no longer text.
    #[must_use]
    pub fn max_length(self, units: u32) -> Self {
        Self { max_length: Some(units), ..self }
    }

    /// The page begins here.
    #[must_use]
    pub fn autofocus(self) -> Self {
        Self { autofocus: true, ..self }
    }
}

/// Above a form that was refused, a link to each field that has to be mended: part
/// `error-summary`.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorSummary {
    /// In one sentence.
    pub title: String,
    /// One for each field.
    pub errors: Vec<FieldError>,
}

/// One line of the summary.
#[derive(Clone, Debug, Serialize)]
pub struct FieldError {
    /// To the field.
    pub href: String,
    /// What is wrong with it.
    pub text: String,
}

impl ErrorSummary {
    /// Of those fields that have an error; `None` if none has.
    #[must_use]
    pub fn of(fields: &[&Field]) -> Option<Self> {
        let errors: Vec<_> = fields
            .iter()
            .filter_map(|field| {
                let text = field.error.clone()?;
                Some(FieldError { href: format!("#field-{}", field.name), text })
            })
            .collect();
        let title = "Some of this needs another look.".to_owned();
        (!errors.is_empty()).then_some(Self { title, errors })
    }
}

impl Sample for Field {
    fn samples() -> Vec<Self> {
        let wrong = Some("That is <not> an address.".to_owned());
        vec![
            Self::text("plain", "Plain"),
            Self::email("mail", "E-mail").required().error(wrong.clone()).value("a\"b").autofocus(),
            Self::password("secret", "Password", "new-password").hint("12 characters or more."),
            Self::one_time_code("code", "Code").required().max_length(11),
            Self::textarea("story", "Story", 6)
                .value("\nfirst line empty\n</textarea><script>")
                .hint("Tell us.")
                .error(wrong.clone())
                .max_length(4000),
            Self::select("size", "Size", &[("s", "Small"), ("l", "Large & wide")]).value("l"),
            Self::checkbox("terms", "I agree", true).required().hint("Read them.").error(wrong),
        ]
    }
}

impl Sample for ErrorSummary {
    fn samples() -> Vec<Self> {
        let error = FieldError { href: "#".to_owned(), text: "Too <short>.".to_owned() };
        vec![Self { title: "Look again.".to_owned(), errors: vec![error] }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;

    #[test]
    fn a_field_is_described_by_its_hint_and_its_error() {
        let field = Field::text("slug", "Address").hint("Letters.").error(Some("Taken.".into()));
        let html = Engine::new(&[]).unwrap().render("field", &field).unwrap();
        assert!(html.contains("aria-describedby=\"hint-slug error-slug\""), "{html}");
        assert!(html.contains("id=\"hint-slug\"") && html.contains("id=\"error-slug\""), "{html}");
        assert!(html.contains("aria-invalid=\"true\""), "{html}");
    }

    #[test]
    fn text_in_a_textarea_keeps_its_first_empty_line_and_its_indents() {
        let field = Field::textarea("story", "Story", 6).value("\n  two\n    four");
        let engine = Engine::new(&[("page", "<div>\n    {{> field this}}\n</div>")]).unwrap();
        let html = engine.render("page", &field).unwrap();
        assert!(html.contains(">\n\n  two\n    four</textarea>"), "{html}");
    }

    #[test]
    fn a_summary_leads_to_the_fields_that_are_wrong() {
        let good = Field::text("a", "A");
        let bad = Field::text("b", "B").error(Some("No.".to_owned()));
        let summary = ErrorSummary::of(&[&good, &bad]).unwrap();
        assert_eq!(summary.errors.len(), 1);
        assert_eq!(summary.errors[0].href, "#field-b");
        assert!(ErrorSummary::of(&[&good]).is_none());
    }
}
