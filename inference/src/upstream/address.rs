//! Where an upstream may be: on the internet over TLS, on this machine, and in private networks
//! only where the operator says so. Names are checked again each time they are looked up, so one
//! that turns to a private address later is not followed there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::config::ConfigError;

/// Which networks an upstream may be in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Networks {
    /// The internet, and this machine where the address says so itself.
    #[default]
    Public,
    /// Private ones too, also without TLS.
    Private,
}

/// A checked address.
#[derive(Debug)]
pub(super) struct Address {
    base: Url,
    rule: Rule,
}

/// Which addresses its name may stand for.
#[derive(Debug, Clone, Copy)]
struct Rule {
    tls: bool,
    /// It is `localhost`, or a loopback address itself.
    here: bool,
    networks: Networks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    Public,
    Private,
    Loopback,
    /// Of no use, or dangerous: clouds tell machines their secrets at a link-local address.
    Never,
}

impl Address {
    pub(super) fn check(base: Url, networks: Networks) -> Result<Self, ConfigError> {
        match Rule::of(&base, networks) {
            Ok(rule) => Ok(Self { base, rule }),
            Err(why) => {
                let mut shown = base;
                let _ = shown.set_username("");
                let _ = shown.set_password(None);
                shown.set_query(None);
                shown.set_fragment(None);
                Err(ConfigError::Address { url: shown.into(), why })
            }
        }
    }

    /// The address with these segments after it.
    pub(super) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An address with a host has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(super) fn is_https(&self) -> bool {
        self.rule.tls
    }

    pub(super) fn resolver(&self) -> Arc<impl Resolve + use<>> {
        Arc::new(Resolver(self.rule))
    }
}

fn is_here(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(ip) => zone((*ip).into()) == Zone::Loopback,
        Host::Ipv6(ip) => zone((*ip).into()) == Zone::Loopback,
    }
}

impl Rule {
    /// The rule for an address that keeps it, or why it does not.
    fn of(base: &Url, networks: Networks) -> Result<Self, &'static str> {
        let has_more = base.query().or(base.fragment()).or(base.password()).is_some();
        if has_more || !base.username().is_empty() {
            return Err("it must have no user, password, query or fragment");
        }
        let tls = base.scheme() == "https";
        let host = base.host().filter(|_| tls || base.scheme() == "http");
        let host = host.ok_or("it must begin with https://")?;
        let rule = Self { tls, here: is_here(&host), networks };
        let is_allowed = match host {
            // What the name stands for is decided at each look-up.
            Host::Domain(_) => tls || rule.here || networks == Networks::Private,
            Host::Ipv4(ip) => rule.allows(ip.into()),
            Host::Ipv6(ip) => rule.allows(ip.into()),
        };
        match networks {
            _ if is_allowed => Ok(rule),
            Networks::Public if !tls => Err("use https; http is for this machine only"),
            Networks::Public => Err("private networks must be allowed for this upstream"),
            Networks::Private => Err("it is of no use, or http over the internet"),
        }
    }

    fn allows(self, ip: IpAddr) -> bool {
        match zone(ip) {
            Zone::Public => self.tls,
            Zone::Private => self.networks == Networks::Private,
            Zone::Loopback => self.here || self.networks == Networks::Private,
            Zone::Never => false,
        }
    }
}

fn zone(ip: IpAddr) -> Zone {
    match ip {
        IpAddr::V4(ip) => zone_v4(ip),
        IpAddr::V6(ip) => zone_v6(ip),
    }
}

fn zone_v4(ip: Ipv4Addr) -> Zone {
    let [a, b, ..] = ip.octets();
    if ip.is_loopback() {
        Zone::Loopback
    } else if ip.is_private() || (a == 100 && (64..128).contains(&b)) {
        Zone::Private
    } else if a == 0 || a >= 224 || ip.is_link_local() || ip.is_documentation() {
        Zone::Never
    } else {
        Zone::Public
    }
}

fn zone_v6(ip: Ipv6Addr) -> Zone {
    if let Some(ip) = ip.to_ipv4_mapped() {
        return zone_v4(ip);
    }
    match ip.segments() {
        _ if ip.is_loopback() => Zone::Loopback,
        // Translated to version 4 on the way.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            zone_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ if ip.is_unique_local() => Zone::Private,
        // What is handed out for the internet begins with these three bits.
        [first, ..] if first & 0xe000 == 0x2000 => Zone::Public,
        _ => Zone::Never,
    }
}

#[derive(Debug)]
struct Resolver(Rule);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|at| rule.allows(at.ip())).collect();
            if allowed.is_empty() {
                let why = "the name stands for no address that this upstream may have";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, networks: Networks) -> Result<Address, ConfigError> {
        Address::check(url.parse().unwrap(), networks)
    }

    #[test]
    fn the_internet_is_reached_over_tls_only_and_this_machine_without() {
        for good in [
            "https://api.example.com/v1",
            "https://8.8.8.8/v1",
            "http://localhost:8080/v1",
            "http://127.0.0.1:1/v1",
            "http://[::1]:8080",
            "https://[2606:4700::1]/",
        ] {
            assert!(check(good, Networks::Public).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com/v1",
            "http://8.8.8.8/v1",
            "ftp://api.example.com",
            "https://user:secret@api.example.com",
            "https://api.example.com/?key=secret",
            "https://10.0.0.1/v1",
            "https://192.168.1.1",
            "https://172.16.0.1",
            "https://100.64.0.1",
            "https://[fd00::1]",
            "https://[::ffff:10.0.0.1]",
            "https://[64:ff9b::a00:1]",
        ] {
            let error = check(bad, Networks::Public).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn private_networks_are_for_those_who_ask_and_link_local_ones_for_nobody() {
        for good in ["https://10.0.0.1", "http://10.0.0.1/v1", "http://models.internal/v1"] {
            assert!(check(good, Networks::Private).is_ok(), "{good}");
        }
        for bad in ["http://169.254.169.254/", "https://[fe80::1]/", "https://0.0.0.0/"] {
            assert!(check(bad, Networks::Private).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_turns_out_to_be_this_machine_is_not_followed() {
        let rule = Rule { tls: true, here: false, networks: Networks::Public };
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(Resolver(rule).resolve(name()).await.is_err());
        let here = Rule { here: true, ..rule };
        assert!(Resolver(here).resolve(name()).await.is_ok());
    }

    #[test]
    fn addresses_are_joined_with_and_without_a_slash() {
        for base in ["https://api.example.com/v1", "https://api.example.com/v1/"] {
            let address = check(base, Networks::Public).unwrap();
            let url = address.join(&["chat", "completions"]);
            assert_eq!(url.as_str(), "https://api.example.com/v1/chat/completions");
        }
    }
}
