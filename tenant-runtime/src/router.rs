//! Every route, in one list.

use accounts::sessions::SignedIn;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use pages::parts::Nothing;
use web::Problem;

use crate::app::App;
use crate::error::Error;
use crate::http::visitor::{address, cookie_of, signed_in};
use crate::http::{account, admin, conversations, grants, listen, send, session, site, welcome};
use crate::view::shell;

/// The largest form, in bytes; the longest message in the widest letters fits.
const LARGEST_FORM: usize = 128 * 1024;

/// A platform's routes over its state.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        // Anybody
        .route("/", get(site::home))
        .route("/agents", get(site::agents))
        .route("/agents/{slug}", get(site::agent))
        .route("/pages/{slug}", get(site::reading))
        .route("/assets/{file}", get(site::asset))
        .route("/brand/{file}", get(site::brand))
        .route("/healthz", get(site::live))
        .route("/readyz", get(site::ready))
        // Coming and going
        .route("/signin", get(session::sign_in_page).post(session::sign_in))
        .route("/signup", get(session::sign_up_page).post(session::sign_up))
        .route("/signout", post(session::sign_out))
        .route("/welcome/{token}", get(welcome::page).post(welcome::enter))
        .route("/account", get(account::page))
        .route("/account/password", post(account::change_password))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/account/sessions/end-others", post(account::end_other_sessions))
        // Talking
        .route("/agents/{slug}/talk", post(send::talk))
        .route("/conversations", get(conversations::list))
        .route("/conversations/{id}", get(conversations::show))
        .route("/conversations/{id}/live", get(listen::live))
        .route("/conversations/{id}/messages", post(send::say))
        .route("/conversations/{id}/delete", post(conversations::delete))
        .route("/messages/{id}/stream", get(listen::stream))
        .route("/messages/{id}/stop", post(send::stop))
        .route("/messages/{id}/again", post(send::again))
        .route("/messages/{id}/edit", post(send::edit))
        .route("/messages/{id}/show", post(send::show))
        // Running the platform
        .route("/admin", get(admin::home::page))
        .route("/admin/agents", get(admin::agents::list).post(admin::agents::create))
        .route("/admin/agents/new", get(admin::agents::new))
        .route("/admin/agents/{id}", get(admin::agents::edit).post(admin::agents::save))
        .route("/admin/agents/{id}/publish", post(admin::agents::publish))
        .route("/admin/agents/{id}/unpublish", post(admin::agents::unpublish))
        .route("/admin/people", get(admin::people::list))
        .route("/admin/people/{id}/role", post(admin::people::set_role))
        .route("/admin/people/{id}/suspend", post(admin::people::suspend))
        .route("/admin/people/{id}/activate", post(admin::people::activate))
        .route("/admin/brand", get(admin::brand::page).post(admin::brand::save))
        .route("/admin/brand/preview.css", get(admin::brand::preview))
        .route("/admin/brand/check", get(admin::brand::check))
        // The control plane
        .route("/grants/admin-link", any(grants::admin_link))
        .fallback(nothing)
        .layer(middleware::from_fn_with_state(app.clone(), show_problems))
        .layer(DefaultBodyLimit::max(LARGEST_FORM));
    web::security::headers(web::security::same_origin(routes)).with_state(app)
}

async fn nothing() -> Error {
    Error::Nothing("page")
}

/// What went wrong is told in our words, also where a form or an address could not even be read;
/// those who read pages get a page, in the platform's brand.
async fn show_problems(State(app): State<App>, request: Request, next: Next) -> Response {
    let reads_pages = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let headers = request.headers().clone();
    let (cookie, from) = (cookie_of(request.extensions()), address(request.extensions()));
    let mut response = next.run(request).await;
    let allow = response.headers_mut().remove(header::ALLOW);
    if is_rejection(&response) {
        response = Error::Unreadable(response.status()).into_response();
    }
    if reads_pages {
        let person = match response.extensions().get::<Problem>() {
            // Looked up only now: most answers are no problem. Nobody where that cannot be found out.
            Some(_) => signed_in(&app, &headers, cookie, from).await.ok().flatten(),
            None => None,
        };
        response = as_page(&app, person.as_ref(), response);
    }
    if let Some(methods) = allow {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// Whether it is a bare refusal that no handler wrote: handlers answer with a [`Problem`], or
/// with the form and what is wrong in it.
fn is_rejection(response: &Response) -> bool {
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let is_told = response.extensions().get::<Problem>().is_some();
    response.status().is_client_error() && !is_page && !is_told
}

fn as_page(app: &App, person: Option<&SignedIn>, response: Response) -> Response {
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let body = Nothing {
        heading: problem.title.clone(),
        detail: problem.detail.clone(),
        code: problem.code,
    };
    let title = body.heading.clone();
    let page = shell::page(app, person, "", &title, body);
    let Ok(html) = app.engine().render("nothing", &page) else { return response };
    let (status, retry) = (problem.status, problem.retry_after);
    let mut shown = (status, Html(html)).into_response();
    if let Some(seconds) = retry {
        shown.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    shown
}
