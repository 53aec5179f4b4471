//! `POST /v1/responses`: what is sent along is answered. Nothing is stored, so what there is at
//! `/v1/responses/{id}` elsewhere is refused here.

use axum::extract::{Extension, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use web::Problem;

use super::Inference;
use super::ask::ask;
use super::request_id::RequestId;
use crate::wire::{self, Refusal};

pub(super) async fn create(
    State(inference): State<Inference>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Refusal> {
    ask(&inference, id, request, wire::responses::read).await
}

pub(super) async fn stored(
    State(inference): State<Inference>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    inference.credentials.asker(&headers, (inference.now)())?;
    let problem = Problem::not_found("not-stored", "No response is stored here.")
        .detail("Send the whole conversation as input instead of coming back to a response.");
    Err(problem.into())
}
