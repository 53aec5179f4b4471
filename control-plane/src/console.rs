//! The console: the same as the API, for people, as pages. It works without scripts, but for passkeys;
//! with them it says what changes meanwhile.

mod account;
mod admin_link;
mod assets;
mod audit;
mod code;
mod company;
mod confirm;
mod gallery;
mod history;
mod join;
mod keys;
mod news;
mod passkeys;
mod people;
mod platforms;
mod policy;
mod preview;
mod refused;
mod second_factor;
mod session;
mod single_sign_on;
mod tickets;
pub mod told;
pub mod view;
mod visitor;
mod webhooks;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use pages::parts::Nothing;
use web::Problem;

use crate::app::App;

/// Every page of it.
pub fn router() -> Router<App> {
    Router::new()
        .route("/assets/{file}", get(assets::asset))
        .route("/brand/{file}", get(assets::brand))
        // Coming and going
        .route("/signin", get(session::sign_in_page).post(session::sign_in))
        .route("/signin/code", get(code::page).post(code::sign_in))
        .route("/signin/recovery-code", get(code::paper_page).post(code::sign_in_by_paper))
        .route("/signin/passkey", get(passkeys::sign_in_page).post(passkeys::sign_in))
        .route("/signin/company", get(company::page).post(company::go))
        .route("/signin/company/return/{organization}", get(company::back))
        .route("/signout", post(session::sign_out))
        .route("/join/{link}", get(join::page).post(join::join))
        .route("/account", get(account::page))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/account/sessions/end-others", post(account::end_other_sessions))
        .route("/account/second-factor", get(second_factor::page).post(second_factor::begin))
        .route("/account/second-factor/confirm", post(second_factor::confirm))
        .route(
            "/account/second-factor/off",
            get(second_factor::off_page).post(second_factor::turn_off),
        )
        .route(
            "/account/recovery-codes",
            get(second_factor::codes_page).post(second_factor::renew_codes),
        )
        .route("/account/passkeys", post(passkeys::add))
        .route("/account/passkeys/new", get(passkeys::new_page).post(passkeys::new))
        .route("/account/passkeys/{id}/remove", post(passkeys::remove))
        // Organizations
        .route("/", get(platforms::start))
        .route("/o/{slug}", get(platforms::fleet))
        .route("/o/{slug}/platforms/{name}", get(platforms::show))
        .route("/o/{slug}/platforms/{name}/operations", get(history::operations))
        .route("/o/{slug}/platforms/{name}/history", get(history::revisions))
        .route("/o/{slug}/platforms/{name}/history/{revision}", get(history::revision))
        .route("/o/{slug}/platforms/{name}/suspend", post(platforms::suspend))
        .route("/o/{slug}/platforms/{name}/resume", post(platforms::resume))
        .route("/o/{slug}/platforms/{name}/delete", post(platforms::delete))
        .route("/o/{slug}/platforms/{name}/undelete", post(platforms::undelete))
        .route("/o/{slug}/platforms/{name}/claim", post(platforms::claim))
        .route("/o/{slug}/platforms/{name}/release", post(platforms::release))
        .route("/o/{slug}/platforms/{name}/admin-link", post(admin_link::create))
        .route("/o/{slug}/platforms/{name}/retry", post(platforms::retry))
        .route("/o/{slug}/people", get(people::page).post(people::invite))
        .route("/o/{slug}/people/{id}/role", post(people::set_role))
        .route("/o/{slug}/people/{id}/remove", get(people::removal).post(people::remove))
        .route("/o/{slug}/invitations/{id}/revoke", get(people::revocation).post(people::revoke))
        .route("/o/{slug}/keys", get(keys::page).post(keys::create))
        .route("/o/{slug}/keys/{id}/revoke", get(keys::revocation).post(keys::revoke))
        .route("/o/{slug}/webhooks", get(webhooks::page).post(webhooks::create))
        .route("/o/{slug}/webhooks/{id}", get(webhooks::show))
        .route("/o/{slug}/webhooks/{id}/secret", post(webhooks::renew))
        .route("/o/{slug}/webhooks/{id}/deliveries/{delivery}/replay", post(webhooks::replay))
        .route("/o/{slug}/webhooks/{id}/remove", get(webhooks::removal).post(webhooks::remove))
        .route("/o/{slug}/tickets", get(tickets::page))
        .route("/o/{slug}/tickets/{id}", get(tickets::show))
        .route("/o/{slug}/tickets/{id}/close", get(tickets::closing).post(tickets::close))
        .route("/o/{slug}/events", get(news::of_fleet))
        .route("/o/{slug}/platforms/{name}/events", get(news::of_platform))
        .route("/o/{slug}/audit", get(audit::page))
        .route("/o/{slug}/settings", get(policy::page).post(policy::change))
        .route("/o/{slug}/settings/single-sign-on", post(single_sign_on::change))
        .route("/o/{slug}/settings/single-sign-on/remove", post(single_sign_on::remove))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .merge(
            Router::new()
                .route("/o/{slug}/tickets/new", get(tickets::new).post(tickets::create))
                .route("/o/{slug}/tickets/{id}/messages", post(tickets::say))
                .layer(DefaultBodyLimit::max(LARGEST_MESSAGE)),
        )
        .merge(
            Router::new()
                .route("/o/{slug}/new", get(platforms::new).post(platforms::create))
                .route("/o/{slug}/new/preview", post(preview::of_new))
                .route("/o/{slug}/platforms/{name}/blueprint", post(platforms::change))
                .route("/o/{slug}/platforms/{name}/preview", post(preview::of_change))
                .layer(DefaultBodyLimit::max(LARGEST_BLUEPRINT)),
        )
}

/// The largest form, in bytes.
const LARGEST_FORM: usize = 8 << 10;
/// With a message of 10,000 letters, each of its bytes written as three.
const LARGEST_MESSAGE: usize = 128 << 10;
/// With a blueprint of 256 KiB, each of its letters written as three or six.
const LARGEST_BLUEPRINT: usize = 1_600 << 10;

/// What went wrong is a page, for who reads pages; under `/v1` nobody does.
pub async fn shown(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/v1/");
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let reads_pages = accepts.is_some_and(|accept| accept.contains("text/html") && !is_api);
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| reads_pages) else {
        return response;
    };
    let body = Nothing {
        heading: problem.title.clone(),
        detail: problem.detail.clone(),
        code: problem.code,
    };
    let title = body.heading.clone();
    let page = view::page(&app, None, &title, body);
    let Ok(html) = app.engine().render("nothing", &page) else { return response };
    let mut shown = (response.status(), Html(html)).into_response();
    for name in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = response.headers_mut().remove(&name) {
            shown.headers_mut().insert(name, value);
        }
    }
    shown
}
