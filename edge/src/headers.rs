//! Headers that mean one connection and not the request, and what a platform is told of a visitor.

use std::net::IpAddr;

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// By RFC 9110, section 7.6.1, and what older programs send.
const OF_THE_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// What only an edge says; from a visitor it means nothing.
const OF_THE_EDGE: [&str; 8] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
    "x-request-id",
];

/// The name of the header that both the platform and the visitor know a request by.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Takes out what is about the connection it came on.
pub(crate) fn strip_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // To name one of these would make the platform answer somebody else's request.
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&OF_THE_CONNECTION) {
        headers.remove(name);
    }
}

/// Says who the visitor is, whatever the visitor said.
pub(crate) fn introduce(headers: &mut HeaderMap, visitor: IpAddr, id: &HeaderValue) {
    for name in OF_THE_EDGE {
        headers.remove(name);
    }
    if let Ok(visitor) = visitor.to_canonical().to_string().parse() {
        headers.insert("x-forwarded-for", visitor);
    }
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    headers.insert(REQUEST_ID, id.clone());
}

/// The protocol that a visitor would change to: `WebSocket` and nothing else.
pub(crate) fn wants_websocket(headers: &HeaderMap) -> bool {
    let says = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|each| each.trim().eq_ignore_ascii_case(word))
    };
    says(header::CONNECTION, "upgrade") && says(header::UPGRADE, "websocket")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_is_about_the_connection_goes_no_further() {
        let mut of = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("connection", "host, content-length"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("host", "a.example.com"),
            ("content-length", "3"),
            ("cookie", "a=b"),
        ]);
        strip_connection(&mut of);
        let mut left: Vec<&str> = of.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "cookie", "host"]);
    }

    #[test]
    fn nobody_says_themselves_who_they_are() {
        let mut of = headers(&[
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-host", "b.example.com"),
            ("x-forwarded-proto", "http"),
            ("forwarded", "for=127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("x-request-id", "<script>"),
        ]);
        let id = HeaderValue::from_static("one");
        introduce(&mut of, "::ffff:203.0.113.9".parse().unwrap(), &id);
        let mut left: Vec<_> = of.iter().map(|(k, v)| (k.as_str(), v.to_str().unwrap())).collect();
        left.sort_unstable();
        let expected = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "one"),
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn only_a_websocket_may_change_the_protocol() {
        let of = |upgrade| headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", upgrade)]);
        assert!(wants_websocket(&of("WebSocket")));
        assert!(!wants_websocket(&of("h2c")));
        assert!(!wants_websocket(&headers(&[("upgrade", "websocket")])));
    }
}
