//! Who sent a request.
use axum::http::HeaderMap;
use jiff::Timestamp;
use sqlx::PgConnection;

use crate::cookie::Cookie;
use crate::sessions::{self, SignedIn};

/// The person whose session cookie these headers carry, if the session is alive.
pub async fn person_of(
    conn: &mut PgConnection,
    headers: &HeaderMap,
    cookie: Cookie,
    now: Timestamp,
) -> sqlx::Result<Option<SignedIn>> {
    match cookie.read(headers) {
        Some(token) => sessions::find(conn, token, now).await,
        None => Ok(None),
    }
}
