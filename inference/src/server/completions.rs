//! `POST /v1/completions`: text is gone on with.

use axum::extract::{Extension, Request, State};
use axum::response::Response;

use super::Inference;
use super::ask::ask;
use super::request_id::RequestId;
use crate::wire::{self, Refusal};

pub(super) async fn complete(
    State(inference): State<Inference>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Refusal> {
    ask(&inference, id, request, wire::completions::read).await
}
