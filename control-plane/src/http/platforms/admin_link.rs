//! The link that lets somebody into a platform as its owner. The platform makes it, for a grant: neither it nor
//! what makes it good is ever kept here, and of Secrets in the cluster nothing is read.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use blueprint::PlatformBlueprint;
use blueprint::status::Phase;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use utoipa::ToSchema;
use web::egress::{Answer, CallError};
use web::grant::Kind;

use super::claim::is_own;
use super::{owned, seen_of};
use crate::app::App;
use crate::cluster::{is_going, uid};
use crate::db::audit::{self, Done};
use crate::db::platforms::Owned;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::grants;
use crate::http::caller::Caller;
use crate::http::sent::Key;

/// Nobody waits longer for a platform: whoever asks us waits 4.5 s at most.
const CALL: Duration = Duration::from_secs(4);
/// Where a platform takes such grants.
const PLACE: &str = "/grants/admin-link";
/// Where its links lead, and how many letters follow.
const WELCOME: (&str, usize) = ("/welcome/", 43);

/// A link that lets somebody into a platform as its owner, once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminLink {
    /// The link. It is shown here and never again.
    pub url: String,
    /// From then on it does nothing.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What a platform answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    path: String,
    expires_at: Timestamp,
}

/// Makes a link that lets somebody into a platform as its first owner, or its owner back in: once, within a
/// day, in place of a former one. It is shown once, so this cannot be asked twice: an `Idempotency-Key` is
/// refused. 409 while nobody answers at the platform; 503 `platform-not-answering` where it does not answer just now.
#[utoipa::path(
    post, path = "/v1/platforms/{id}/admin-link", operation_id = "createAdminLink", tag = "platforms",
    params(("id" = String, Path, description = "The platform's id")),
    responses((status = 201, body = AdminLink))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Key(key): Key,
) -> Result<(StatusCode, Json<AdminLink>)> {
    caller.may(Scope::PlatformsAdmin)?;
    if key.is_some() {
        return Err(Error::Unreadable(
            "an admin link is shown once, so no answer is kept: leave out Idempotency-Key"
                .to_owned(),
        ));
    }
    let owned = owned(&app, &caller, &id).await?;
    Ok((StatusCode::CREATED, Json(make(&app, &caller, &owned).await?)))
}

/// Has a platform make one.
///
/// # Errors
/// [`Error`]
pub async fn make(app: &App, caller: &Caller, owned: &Owned) -> Result<AdminLink> {
    caller.may(Scope::PlatformsAdmin)?;
    let there = seen_of(app, owned).await?.ok_or(Error::NotReady)?;
    is_own(owned, &there)?;
    let (met, uid) = met(&there).zip(uid(&there)).ok_or(Error::NotReady)?;
    let to = (owned.name.as_str(), &*uid.to_string());
    let grant = grants::sign(app, to, Kind::AdminLink).await?;
    // Written down before it is asked for: of an answer that was lost there is a link all the same.
    let (mut tx, now) = (app.begin().await?, app.now());
    let done = Done {
        organization: owned.organization,
        actor: caller.actor(),
        action: "platform.admin-link",
        target: &owned.id.to_string(),
        detail: json!({"name": owned.name}),
    };
    audit::write(&mut tx, done, now).await?;
    tx.commit().await?;
    let asked = tokio::time::timeout(CALL, ask(app, &met, &grant)).await;
    let why = match asked {
        Ok(Ok(answer)) => match read(&met, &answer) {
            Ok(link) => return Ok(link),
            Err(why) => why,
        },
        Ok(Err(why)) => why,
        Err(_) => Unasked::Silent("no answer in time".to_owned()),
    };
    tracing::warn!(platform = %owned.id, %why, "no admin link was made");
    Err(match why {
        Unasked::NotTaken(_) => Error::NotTaken,
        Unasked::Silent(_) => Error::NotAnswering,
    })
}

/// Whether somebody may be let in there, as far as that is known without asking.
pub fn can_be_made(app: &App, there: &PlatformBlueprint) -> bool {
    let place = met(there).and_then(|met| met.join(PLACE).ok());
    place.is_some_and(|place| app.egress().check(&place).is_ok())
}

/// Where somebody answers at it.
fn met(there: &PlatformBlueprint) -> Option<Url> {
    let status = there.status.as_ref().filter(|_| !is_going(there))?;
    let answers = [Phase::Ready, Phase::Sleeping, Phase::Upgrading, Phase::Degraded];
    status.phase.filter(|phase| answers.contains(phase))?;
    status.url.as_ref()?.parse().ok()
}

/// Why there is no link; nothing of one in it.
#[derive(Debug, thiserror::Error)]
enum Unasked {
    #[error("it takes no grant of ours: {0}")]
    NotTaken(String),
    #[error("{0}")]
    Silent(String),
}

async fn ask(app: &App, met: &Url, grant: &SecretString) -> std::result::Result<Answer, Unasked> {
    let place = met.join(PLACE).map_err(|error| Unasked::Silent(error.to_string()))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwt"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let body = Bytes::copy_from_slice(grant.expose_secret().as_bytes());
    let answer = app.egress().post(&place, headers, body).await;
    answer.map_err(|error| match error {
        CallError::Refused(refused) => Unasked::NotTaken(refused.to_string()),
        CallError::NoAnswer(why) => Unasked::Silent(why.to_owned()),
    })
}

/// The link in an answer: of that platform, and nowhere else.
fn read(met: &Url, answer: &Answer) -> std::result::Result<AdminLink, Unasked> {
    match answer.status {
        StatusCode::OK => {}
        status @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
            return Err(Unasked::NotTaken(format!("it answers {}", status.as_u16())));
        }
        status => return Err(Unasked::Silent(format!("it answers {}", status.as_u16()))),
    }
    let strange = || Unasked::Silent("its answer is no link of its own".to_owned());
    let told: Told = serde_json::from_slice(&answer.body).map_err(|_| strange())?;
    let (start, letters) = WELCOME;
    let token = told.path.strip_prefix(start).ok_or_else(strange)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if token.len() != letters || !token.bytes().all(is_plain) {
        return Err(strange());
    }
    let url = met.join(&told.path).map_err(|_| strange())?.into();
    Ok(AdminLink { url, expires_at: told.expires_at })
}
