//! `POST /v1/chat/completions`: a conversation is answered.

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
    ask(&inference, id, request, wire::chat::read).await
}
