//! The name of a cluster: several may run side by side.

use std::str::FromStr;

/// Up to 20 small letters, digits and hyphens, a letter first: it becomes part of the names of a
/// network namespace, a control group and sockets, whose paths must stay short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What the cluster's network namespace and control group are called on this machine.
    pub(crate) fn on_machine(&self) -> String {
        format!("soulfra-{}", self.0)
    }
}

impl FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
        if starts_well && text.len() <= 20 && text.chars().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err("up to 20 small letters, digits and hyphens, a letter first")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["a", "dev", "operator-7", "abcdefghijklmnopqrst"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "7", "-a", "Dev", "a/b", "a b", "ä", "..", "abcdefghijklmnopqrstu"] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
