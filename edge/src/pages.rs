//! What an edge says itself, in place of a platform: to people as a page, to programs as a problem.

mod page;

use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{Html, IntoResponse as _, Response};
use certificates::served::{Platform, Standing};
use web::Problem;

use crate::waking::NotAwake;

use page::Page;

/// Nobody is met under this name.
pub(crate) fn nobody(asked: &HeaderMap) -> Response {
    let problem = Problem::not_found("no-platform", "Nothing is here under this name.")
        .detail("The address may be mistyped, or its owner has not finished setting it up.");
    answer(asked, None, problem)
}

/// The connection was made for another name.
pub(crate) fn misdirected(asked: &HeaderMap) -> Response {
    let title = "This connection was made for another name.";
    let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", title)
        .detail("Open a new connection for this one.");
    answer(asked, None, problem)
}

/// The name has no certificate yet.
pub(crate) fn no_certificate(asked: &HeaderMap, platform: &Platform) -> Response {
    let title = "This address is being set up.";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-certificate", title)
        .detail("Its certificate is on the way. That takes a minute or two as a rule.")
        .retry_after(30);
    answer(asked, Some(platform), problem)
}

/// The platform is not to answer; `None` where it is.
pub(crate) fn standing(asked: &HeaderMap, platform: &Platform) -> Option<Response> {
    let (code, title, detail, after) = match platform.standing {
        Standing::Serving => return None,
        Standing::Suspended => (
            "suspended",
            "This site is paused.",
            "Its owner can take it up again at any time.",
            3600,
        ),
        Standing::Failed => (
            "failed",
            "This site cannot be shown at the moment.",
            "Something is wrong on our side. It is known, and being looked at.",
            60,
        ),
    };
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, title)
        .detail(detail)
        .retry_after(after);
    Some(answer(asked, Some(platform), problem))
}

/// The platform does not answer.
pub(crate) fn unreachable(asked: &HeaderMap, platform: &Platform) -> Response {
    let title = "This site does not answer at the moment.";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unreachable", title)
        .detail("It may be starting. Trying again in a few seconds may help.")
        .retry_after(5);
    answer(asked, Some(platform), problem)
}

/// It sleeps, and could not be woken in time.
pub(crate) fn asleep(asked: &HeaderMap, platform: &Platform, why: NotAwake) -> Response {
    let (status, code, title, detail, after) = match why {
        NotAwake::Slow => (
            StatusCode::SERVICE_UNAVAILABLE,
            "waking",
            "This site is waking up.",
            "It rests while nobody uses it, and this time waking takes longer than it should. \
             Nothing has been done yet. Try again in a few seconds.",
            5,
        ),
        NotAwake::NotStarted => (
            StatusCode::SERVICE_UNAVAILABLE,
            "asleep",
            "This site is resting and cannot be woken at the moment.",
            "Something is wrong on our side. Nothing has been done yet. Try again in a minute.",
            30,
        ),
        NotAwake::TooMany => (
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-woken",
            "Very many resting sites are being visited from your address.",
            "Nothing has been done yet. Try again in a minute.",
            60,
        ),
    };
    let problem = Problem::new(status, code, title).detail(detail).retry_after(after);
    answer(asked, Some(platform), problem)
}

/// All its places for requests are taken.
pub(crate) fn busy(asked: &HeaderMap, platform: &Platform) -> Response {
    let title = "Very many people are here at the moment.";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title)
        .detail("Nothing has been done yet. Trying again in a few seconds may help.")
        .retry_after(5);
    answer(asked, Some(platform), problem)
}

/// The visitor has as many requests under way as one may have.
pub(crate) fn too_many(asked: &HeaderMap, platform: &Platform) -> Response {
    let title = "Very much is asked from your address at the moment.";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", title)
        .detail("Nothing has been done yet. Once some of it has been answered, try again.")
        .retry_after(5);
    answer(asked, Some(platform), problem)
}

/// What the visitor was sending did not come.
pub(crate) fn not_come(asked: &HeaderMap, platform: &Platform) -> Response {
    let title = "What you were sending did not arrive.";
    let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "not-arrived", title)
        .detail("Nothing has been done. The connection may be too slow. Try again.");
    answer(asked, Some(platform), problem)
}

/// The platform had the request, and its answer did not come.
pub(crate) fn broken(asked: &HeaderMap, platform: &Platform) -> Response {
    let title = "The answer of this site got lost.";
    let problem = Problem::new(StatusCode::BAD_GATEWAY, "broken", title)
        .detail("Whether what was asked for has been done is not known. Look before trying again.");
    answer(asked, Some(platform), problem)
}

/// The platform took too long.
pub(crate) fn too_slow(asked: &HeaderMap, platform: &Platform) -> Response {
    let title = "This site took too long to answer.";
    let problem = Problem::new(StatusCode::GATEWAY_TIMEOUT, "too-slow", title)
        .detail("Whether what was asked for has been done is not known. Look before trying again.");
    answer(asked, Some(platform), problem)
}

/// In the name of the platform where it is known, and in nobody's else.
fn answer(asked: &HeaderMap, platform: Option<&Platform>, problem: Problem) -> Response {
    if !wants_page(asked) {
        return never_kept(problem.into_response());
    }
    let page = Page::of(&problem, platform);
    let policy = page.policy();
    let mut response = (problem.status, Html(page.html)).into_response();
    let headers = response.headers_mut();
    if let Some(seconds) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    never_kept(response)
}

/// It is about this moment.
fn never_kept(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn wants_page(asked: &HeaderMap) -> bool {
    let accept = asked.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
