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
use crate::grants::{self, Whom};
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
/// refused. 409 `not-ready` while nobody answers at the platform, `platform-not-asked` and `grant-not-taken` where
/// the settings of either side are not made for it; 503 `platform-not-answering` where it does not answer just
/// now. The link is under the platform's first name, whichever others it has.
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
    let uid = uid(&there).filter(|_| is_met(&there)).ok_or(Error::NotReady)?.to_string();
    let name = owned.name.as_str();
    let met = Met::of(app, name).ok_or_else(|| Error::NotAsked(without_domain(name)))?;
    let whom = Whom { name, uid: &uid, host: &met.host };
    let grant = grants::sign(app, whom, Kind::AdminLink).await?;
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
        Unasked::Refused(why) => Error::NotAsked(format!(
            "Its address cannot be called: {why}. Whoever runs this control plane has to name the network \
             in its settings (egress), or the gateway there (gateway)."
        )),
        Unasked::NotTaken(_) => Error::NotTaken,
        Unasked::Silent(_) => Error::NotAnswering,
    })
}

/// What is to be done where the domain of platforms is not known.
fn without_domain(name: &str) -> String {
    format!(
        "It does not know under which domain platforms are met. Whoever runs it has to name the operator's \
         settings in its own (operator). Until then whoever runs the cluster has the link: kubectl -n \
         tenant-{name} get secret admin-link; or, of a platform on one machine: create-ai-platform \
         admin-link {name}."
    )
}

/// Whether somebody may be let in there, as far as that is known without asking.
pub fn can_be_made(app: &App, there: &PlatformBlueprint) -> bool {
    let name = there.metadata.name.as_deref().filter(|_| is_met(there));
    let met = name.and_then(|name| Met::of(app, name));
    met.is_some_and(|met| app.egress().check(&met.place).is_ok())
}

/// Whether somebody answers at it.
fn is_met(there: &PlatformBlueprint) -> bool {
    let phase = there.status.as_ref().and_then(|status| status.phase);
    let answers = [Phase::Ready, Phase::Sleeping, Phase::Upgrading, Phase::Degraded];
    !is_going(there) && phase.is_some_and(|phase| answers.contains(&phase))
}

/// Where a platform is met under its first name, which nobody else has: who has the DNS of a domain of its
/// own would be asked in its place.
struct Met {
    /// Its name, and the domain of platforms.
    host: String,
    /// The same as people type it.
    url: Url,
    /// Where it is asked.
    place: Url,
}

impl Met {
    /// Nothing where the domain is not known.
    fn of(app: &App, name: &str) -> Option<Self> {
        let url: Url = format!("https://{name}.{}", app.installation()?.domain).parse().ok()?;
        let host = url.host_str()?.to_owned();
        let place = app.gateway().unwrap_or(&url).join(PLACE).ok()?;
        Some(Self { host, url, place })
    }
}

/// Why there is no link; nothing of one in it.
#[derive(Debug, thiserror::Error)]
enum Unasked {
    #[error("our settings: {0}")]
    Refused(String),
    #[error("it takes no grant of ours: {0}")]
    NotTaken(String),
    #[error("{0}")]
    Silent(String),
}

async fn ask(app: &App, met: &Met, grant: &SecretString) -> std::result::Result<Answer, Unasked> {
    let host = HeaderValue::from_str(&met.host);
    let host = host.map_err(|error| Unasked::Silent(error.to_string()))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, host);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwt"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let body = Bytes::copy_from_slice(grant.expose_secret().as_bytes());
    let answer = app.egress().post(&met.place, headers, body).await;
    answer.map_err(|error| match error {
        CallError::Refused(refused) => Unasked::Refused(refused.to_string()),
        CallError::NoAnswer(why) => Unasked::Silent(why.to_owned()),
    })
}

/// The link in an answer: of that platform, and nowhere else.
fn read(met: &Met, answer: &Answer) -> std::result::Result<AdminLink, Unasked> {
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
    let url = met.url.join(&told.path).map_err(|_| strange())?.into();
    Ok(AdminLink { url, expires_at: told.expires_at })
}
