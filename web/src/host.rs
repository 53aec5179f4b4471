//! Whom a request was meant for.
//!
//! Routing by tenant reads the authority itself: the `Host` header or, with HTTP/2, the request
//! target. Forwarding headers are never asked, since anyone can send them.

use axum::http::{HeaderMap, Uri, header};

/// The host of a request in lower case, without port and trailing dot. `None` when it is missing,
/// sent twice, or not a plausible name.
///
/// ```
/// # use axum::http::{HeaderMap, Uri};
/// let mut headers = HeaderMap::new();
/// headers.insert("host", "Acme.localhost:8080".parse().unwrap());
/// assert_eq!(web::host::of(&Uri::from_static("/"), &headers).as_deref(), Some("acme.localhost"));
/// ```
pub fn of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut sent = headers.get_all(header::HOST).iter();
    let authority = match (uri.host(), sent.next()) {
        (Some(host), _) => host.to_owned(),
        (None, Some(value)) => value.to_str().ok()?.to_owned(),
        (None, None) => return None,
    };
    if sent.next().is_some() {
        return None;
    }
    let name = without_port(&authority).trim_end_matches('.').to_ascii_lowercase();
    let plausible = !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b));
    plausible.then_some(name)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            host
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, value.parse().unwrap());
        of(&Uri::from_static("/"), &headers)
    }

    #[test]
    fn port_case_and_trailing_dot_do_not_matter() {
        assert_eq!(host("ACME.localhost.:8080").as_deref(), Some("acme.localhost"));
        assert_eq!(host("acme.localhost").as_deref(), Some("acme.localhost"));
    }

    #[test]
    fn a_strange_or_doubled_host_is_nobodys() {
        assert_eq!(host("acme.localhost/evil"), None);
        assert_eq!(host(""), None);
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "a.localhost".parse().unwrap());
        headers.append(header::HOST, "b.localhost".parse().unwrap());
        assert_eq!(of(&Uri::from_static("/"), &headers), None);
    }

    #[test]
    fn forwarding_headers_are_not_asked() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "a.localhost".parse().unwrap());
        headers.insert("x-forwarded-host", "b.localhost".parse().unwrap());
        assert_eq!(of(&Uri::from_static("/"), &headers).as_deref(), Some("a.localhost"));
    }
}
