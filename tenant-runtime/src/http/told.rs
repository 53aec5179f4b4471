//! What came of the last form, told once at the top of the page that follows.
//!
//! A form answers with a redirect. A cookie travels with it whose value names one sentence of a
//! fixed list; the next page says the sentence and makes the browser forget it. So it works
//! without scripts, a reload does not say it again, and no address or cookie can put words on a
//! page.

use accounts::cookie::Cookie;
use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use pages::Flash;

use super::visitor::cookie_of;
use crate::app::App;

/// How long a browser waits for the page that tells it, in seconds.
const PATIENCE: u32 = 60;

macro_rules! done {
    ($($name:ident $value:literal $text:literal),* $(,)?) => {
        /// Something that was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Done {
            $(#[doc = $text] $name,)*
        }

        impl Done {
            /// Everything that can be told.
            const ALL: &[Self] = &[$(Self::$name),*];

            /// As the cookie has it.
            fn as_str(self) -> &'static str {
                match self { $(Self::$name => $value,)* }
            }

            /// As people read it.
            fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

done! {
    AgentMade "agent-made" "The agent is made. It is a draft: people meet it once you publish it.",
    AgentSaved "agent-saved" "Saved as a new version. People meet it once you publish it.",
    AgentUnchanged "agent-unchanged" "Nothing was changed, so there is no new version.",
    AgentPublished "agent-published" "Published. Conversations that began before stay on the version they began with.",
    AgentTaken "agent-taken" "Taken away from people. Conversations with it stay.",
    RoleChanged "role-changed" "The role is changed.",
    PersonSuspended "person-suspended" "Suspended and signed out everywhere. Nothing of theirs is deleted.",
    PersonLetIn "person-let-in" "Let in. They can sign in now.",
    BrandSaved "brand-saved" "Saved. Everybody sees the new look now.",
    ConversationDeleted "conversation-deleted" "The conversation is deleted.",
    SessionEnded "session-ended" "That device is signed out.",
    SessionsEnded "sessions-ended" "All other devices are signed out.",
    PasswordChanged "password-changed" "Your password is changed. All other devices are signed out.",
    SignedOut "signed-out" "You are signed out.",
}

impl Done {
    /// Goes on to a page of this site, which tells it.
    pub fn and_go(self, jar: Cookie, to: &str) -> Response {
        let mut response = Redirect::to(to).into_response();
        response.headers_mut().append(SET_COOKIE, set(jar, self.as_str(), PATIENCE));
        response
    }
}

/// What the browser is still to be told.
pub struct Told {
    done: Option<Done>,
    jar: Cookie,
}

impl FromRequestParts<App> for Told {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &App,
    ) -> std::result::Result<Self, Self::Rejection> {
        let jar = cookie_of(&parts.extensions);
        Ok(Self { done: read(&parts.headers, jar), jar })
    }
}

impl Told {
    /// For the top of the page.
    pub fn flash(&self) -> Option<Flash> {
        self.done.map(|done| Flash::success(done.text()))
    }

    /// The page on which it stands; the browser forgets it.
    pub fn on(self, page: impl IntoResponse) -> Response {
        let mut response = page.into_response();
        if self.done.is_some() {
            response.headers_mut().append(SET_COOKIE, set(self.jar, "", 0));
        }
        response
    }
}

fn name(jar: Cookie) -> &'static str {
    match jar {
        Cookie::Https => "__Host-done",
        Cookie::PlainHttp => "done",
    }
}

fn set(jar: Cookie, value: &'static str, max_age: u32) -> HeaderValue {
    let secure = if jar == Cookie::Https { "; Secure" } else { "" };
    let name = name(jar);
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn read(headers: &HeaderMap, jar: Cookie) -> Option<Done> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name(jar))
        .find_map(|(_, value)| Done::ALL.iter().copied().find(|done| done.as_str() == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_one_of_our_sentences() {
        let told = |cookie: &str| {
            let headers = [(COOKIE, cookie.parse().unwrap())].into_iter().collect();
            read(&headers, Cookie::PlainHttp)
        };
        for done in Done::ALL {
            assert_eq!(told(&format!("session=x; done={}", done.as_str())), Some(*done));
        }
        for cookie in ["done=", "done=Send+money", "done=<b>", "__Host-done=agent-saved", "x"] {
            assert_eq!(told(cookie), None, "{cookie}");
        }
    }

    #[test]
    fn on_https_it_belongs_to_this_very_host() {
        let set = set(Cookie::Https, "agent-saved", 60);
        assert_eq!(
            set.to_str().unwrap(),
            "__Host-done=agent-saved; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
    }
}
