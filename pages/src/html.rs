//! HTML that may be written into a page as it is.

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// The field by which the `html` helper knows a value of this type. It holds a NUL, which
/// neither a Rust field nor a `jsonb` column can, so no data of anyone's passes for it.
pub(crate) const MARK: &str = "\u{0}html";

/// Sanitised HTML. The only ways to make one escape or sanitise what they are given, so a
/// template that writes it with `{{html value}}` cannot write anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Nothing at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self(String::new())
    }

    /// Plain text, escaped.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(handlebars::html_escape(text))
    }

    /// HTML from anywhere, for instance from the database, sanitised now.
    #[must_use]
    pub fn clean(html: &str) -> Self {
        Self(crate::markdown::clean(html))
    }

    /// Only for what the sanitiser has just returned.
    pub(crate) const fn sanitised(html: String) -> Self {
        Self(html)
    }

    /// The HTML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The HTML, owned: for the `html` field of a stream event.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl Serialize for Html {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut html = serializer.serialize_struct("Html", 1)?;
        html.serialize_field(MARK, &self.0)?;
        html.end()
    }
}
