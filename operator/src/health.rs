//! What the cluster asks of this process, on a port of its own that tells nothing of any platform.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /healthz` | 200 while turns come to their end, else 503 and why: to be started anew |
//! | `GET /readyz` | 200 once all there is was listed, whether in charge or not; else 503 |
//! | `GET /metrics` | numbers for `OpenMetrics` scrapers |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use web::Problem;
use web::serve::{Limits, Places, Transport};

use crate::run::Fleet;
use crate::seen::Listed;

/// Probes and scrapers; nobody else has business here.
const CONNECTIONS: usize = 64;

/// How an answer to a scrape calls itself.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The port is not to be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}; choose another `health` in the settings")]
pub struct NoPort {
    address: SocketAddr,
    cause: io::Error,
}

/// Takes the port.
///
/// # Errors
/// Where somebody else has it.
pub async fn open(address: SocketAddr) -> Result<TcpListener, NoPort> {
    TcpListener::bind(address).await.map_err(|cause| NoPort { address, cause })
}

/// Answers until told to stop.
pub async fn serve(listener: TcpListener, fleet: Arc<Fleet>, stop: CancellationToken) {
    let places = Places::new(Limits::of(CONNECTIONS));
    web::serve::serve(listener, Transport::Plain, router(fleet), stop, places).await;
}

fn router(fleet: Arc<Fleet>) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || Problem::not_found("not-found", "There is nothing at this address."))
        .with_state(fleet)
}

async fn healthy(State(fleet): State<Arc<Fleet>>) -> Result<Json<Value>, Problem> {
    let (waiting, _) = fleet.queue().waiting();
    match fleet.vitals().stuck(waiting) {
        None => Ok(Json(json!({"status": "ok"}))),
        Some(why) => {
            tracing::error!(%why, "this process does not get on");
            let title = "This process does not get on.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stuck", title)
                .detail(format!("{why}: it is to be started anew")))
        }
    }
}

async fn ready(State(fleet): State<Arc<Fleet>>) -> (StatusCode, Json<Value>) {
    let (missing, unknown) = (fleet.seen().missing(), fleet.seen().unknown());
    let says = if unknown.contains(&Listed::Blueprints) {
        "nobody has defined what a PlatformBlueprint is: apply its CustomResourceDefinition"
    } else if !missing.is_empty() {
        "listing"
    } else {
        "ready"
    };
    let is_ready = says == "ready";
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let words = |sorts: Vec<Listed>| sorts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let answer = json!({
        "status": says,
        "inCharge": fleet.vitals().is_in_charge(),
        "notListed": words(missing),
        "notKnownToTheCluster": words(unknown),
    });
    (status, Json(answer))
}

async fn metrics(State(fleet): State<Arc<Fleet>>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], fleet.vitals().render(&fleet))
}

#[cfg(test)]
mod tests;
