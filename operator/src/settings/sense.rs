//! What of an installation cannot be: told at the start, and not by every platform.

use std::net::IpAddr;

use axum::http::Uri;
use certificates::{BadName, Name};
use plan::Installation;
use plan::fleet::Peer;
use plan::installation::Grants;
use web::grant::PublicKey;

use super::{AuthoritySettings, DomainSettings};

/// All that cannot be, each with its path.
pub(super) fn problems(installation: &Installation) -> Vec<String> {
    let mut problems = Vec::new();
    let mut say = |path: &str, wrong: Option<String>| {
        problems.extend(wrong.map(|wrong| format!("installation.{path}: {wrong}")));
    };
    say("domain", domain(&installation.domain));
    say("images.runtime", image(&installation.images.runtime));
    say("images.modelServer", image(&installation.images.model_server));
    say("dns", peer(&installation.dns));
    say("edge", peer(&installation.edge));
    if let Some(control_plane) = &installation.control_plane {
        say("controlPlane.url", url(&control_plane.url));
        say("controlPlane.at", peer(&control_plane.at));
        if let Some(Grants { issuer, keys }) = &control_plane.grants {
            say("controlPlane.grants.issuer", url(issuer));
            let none = "name at least one: `control-plane grant-keys` prints them";
            say("controlPlane.grants.keys", keys.is_empty().then(|| none.to_owned()));
            for (at, key) in keys.iter().enumerate() {
                let read = serde_json::from_value::<PublicKey>(key.clone());
                let wrong = read.err().map(|error| error.to_string());
                say(&format!("controlPlane.grants.keys[{at}]"), wrong);
            }
        }
    }
    if let Some(gateway) = &installation.gateway {
        say("gateway.at", peer(&gateway.at));
    }
    for (at, server) in installation.fleet.servers.iter().enumerate() {
        say(&format!("fleet.servers[{at}].at"), peer(&server.at));
    }
    for (at, server) in installation.fleet.model_servers.iter().enumerate() {
        say(&format!("fleet.modelServers[{at}].url"), url(&server.url));
        say(&format!("fleet.modelServers[{at}].at"), peer(&server.at));
    }
    for (at, store) in installation.fleet.stores.iter().enumerate() {
        say(&format!("fleet.stores[{at}].url"), url(&store.url));
        say(&format!("fleet.stores[{at}].at"), peer(&store.at));
    }
    problems
}

/// What of the names that it looks after cannot be.
pub(super) fn problems_of_names(settings: &DomainSettings, own: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let zones = settings.reserved.iter().enumerate();
    let zones = zones.map(|(at, zone)| (format!("reserved[{at}]"), zone));
    for (path, zone) in zones.chain([("targets".to_owned(), &settings.targets)]) {
        problems.extend(domain(zone).map(|wrong| format!("domains.{path}: {wrong}")));
    }
    if let Some(zone) = &settings.zone {
        let name = zone.name.as_deref().and_then(domain);
        problems.extend(name.map(|wrong| format!("domains.zone.name: {wrong}")));
        let is_in = |zone: &String| own == zone || own.ends_with(&format!(".{zone}"));
        if let Some(zone) = zone.name.as_ref().filter(|zone| !is_in(zone)) {
            problems.push(format!("domains.zone.name: `{zone}`: {own} is not in it"));
        }
        if settings.certificate.is_some() {
            let both = "domains: `certificate` brings the certificate of the installation's domain, \
                        and `zone` orders it: one of the two";
            problems.push(both.to_owned());
        }
        if settings.authorities.is_empty() {
            problems.push("domains.zone: there are no `authorities` to order from".to_owned());
        }
    }
    for (at, authority) in settings.authorities.iter().enumerate() {
        let AuthoritySettings { name, directory, .. } = authority;
        if settings.authorities[..at].iter().any(|other| other.name == *name) {
            problems.push(format!("domains.authorities[{at}].name: there are two `{name}`"));
        }
        let wrong = url(directory);
        problems.extend(wrong.map(|it| format!("domains.authorities[{at}].directory: {it}")));
    }
    problems
}

/// A zone, in the one spelling that names are compared in.
fn domain(domain: &str) -> Option<String> {
    let is_spelt = |name: &Name| name.as_str() == domain;
    match Name::read(domain) {
        Ok(name) if is_spelt(&name) => None,
        // An installation may be one of a closed network.
        Err(BadName::Reserved) if *domain == domain.to_ascii_lowercase() => None,
        Ok(_) | Err(BadName::Reserved) => {
            Some(format!("`{domain}`: in lower case, without a last dot"))
        }
        Err(why) => Some(format!("`{domain}`: {why}")),
    }
}

fn image(image: &str) -> Option<String> {
    let last = image.rsplit('/').next().unwrap_or_default();
    let has_version = last.contains(':') || last.contains('@');
    let is_plain = !image.is_empty() && !image.contains(char::is_whitespace);
    (has_version || !is_plain).then(|| {
        format!(
            "`{image}`: the name of an image without its version, such as \
             registry.example/soulfra/tenant-runtime: `version` says which one runs"
        )
    })
}

fn url(url: &str) -> Option<String> {
    let parsed: Option<Uri> = url.parse().ok();
    let is_web = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
    });
    (!is_web).then(|| format!("`{url}`: a URL such as http://models.example:9000/v1"))
}

fn peer(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Pods { namespace, .. } => (!is_label(namespace)).then(|| {
            format!(
                "`{namespace}`: the name of a namespace: letters, digits and `-`, in lower case"
            )
        }),
        Peer::Network { cidr } => (!is_block(cidr))
            .then(|| format!("`{cidr}`: a block of addresses such as 10.0.8.0/24 or 10.1.0.4/32")),
    }
}

fn is_label(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn is_block(cidr: &str) -> bool {
    let Some((address, length)) = cidr.split_once('/') else { return false };
    let longest = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= longest)
}
