//! Where a control plane is met.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::error::Error;

/// The front of a control plane, such as `https://console.example`. Keys go there, so it is HTTPS or
/// this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(Url);

impl Address {
    /// Whether it is this machine.
    pub(crate) fn is_here(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// What lies below it at these steps, whatever they hold.
    pub(crate) fn at(&self, steps: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(steps);
        }
        url
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |why| Error::Address { text: text.into(), why };
        let url: Url = text.trim().parse().map_err(|_| refuse("it is no URL"))?;
        let address = Self(url);
        let url = &address.0;
        match url.scheme() {
            "https" => {}
            "http" if address.is_here() => {}
            "http" => return Err(refuse("keys go there, so it has to be https")),
            _ => return Err(refuse("it has to begin with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a name or a password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("something stands behind its host"));
        }
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_by_https_or_nowhere() {
        for (good, shown) in [
            ("https://console.example", "https://console.example"),
            (" https://Console.example:443/ ", "https://console.example"),
            ("http://127.0.0.1:9500", "http://127.0.0.1:9500"),
            ("http://[::1]:9500/", "http://[::1]:9500"),
            ("http://localhost:9500", "http://localhost:9500"),
        ] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), shown);
        }
        for bad in [
            "console.example",
            "http://console.example",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "ftp://localhost",
            "https://ann:secret@console.example",
            "https://console.example/o/acme",
            "https://console.example/?x",
        ] {
            assert!(matches!(bad.parse::<Address>(), Err(Error::Address { .. })), "{bad}");
        }
    }

    #[test]
    fn what_an_id_holds_stays_one_step() {
        let address: Address = "https://console.example".parse().unwrap();
        let at = |id| address.at(&["v1", "platforms", id]).to_string();
        assert_eq!(at("plt_1"), "https://console.example/v1/platforms/plt_1");
        assert_eq!(at("a/b?c#d"), "https://console.example/v1/platforms/a%2Fb%3Fc%23d");
        assert!(!at("..").contains(".."));
    }
}
