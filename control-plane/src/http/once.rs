//! What is done once, however often the same request comes with the same `Idempotency-Key`; for what is
//! done in one transaction.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;

use crate::db::answers::{self, Before};
use crate::error::{Error, Result};
use crate::http::caller::Caller;

/// By what a request is known again, where it is.
#[derive(Clone, Debug)]
pub struct Once(Option<(String, [u8; 32])>);

impl Once {
    /// With this `Idempotency-Key`, of a request of this hash.
    pub fn of(key: Option<String>, hash: [u8; 32]) -> Self {
        Self(key.map(|key| (key, hash)))
    }

    /// What the same request was answered before; who comes with it at the same time waits for the other.
    ///
    /// # Errors
    /// [`Error::OtherRequest`], the database.
    pub async fn before(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Option<Response>> {
        let Some((key, hash)) = &self.0 else { return Ok(None) };
        match answers::begin(conn, caller.id(), key, hash, now).await? {
            Before::Another => Err(Error::OtherRequest),
            Before::Answered(status, body) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::CREATED);
                Ok(Some((status, Json(body)).into_response()))
            }
            Before::Nothing | Before::Begun => Ok(None),
        }
    }

    /// Keeps the answer, in the transaction of what was done.
    ///
    /// # Errors
    /// The database.
    pub async fn after(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        answer: (StatusCode, &Value),
        now: Timestamp,
    ) -> Result<()> {
        let Some((key, hash)) = &self.0 else { return Ok(()) };
        let answer = (answer.0.as_u16(), answer.1);
        Ok(answers::finish(conn, caller.id(), (key, hash), answer, now).await?)
    }
}
