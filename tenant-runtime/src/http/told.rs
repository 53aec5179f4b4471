//! What came of the last form, told once at the top of the page that follows.
//!
//! A form answers with a redirect. A cookie travels with it whose value names one sentence of a
//! fixed list; the next page says the sentence and makes the browser forget it. So it works
//! without scripts, a reload does not say it again, and no address or cookie can put words on a
//! page.

use accounts::cookie::Cookie;
use axum::extract::FromRequestParts;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use pages::Flash;

use super::visitor::cookie_of;
use crate::app::App;

pages::done! {
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
        response.headers_mut().extend(jar.set_done(self.name()).map(|cookie| (SET_COOKIE, cookie)));
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
        Ok(Self { done: jar.read_done(&parts.headers).and_then(Done::named), jar })
    }
}

impl Told {
    /// For the top of the page.
    pub fn flash(&self) -> Option<Flash> {
        self.done.map(Done::flash)
    }

    /// The page on which it stands; the browser forgets it.
    pub fn on(self, page: impl IntoResponse) -> Response {
        let mut response = page.into_response();
        if self.done.is_some() {
            response.headers_mut().extend(self.jar.clear_done().map(|cookie| (SET_COOKIE, cookie)));
        }
        response
    }
}
