//! What the control plane is granted here: no person, no cookie; whoever asks shows a grant that was
//! signed for this platform and this alone.

use accounts::ownership;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::Method;
use jiff::Timestamp;
use serde::Serialize;
use url::Url;
use web::grant::{self, Granted, Kind, LONGEST};

use crate::app::App;
use crate::db;
use crate::error::{Error, Result};

/// The link that lets somebody in, once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminLink {
    /// On this platform, under its first name.
    path: String,
    /// From then on it does nothing.
    expires_at: Timestamp,
}

/// Makes an admin link in place of a former one. Where no control plane is known nothing is here.
pub async fn admin_link(State(app): State<App>, request: Request) -> Result<Json<AdminLink>> {
    let granted = granted(&app, request, Kind::AdminLink).await?;
    let (mut tx, now) = (app.db().begin().await?, app.now());
    if !db::grants::take(&mut tx, &granted, now).await? {
        tracing::warn!(grant = granted.id, "a grant is refused: it was taken before");
        return Err(Error::BadGrant);
    }
    let link = ownership::issue(&mut tx, now).await?;
    tx.commit().await?;
    tracing::info!(grant = granted.id, "an admin link was made for the control plane");
    let path = format!("/welcome/{}", link.token.expose());
    Ok(Json(AdminLink { path, expires_at: link.expires_at }))
}

async fn granted(app: &App, request: Request, kind: Kind) -> Result<Granted> {
    let trust = app.trust().filter(|_| request.method() == Method::POST);
    let trust = trust.ok_or(Error::Nothing("page"))?;
    let refused = |why: &dyn std::fmt::Display| {
        tracing::warn!(%why, "a grant is refused");
        Error::BadGrant
    };
    let host = own_host(app).ok_or(Error::BadGrant)?;
    // Of another name somebody else may have the DNS, and hand on what was brought there.
    let asked = web::host::of(request.uri(), request.headers());
    if asked.as_ref() != Some(&host) {
        return Err(refused(&"it came to another name of the platform"));
    }
    let body = axum::body::to_bytes(request.into_body(), LONGEST).await;
    let body = body.map_err(|error| refused(&error))?;
    let token = std::str::from_utf8(&body).map_err(|error| refused(&error))?;
    grant::verify(&trust, token, (kind, &host), app.now()).map_err(|why| refused(&why))
}

/// The platform's first name, which nobody else has.
fn own_host(app: &App) -> Option<String> {
    let origin: Url = app.origin().parse().ok()?;
    origin.host_str().map(str::to_owned)
}
