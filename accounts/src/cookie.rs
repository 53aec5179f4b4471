//! The session cookie, the one of those who still owe a second factor, the one of those who are away
//! at a provider that is to vouch for them, and the one that says what came of the last form.
//!
//! On HTTPS it has the `__Host-` prefix: browsers then take it from this very host only, over
//! HTTPS only, so no neighbour on a parent domain can plant one. Plain HTTP is for localhost,
//! where browsers refuse that prefix. Each is read only where it is set.
use axum::http::header::{COOKIE, InvalidHeaderValue};
use axum::http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;

use crate::Token;
use crate::halves::{self, NewHalf};
use crate::sessions::{LIFETIME, NewSession};

/// How long a browser waits for the page that tells what was done, in seconds.
const PATIENCE: i64 = 60;

/// Which cookie, by how the visitor came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// `__Host-session`, over HTTPS.
    Https,
    /// `session`, over plain HTTP on this machine.
    PlainHttp,
}

impl Cookie {
    /// The cookie's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Https => "__Host-session",
            Self::PlainHttp => "session",
        }
    }

    /// The value of a `Set-Cookie` header that begins the session in the browser.
    pub fn set(self, session: &NewSession) -> Result<HeaderValue, InvalidHeaderValue> {
        self.header(self.name(), session.token.expose(), LIFETIME.as_secs())
    }

    /// The value of a `Set-Cookie` header that makes the browser forget it.
    pub fn clear(self) -> Result<HeaderValue, InvalidHeaderValue> {
        self.header(self.name(), "", 0)
    }

    /// The name of the cookie of those who are half way in.
    pub fn half_name(self) -> &'static str {
        match self {
            Self::Https => "__Host-half",
            Self::PlainHttp => "half",
        }
    }

    /// The value of a `Set-Cookie` header for who is half way in.
    pub fn set_half(self, half: &NewHalf) -> Result<HeaderValue, InvalidHeaderValue> {
        self.header(self.half_name(), half.token.expose(), halves::LIFETIME.as_secs())
    }

    /// The value of a `Set-Cookie` header that makes the browser forget that one.
    pub fn clear_half(self) -> Result<HeaderValue, InvalidHeaderValue> {
        self.header(self.half_name(), "", 0)
    }

    /// The name of the cookie of those who are away at a provider.
    pub fn away_name(self) -> &'static str {
        match self {
            Self::Https => "__Host-away",
            Self::PlainHttp => "away",
        }
    }

    /// The value of a `Set-Cookie` header for who is sent to a provider, for so long.
    pub fn set_away(
        self,
        token: &Token,
        lifetime: SignedDuration,
    ) -> Result<HeaderValue, InvalidHeaderValue> {
        self.header(self.away_name(), token.expose(), lifetime.as_secs())
    }

    /// The value of a `Set-Cookie` header that makes the browser forget that one.
    pub fn clear_away(self) -> Result<HeaderValue, InvalidHeaderValue> {
        self.header(self.away_name(), "", 0)
    }

    /// What those send who come back from a provider.
    pub fn read_away(self, headers: &HeaderMap) -> Option<&str> {
        named(self.away_name(), headers)
    }

    /// The name of the cookie that says what was done.
    pub fn done_name(self) -> &'static str {
        match self {
            Self::Https => "__Host-done",
            Self::PlainHttp => "done",
        }
    }

    /// The value of a `Set-Cookie` header that has the next page tell what was done.
    pub fn set_done(self, what: &'static str) -> Result<HeaderValue, InvalidHeaderValue> {
        self.header(self.done_name(), what, PATIENCE)
    }

    /// The value of a `Set-Cookie` header that has no page tell it again.
    pub fn clear_done(self) -> Result<HeaderValue, InvalidHeaderValue> {
        self.header(self.done_name(), "", 0)
    }

    /// What was done, as sent.
    pub fn read_done(self, headers: &HeaderMap) -> Option<&str> {
        named(self.done_name(), headers)
    }

    /// The session id in a request's `Cookie` headers, as sent.
    pub fn read(self, headers: &HeaderMap) -> Option<&str> {
        named(self.name(), headers)
    }

    /// What those send who are half way in.
    pub fn read_half(self, headers: &HeaderMap) -> Option<&str> {
        named(self.half_name(), headers)
    }

    fn header(
        self,
        name: &str,
        value: &str,
        max_age: i64,
    ) -> Result<HeaderValue, InvalidHeaderValue> {
        let secure = match self {
            Self::Https => "; Secure",
            Self::PlainHttp => "",
        };
        let mut header = HeaderValue::from_str(&format!(
            "{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"
        ))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn named<'h>(wanted: &str, headers: &'h HeaderMap) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> NewSession {
        let expires_at = "2026-08-31T10:00:00Z".parse().unwrap();
        NewSession { id: uuid::Uuid::nil(), token: Token::random().0, expires_at }
    }

    fn sent(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (COOKIE, value.parse().unwrap())).collect()
    }

    #[test]
    fn on_https_the_cookie_belongs_to_this_very_host() {
        let session = session();
        assert_eq!(
            Cookie::Https.set(&session).unwrap().to_str().unwrap(),
            format!(
                "__Host-session={}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure",
                session.token.expose()
            )
        );
        assert_eq!(
            Cookie::Https.clear().unwrap().to_str().unwrap(),
            "__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn on_plain_http_the_cookie_is_one_browsers_take() {
        let header = Cookie::PlainHttp.set(&session()).unwrap();
        let header = header.to_str().unwrap();
        assert!(header.starts_with("session="));
        assert!(!header.contains("Secure"));
    }

    #[test]
    fn a_session_id_does_not_show_in_logged_headers() {
        let session = session();
        let header = Cookie::Https.set(&session).unwrap();
        assert!(!format!("{header:?}").contains(session.token.expose()));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let read = |values: &[&str]| Cookie::Https.read(&sent(values)).map(str::to_owned);
        assert_eq!(read(&["a=b; __Host-session=xyz; c=d"]).as_deref(), Some("xyz"));
        assert_eq!(read(&["a=b", "__Host-session=xyz"]).as_deref(), Some("xyz"));
        assert_eq!(read(&["a=b;__Host-session=xyz"]).as_deref(), Some("xyz"));
        assert_eq!(read(&["x__Host-session=xyz; __host-session=abc; broken"]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn what_was_done_is_told_for_a_minute() {
        assert_eq!(
            Cookie::Https.set_done("agent-saved").unwrap().to_str().unwrap(),
            "__Host-done=agent-saved; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        let sent = sent(&["session=x; done=agent-saved"]);
        assert_eq!(Cookie::PlainHttp.read_done(&sent), Some("agent-saved"));
        assert_eq!(Cookie::Https.read_done(&sent), None);
    }

    #[test]
    fn on_https_a_planted_plain_cookie_is_not_read() {
        assert_eq!(Cookie::Https.read(&sent(&["session=planted"])), None);
    }
}
