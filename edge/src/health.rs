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
use web::Problem;

use crate::table::Table;

/// The routes.
pub fn router(table: Arc<Table>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .fallback(async || Problem::not_found("not-found", "There is nothing at this address."))
        .with_state(table)
}

async fn ready(State(table): State<Arc<Table>>) -> Result<String, Problem> {
    match table.names() {
        0 => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-names",
            "No name is known here yet.",
        )
        .detail("The database has not been read, and the disk has nothing from before.")),
        names => Ok(format!("{names} names")),
    }
}
