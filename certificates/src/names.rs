//! Domain names that people want to be served under: one spelling each, and only such as can
//! belong to a single owner.

mod lookalike;

use std::fmt;
use std::str::FromStr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// A host name as the DNS has it: A-labels, in lower case, at least two, without a last dot. It is
/// nobody's public suffix, no wildcard, no address, and does not look like another name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

/// Why nobody can be served under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Not what the DNS calls a name.
    #[error(
        "this is no domain name: write it like `shop.example.com`, without `https://` and without a port"
    )]
    Malformed,
    /// `*.example.com`.
    #[error("a wildcard cannot be claimed: claim each name by itself")]
    Wildcard,
    /// The name of its TXT record would be longer than the DNS allows.
    #[error("this name is too long: at most {LONGEST} characters")]
    TooLong,
    /// An address.
    #[error("this is an address, not a name: a certificate needs a domain name")]
    Address,
    /// `example`.
    #[error("a single word is no domain name that others can reach: write it like `example.com`")]
    SingleLabel,
    /// `co.uk`.
    #[error("this is a public suffix, below which names belong to many: claim one below it")]
    PublicSuffix,
    /// Reserved for other uses, such as `localhost` or `internal`.
    #[error("names below this ending are not on the public Internet")]
    Reserved,
    /// Letters of several scripts, or all of them such as look like Latin ones.
    #[error(
        "this name can be taken for another one: its letters are of several scripts, or look like Latin ones and are none"
    )]
    Lookalike,
    /// The platform operator's own name, one below it, or one above it.
    #[error("this name belongs to the service itself: every platform has one below it already")]
    Ours,
}

/// Endings that no public authority gives certificates for. `test` is not among them: test
/// installations live there.
const RESERVED: [&str; 8] =
    ["localhost", "local", "internal", "onion", "invalid", "arpa", "alt", "example"];

/// In front of it stands what a TXT record proves it by.
const LONGEST: usize = 253 - "_platform-challenge.".len();

impl Name {
    /// Reads what a person typed: capital letters, a last dot and letters of other scripts are
    /// brought to the one spelling.
    ///
    /// # Errors
    /// [`BadName`]: nobody can be served under it.
    pub fn read(typed: &str) -> Result<Self, BadName> {
        let typed = typed.trim();
        let typed = typed.strip_suffix('.').unwrap_or(typed);
        if typed.starts_with("*.") || typed == "*" {
            return Err(BadName::Wildcard);
        }
        if typed.parse::<std::net::IpAddr>().is_ok() || typed.starts_with('[') {
            return Err(BadName::Address);
        }
        let ascii = Uts46::new()
            .to_ascii(
                typed.as_bytes(),
                AsciiDenyList::STD3,
                Hyphens::CheckFirstLast,
                DnsLength::Verify,
            )
            .map_err(|_| BadName::Malformed)?;
        let (_, last) = ascii.rsplit_once('.').ok_or(BadName::SingleLabel)?;
        // Browsers take a name whose last label is a number for an address.
        if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
            return Err(BadName::Address);
        }
        if ascii.len() > LONGEST {
            return Err(BadName::TooLong);
        }
        if RESERVED.contains(&last) {
            return Err(BadName::Reserved);
        }
        if psl::suffix_str(&ascii) == Some(&*ascii) {
            return Err(BadName::PublicSuffix);
        }
        let (unicode, read) =
            Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
        read.map_err(|_| BadName::Malformed)?;
        if unicode.split('.').any(lookalike::misleads) {
            return Err(BadName::Lookalike);
        }
        Ok(Self(ascii.into()))
    }

    /// One that was stored: it was read once, by the rules of then.
    pub(crate) fn stored(name: &str) -> Self {
        Self(name.into())
    }

    /// The one spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this zone, in it, or a zone that this one is in.
    pub fn touches(&self, zone: &str) -> bool {
        is_in(&self.0, zone) || is_in(zone, &self.0)
    }

    /// The part that somebody registers, `example.co.uk` of `shop.example.co.uk`: authorities count
    /// certificates by it.
    pub fn registered(&self) -> &str {
        psl::domain_str(&self.0).unwrap_or(&self.0)
    }

    /// Whether it is such a name itself, where the DNS allows no CNAME.
    pub fn is_apex(&self) -> bool {
        self.registered() == &*self.0
    }
}

fn is_in(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(typed: &str) -> Result<Self, BadName> {
        Self::read(typed)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(typed: &str) -> Result<String, BadName> {
        Name::read(typed).map(|name| name.to_string())
    }

    #[test]
    fn each_name_has_one_spelling() {
        for typed in
            ["shop.example.com", "SHOP.Example.COM.", " shop.example.com ", "shop。example．com"]
        {
            assert_eq!(read(typed).as_deref(), Ok("shop.example.com"), "{typed}");
        }
        for typed in
            ["bücher.de", "BÜCHER.de.", "bu\u{308}cher.de", "xn--bcher-kva.de", "XN--BCHER-KVA.DE"]
        {
            assert_eq!(read(typed).as_deref(), Ok("xn--bcher-kva.de"), "{typed}");
        }
        assert_eq!(read("straße.example.org").as_deref(), Ok("xn--strae-oqa.example.org"));
    }

    #[test]
    fn what_cannot_belong_to_one_owner_is_refused() {
        let refused = [
            ("", BadName::Malformed),
            ("https://example.com", BadName::Malformed),
            ("example.com:443", BadName::Malformed),
            ("a..com", BadName::Malformed),
            ("-a.com", BadName::Malformed),
            ("under_score.com", BadName::Malformed),
            ("example", BadName::SingleLabel),
            ("*.example.com", BadName::Wildcard),
            ("*", BadName::Wildcard),
            ("192.0.2.1", BadName::Address),
            ("2001:db8::1", BadName::Address),
            ("[2001:db8::1]", BadName::Address),
            ("1.2.3", BadName::Address),
            ("a.0x7f", BadName::Address),
            ("com", BadName::SingleLabel),
            ("co.uk", BadName::PublicSuffix),
            ("github.io", BadName::PublicSuffix),
            ("CO.UK.", BadName::PublicSuffix),
            ("me.localhost", BadName::Reserved),
            ("db.internal", BadName::Reserved),
            ("1.0.0.127.in-addr.arpa", BadName::Reserved),
        ];
        for (typed, why) in refused {
            assert_eq!(read(typed), Err(why), "{typed:?}");
        }
    }

    #[test]
    fn what_can_be_taken_for_another_name_is_refused() {
        // "apple" and "paypal" in Cyrillic letters, wholly and in part, typed and as A-labels.
        for typed in
            ["аррӏе.com", "xn--80ak6aa92e.com", "pаypal.com", "www.pаypal.com", "ехаmple.com"]
        {
            assert_eq!(read(typed), Err(BadName::Lookalike), "{typed}");
        }
        for typed in
            ["münchen.de", "почта.рф", "例え.jp", "한국.com", "modern.com", "xn--fiqs8s.cn"]
        {
            assert!(read(typed).is_ok(), "{typed}: {:?}", read(typed));
        }
    }

    #[test]
    fn zones_touch_what_is_in_them_and_what_they_are_in() {
        let name = |text: &str| Name::read(text).unwrap();
        for ours in ["soulfra.app", "a.soulfra.app", "x.y.soulfra.app"] {
            assert!(name(ours).touches("soulfra.app"));
        }
        assert!(name("soulfra.app").touches("edge.soulfra.app"));
        for theirs in ["notsoulfra.app", "soulfra.app.com", "app.soulfra.org"] {
            assert!(!name(theirs).touches("soulfra.app"));
        }
        assert_eq!(name("shop.example.co.uk").registered(), "example.co.uk");
        assert!(name("example.co.uk").is_apex() && !name("shop.example.co.uk").is_apex());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_what_it_becomes(typed in ".{0,40}") {
            if let Ok(name) = Name::read(&typed) {
                prop_assert_eq!(Name::read(name.as_str()), Ok(name.clone()));
                prop_assert_eq!(Name::read(&name.as_str().to_uppercase()), Ok(name.clone()));
                prop_assert_eq!(Name::read(&format!("{name}.")), Ok(name));
            }
        }
    }
}
