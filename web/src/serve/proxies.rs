//! Proxies of ours before our listeners, and whom a request came from that went through some.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

/// What each proxy says of the one before it.
const SAID: &str = "x-forwarded-for";
/// No request goes through more of them.
const HOPS: usize = 16;

/// Whole networks of proxies are no larger than 10.0.0.0/8, or what a provider has of IPv6.
const LEAST_V4: u8 = 8;
const LEAST_V6: u8 = 19;

/// Networks, as settings name them: an address alone is a network of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let refused = |text: &str, why: &str| serde::de::Error::custom(format!("{text:?} {why}"));
        let network = |text: &String| {
            let one = text.parse::<IpAddr>().map(IpNet::from);
            let network = one.or_else(|_| text.parse::<IpNet>());
            let network = network
                .map_err(|_| refused(text, "is no network such as 192.0.2.0/24, and no address"))?;
            let least = if network.addr().is_ipv4() { LEAST_V4 } else { LEAST_V6 };
            if network.prefix_len() < least {
                return Err(refused(
                    text,
                    "is too much of the world to be trusted: name your proxies",
                ));
            }
            Ok(network)
        };
        Vec::<String>::deserialize(from)?.iter().map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// Proxies whose word is taken for whom a request is from, by their addresses. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// Those at these addresses; nobody else.
    pub fn at(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether one of them is there.
    pub fn are_at(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whom a request is from that `peer` sent: the nearest address that is no proxy of ours, since
    /// what stands further away in `X-Forwarded-For` was written by whoever is there. Where a proxy
    /// of ours says something that is no address, it is from that proxy.
    ///
    /// ```
    /// # use axum::http::HeaderMap;
    /// let proxies = web::serve::Proxies::at(["10.0.0.0/8".parse().unwrap()]);
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-forwarded-for", "127.0.0.1, 203.0.113.9, 10.0.0.2".parse().unwrap());
    /// let visitor = |peer: &str| proxies.visitor(peer.parse().unwrap(), &headers).to_string();
    /// assert_eq!(visitor("10.0.0.1"), "203.0.113.9");
    /// assert_eq!(visitor("198.51.100.7"), "198.51.100.7");
    /// ```
    pub fn visitor(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        // As bytes: what a visitor wrote into the same line need not be text.
        let lines: Vec<&[u8]> = headers.get_all(SAID).iter().map(HeaderValue::as_bytes).collect();
        let parts = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        let said = parts.take(HOPS).map(|part| std::str::from_utf8(part).unwrap_or_default());
        let mut nearest = peer.to_canonical();
        for each in said {
            if !self.are_at(nearest) {
                break;
            }
            let Some(before) = address_in(each.trim()) else { break };
            nearest = before.to_canonical();
        }
        nearest
    }
}

/// Some write the port as well.
fn address_in(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, lines: &[&str]) -> String {
        let ours = ["10.0.0.0/8", "2001:db8::/32", "127.0.0.2/32"];
        let proxies = Proxies::at(ours.map(|network| network.parse().unwrap()));
        let lines = lines
            .iter()
            .map(|line| (SAID.parse().unwrap(), HeaderValue::from_bytes(line.as_bytes()).unwrap()));
        proxies
            .visitor(peer.parse().unwrap(), &lines.collect::<Vec<_>>().into_iter().collect())
            .to_string()
    }

    #[test]
    fn who_is_no_proxy_says_nothing_of_others() {
        assert_eq!(from("203.0.113.9", &["192.0.2.1"]), "203.0.113.9");
        assert_eq!(from("127.0.0.1", &["192.0.2.1"]), "127.0.0.1");
    }

    #[test]
    fn the_nearest_that_is_no_proxy_is_the_visitor() {
        assert_eq!(from("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("::ffff:10.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("2001:db8::1", &["2001:db9::5, 10.1.2.3"]), "2001:db9::5");
        // What a visitor wrote is further away than what was written of them.
        assert_eq!(from("10.0.0.1", &["10.0.0.2, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["10.0.0.2", "203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn where_nobody_is_named_it_is_the_last_one_that_is_known() {
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["203.0.113.9, , 10.0.0.9"]), "10.0.0.9");
        assert_eq!(from("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn what_is_no_text_hides_nobody() {
        assert_eq!(from("10.0.0.1", &["\u{ff}, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["203.0.113.9, \u{ff}"]), "10.0.0.1");
    }

    #[test]
    fn a_port_behind_an_address_is_left_out() {
        assert_eq!(from("10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["[2001:db9::5]:443, 10.0.0.2:80"]), "2001:db9::5");
    }
}
