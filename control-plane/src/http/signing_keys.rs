//! The keys that grants are signed with, as everybody may see them.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde::Serialize;
use web::grant::PublicKey;

use crate::app::App;
use crate::error::Result;
use crate::grants;

/// A set of keys (RFC 7517).
#[derive(Serialize)]
pub struct Keys {
    keys: Vec<PublicKey>,
}

/// The public halves, the one first that signs.
pub async fn jwks(State(app): State<App>) -> Result<([(HeaderName, &'static str); 1], Json<Keys>)> {
    let keys = grants::published(&mut *app.conn().await?).await?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], Json(Keys { keys })))
}
