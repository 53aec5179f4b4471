//! Every route, in one list, and what is documented of them.

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi as _;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;
use web::Problem;

use crate::app::App;
use crate::console;
use crate::deadline::in_time;
use crate::http::platforms::{admin_link, claim, copy, create, edit, events as news, history};
use crate::http::{
    audit, catalogue, events, inference, invitations, keys, members, operations, organization,
    platforms, policy, preview, signing_keys, single_sign_on, tickets, usage, webhooks,
};
use crate::openapi::{Documented, with_problems};
use crate::rates;

/// The largest request, in bytes: a blueprint has 256 KiB at most.
const LARGEST: usize = 300 << 10;
/// The largest batch of what was used.
const LARGEST_BATCH: usize = 8 << 20;

/// The API and the console over their state.
pub fn router(app: App) -> Router {
    let (routes, document) = documented();
    let routes = routes
        .merge(console::router())
        .route("/v1/openapi.json", get(async move || Json(document)))
        .route("/.well-known/jwks.json", get(signing_keys::jwks))
        .route("/healthz", get(async || "alive"))
        .route("/readyz", get(ready))
        .fallback(async || Problem::not_found("not-found", "Nothing is at this address."))
        .layer(middleware::from_fn(rates::told))
        .layer(middleware::from_fn(told))
        .layer(DefaultBodyLimit::max(LARGEST));
    let routes = routes.layer(middleware::from_fn_with_state(app.clone(), console::told::once));
    let routes = web::security::same_origin(routes).layer(middleware::from_fn(in_time));
    let routes = routes.layer(middleware::from_fn_with_state(app.clone(), console::shown));
    web::security::headers(routes).with_state(app)
}

/// What the API is, as OpenAPI 3.1.
pub fn document() -> utoipa::openapi::OpenApi {
    documented().1
}

fn documented() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (routes, document) = OpenApiRouter::with_openapi(Documented::openapi())
        .routes(routes!(organization::show))
        .routes(routes!(policy::set))
        .routes(routes!(single_sign_on::show, single_sign_on::set, single_sign_on::delete))
        .routes(routes!(members::list))
        .routes(routes!(members::remove))
        .routes(routes!(members::set_role))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::revoke))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(catalogue::plans))
        .routes(routes!(catalogue::all_templates))
        .routes(routes!(catalogue::validate))
        .routes(routes!(preview::preview))
        .routes(routes!(platforms::list, create::create))
        .routes(routes!(platforms::show, edit::delete))
        .routes(routes!(platforms::blueprint, edit::replace))
        .routes(routes!(edit::suspend))
        .routes(routes!(edit::resume))
        .routes(routes!(edit::undelete))
        .routes(routes!(claim::claim))
        .routes(routes!(claim::release))
        .routes(routes!(claim::retry))
        .routes(routes!(admin_link::create))
        .routes(routes!(copy::copy))
        .routes(routes!(history::list))
        .routes(routes!(history::show))
        .routes(routes!(operations::list))
        .routes(routes!(operations::show))
        .routes(routes!(news::listen))
        .routes(routes!(events::listen))
        .routes(routes!(tickets::list, tickets::create))
        .routes(routes!(tickets::show))
        .routes(routes!(tickets::messages, tickets::say))
        .routes(routes!(tickets::close))
        .routes(routes!(usage::of_organization))
        .routes(routes!(usage::of_platform))
        .routes(routes!(audit::list))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::delete))
        .routes(routes!(webhooks::renew))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::replay))
        .routes(routes!(inference::leases::lease))
        .routes(routes!(inference::records::take_in).layer(DefaultBodyLimit::max(LARGEST_BATCH)))
        .split_for_parts();
    (routes, with_problems(document))
}

/// Whether there is anything to answer with: the database, and what is in the cluster.
async fn ready(State(app): State<App>) -> Response {
    let asked = async {
        let mut conn = app.conn().await?;
        sqlx::Connection::ping(&mut *conn).await
    };
    let missing = match asked.await {
        Ok(()) if app.cluster().is_known() => return "ready".into_response(),
        Ok(()) => "What is in the cluster is not known yet.",
        Err(error) => {
            tracing::warn!(%error, "not ready");
            "The database does not answer."
        }
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", missing)
        .retry_after(5)
        .into_response()
}

/// Refusals that no handler wrote are told in our words.
async fn told(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_ours = kind.is_some_and(|kind| {
        [&b"application/"[..], b"text/html"].iter().any(|ours| kind.as_bytes().starts_with(ours))
    });
    let status = response.status();
    if !status.is_client_error() || is_ours {
        return response;
    }
    let allow = response.headers_mut().remove(header::ALLOW);
    let problem = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(status, "not-here", "That cannot be done at this address.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(status, "too-large", "This is more than can be sent at once.")
        }
        status => Problem::new(status, "unreadable", "This could not be read.")
            .detail("Something in the address or in what was sent is not as it should be."),
    };
    let mut response = problem.into_response();
    if let Some(methods) = allow {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}
