//! Where a request came from, as people recognise it in the list of their sessions.
use std::net::IpAddr;

/// Address and device of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The visitor's address, an IPv4 one in its own form.
    pub ip: IpAddr,
    /// Such as "Firefox on Linux"; at most 60 characters.
    pub device: String,
}

impl Visit {
    /// From the address the request came from and its `User-Agent`.
    pub fn new(ip: IpAddr, user_agent: Option<&str>) -> Self {
        Self { ip: ip.to_canonical(), device: label(user_agent.unwrap_or_default()) }
    }
}

/// Browsers name each other in their headers; the first that matches is the real one.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

fn label(user_agent: &str) -> String {
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => program(user_agent),
    }
}

/// `curl/8.5.0` is "curl".
fn program(user_agent: &str) -> String {
    let name: String = user_agent
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(60)
        .collect();
    if name.is_empty() { "Unknown device".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_people_know_them() {
        for (user_agent, expected) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36 Edg/128.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", "curl"),
            ("<script>", "Unknown device"),
            ("", "Unknown device"),
        ] {
            assert_eq!(label(user_agent), expected);
        }
    }

    #[test]
    fn an_address_has_one_form() {
        let visit = Visit::new("::ffff:192.0.2.1".parse().unwrap(), None);
        assert_eq!(visit.ip.to_string(), "192.0.2.1");
    }
}
