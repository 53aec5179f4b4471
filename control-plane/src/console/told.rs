//! What came of the last form, told once at the top of the page that follows.
//!
//! A form answers with a redirect. A cookie travels with it whose value names one sentence of a fixed
//! list; the next page says the sentence, and makes the browser forget it. So it works without
//! scripts, a reload does not say it again, and no address or cookie can put words on a page.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use crate::app::App;

pages::done! {
    SignedIn "signed-in" "You are signed in.",
    SignedOut "signed-out" "You are signed out.",
    Joined "joined" "You have joined this organization.",
    Left "left" "You are out of the organization.",
    SessionEnded "session-ended" "That device is signed out.",
    SessionsEnded "sessions-ended" "All other devices are signed out.",
    SecondFactorOff "second-factor-off" "The second factor is off: your password alone lets you in.",
    PasskeyAdded "passkey-added" "The passkey is added. It lets you in from now on.",
    PasskeyRemoved "passkey-removed" "The passkey is removed. It lets nobody in any more.",
    PlatformMade "platform-made" "The platform is made. It takes a few minutes until it is met.",
    PlatformChanged "platform-changed" "The change is taken. What it starts again is back in a moment.",
    PlatformStopped "platform-stopped" "The platform is stopped. Its data is kept.",
    PlatformResumed "platform-resumed" "The platform is taken up again.",
    PlatformDeleted "platform-deleted" "The platform is deleted. For 30 days you can bring it back.",
    PlatformBack "platform-back" "The platform is brought back, with its data.",
    PlatformClaimed "platform-claimed" "The platform is written here from now on. kubectl is refused.",
    PlatformReleased "platform-released" "The platform is written by kubectl from now on. It runs as it did.",
    PlatformRetried "platform-retried" "It is tried again now.",
    SingleSignOnGone "single-sign-on-gone" "Single sign-on is taken away. Whom it let in is signed out.",
    RoleSet "role-set" "The role is set. It counts from now on.",
    MemberOut "member-out" "They are taken out, and what they handed out lets nobody in any more.",
    InvitationBack "invitation-back" "The invitation is taken back. Its link does nothing any more.",
    KeyBack "key-back" "The key is taken back. It opens nothing any more.",
    WebhookRemoved "webhook-removed" "The webhook is removed. It is told nothing more.",
    TicketMade "ticket-made" "It is asked. The answer comes to this page.",
    TicketAnswered "ticket-answered" "It is said. The answer comes to this page.",
    TicketClosed "ticket-closed" "The ticket is closed. For 30 days a message opens it again.",
    ToldAgain "told-again" "It is told again, in a moment.",
}

impl Done {
    /// Goes on to a page of the console, which tells it.
    pub fn and_go(self, app: &App, to: &str) -> Response {
        let mut response = Redirect::to(to).into_response();
        let cookie = app.cookie().set_done(self.name());
        response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
        response
    }
}

/// What the browser is still to be told.
pub struct Told(pub Option<Done>);

impl FromRequestParts<App> for Told {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(app.cookie().read_done(&parts.headers).and_then(Done::named)))
    }
}

/// With this header a script asks for a page of which it takes what changed.
const LOOK: &str = "x-look";

/// What was told on a page is not told on the next one.
pub async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    // A page that a script asks for to look what changed is read by nobody.
    let is_read = !request.headers().contains_key(LOOK);
    let is_told = is_read && app.cookie().read_done(request.headers()).is_some();
    let mut response = next.run(request).await;
    let kind = response.headers().get(CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_told && is_page {
        let cookie = app.cookie().clear_done();
        response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    }
    response
}
