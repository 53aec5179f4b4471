//! What Stripe is sent: names and values, percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Brackets stay: Stripe shows them so, and reads them either way.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'[').remove(b']');

/// Names and values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    #[expect(clippy::needless_pass_by_value, reason = "numbers and names are written as they are")]
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.add(name, &value.to_string());
        self
    }

    pub(crate) fn encoded(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let pairs =
            self.0.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    #[cfg(test)]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one_value() {
        let form = Form::default().with("metadata[intent]", "a&b=c d").with("name", "Zoë");
        assert_eq!(form.encoded(), "metadata[intent]=a%26b%3Dc%20d&name=Zo%C3%AB");
    }
}
