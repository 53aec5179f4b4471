//! What invoices, and what happens to them, are called for ever.

use std::fmt;
use std::str::FromStr;

use blueprint::Slug;

use crate::rating::time::Month;

/// What somebody calls something that happened: a rail its payment, the console a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref(String);

/// A text that is no [`Ref`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of 1 to {LONGEST_REF} letters, digits and `-`, `_`, `.`, `:`")]
pub struct NoRef(String);

/// No name is longer, in bytes: a name of a rail's for something that happened to an invoice of the longest
/// name is still one of an event.
pub const LONGEST_REF: usize = 60;

/// What an invoice is about, and so what it is called: the same again is the same invoice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvoiceName(String);

impl Ref {
    /// As it was told.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl InvoiceName {
    /// What is paid at the beginning of a month: that month, and what was used before it.
    pub fn month(organization: &Slug, month: Month) -> Self {
        Self(format!("{organization}/{month}"))
    }

    /// What a change costs at once, the first beginning among them.
    pub fn change(organization: &Slug, change: &Ref) -> Self {
        Self(format!("{organization}/change/{change}"))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Ref {
    type Err = NoRef;

    fn from_str(text: &str) -> Result<Self, NoRef> {
        let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if (1..=LONGEST_REF).contains(&text.len()) && text.bytes().all(may_be) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoRef(text.to_owned()))
        }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvoiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_never_looks_like_two() {
        for good in ["pi_3NxYz", "0198c5d0-7a3c-7000-8000-00000000002a", "a", &"x".repeat(60)] {
            assert_eq!(good.parse::<Ref>().unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "a b", "ä", "a\n", &"x".repeat(61)] {
            assert_eq!(bad.parse::<Ref>(), Err(NoRef(bad.to_owned())));
        }
    }

    #[test]
    fn the_longest_names_are_names_of_events() {
        let (organization, longest) = ("x".repeat(63).parse().unwrap(), "x".repeat(LONGEST_REF));
        let invoice = InvoiceName::change(&organization, &longest.parse().unwrap());
        let event = format!("{invoice}/verdict/{longest}");
        assert_eq!(event.len(), crate::ledger::LONGEST_NAME);
    }
}
