//! Who answers an authority that looks: what an edge will do.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use certificates::orders;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub(crate) struct Answers {
    pub(crate) port: u16,
    _serving: AbortOnDropHandle<()>,
}

impl Answers {
    pub(crate) async fn from(db: &PgPool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new()
            .route("/.well-known/acme-challenge/{token}", get(answer))
            .with_state(db.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, _serving: AbortOnDropHandle::new(serving) }
    }
}

async fn answer(State(db): State<PgPool>, Path(token): Path<String>) -> Result<String, StatusCode> {
    let mut conn = db.acquire().await.unwrap();
    let answer = orders::answer(&mut conn, &token).await.unwrap();
    answer.map(|answer| answer.text).ok_or(StatusCode::NOT_FOUND)
}
