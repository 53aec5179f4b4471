//! What the cluster asks of this process, on a port of its own that tells nothing of any platform.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /healthz` | 200 |
//! | `GET /readyz` | 200 once any name is known, from the disk or from the database; else 503 |

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch::Receiver;
use web::Problem;

use crate::table::Table;

/// The routes.
pub fn router(table: Arc<Table>, failure: Receiver<Option<String>>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .fallback(async || Problem::not_found("not-found", "There is nothing at this address."))
        .with_state((table, failure))
}

type Known = (Arc<Table>, Receiver<Option<String>>);

async fn ready(State((table, failure)): State<Known>) -> Result<String, Problem> {
    let why = failure.borrow().clone();
    let why = why.unwrap_or_else(|| "No platform has a name, or nothing was read yet.".to_owned());
    match table.names() {
        0 => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-names",
            "No name is known here yet.",
        )
        .detail(why)),
        names => Ok(format!("{names} names")),
    }
}
