//! The link that lets somebody into a platform as its owner: on the page that follows, once.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::platforms::{Tried, owned, shown};
use super::visitor::Seat;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::platforms::admin_link;

/// Makes one.
pub async fn create(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    let (status, tried) = match admin_link::make(&app, &seat.caller, &owned).await {
        Ok(link) => (StatusCode::CREATED, Tried { admin_link: Some(link.url), ..Tried::default() }),
        Err(
            error @ (Error::NotReady | Error::NotAnswering | Error::NotTaken | Error::NotAsked(_)),
        ) => {
            let status = match error {
                Error::NotAnswering => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::CONFLICT,
            };
            (status, Tried { problems: vec![error.detail()], ..Tried::default() })
        }
        Err(error) => return Err(error),
    };
    shown(&app, &seat, &owned, status, tried).await
}
