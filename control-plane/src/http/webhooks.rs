//! Webhooks: addresses that are told what is done, after <https://www.standardwebhooks.com>.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::deliveries::Replayed;
use crate::db::{deliveries, organizations, platforms, webhooks};
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::page::{Page, Wanted};
use crate::domain::scope::Scope;
use crate::domain::webhook::{KINDS, OVERLAP, Secret, tell_of_people};
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::{Key as Idempotency, Sent};

/// An organization has no more.
const MOST: i64 = 10;

/// An address that is told what is done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub url: String,
    /// Kinds of what it is told; none: all.
    pub kinds: Vec<String>,
    /// The id of the person or key that made it.
    pub made_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it answered that it is there no more (410); it is told nothing since.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub gone_at: Option<Timestamp>,
    /// It failed, and is left alone until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waits_until: Option<Timestamp>,
}

/// A webhook that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewWebhook {
    #[serde(flatten)]
    known: Webhook,
    /// What all that it is told is signed with. It is shown here and never again.
    pub secret: String,
}

/// A webhook that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedWebhook {
    /// Where it is, on the internet: `https://…`.
    #[schema(min_length = 1, max_length = 2048)]
    pub url: String,
    /// Kinds of what it is told, such as `platform.phase`; left out: all.
    #[serde(default)]
    pub kinds: Vec<String>,
}

/// A secret that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSecret {
    /// It is shown here and never again.
    pub secret: String,
    /// Until then all is signed with the one before as well.
    #[schema(value_type = String, format = DateTime)]
    pub before_until: Timestamp,
}

/// Something that a webhook was told, or is to be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its id, `webhook-id` of each try.
    pub id: String,
    /// What it is about.
    pub kind: String,
    /// What is sent.
    pub payload: String,
    /// When it was.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    /// Tries so far.
    pub attempts: i32,
    /// What was answered the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// Why nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it was tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub tried_at: Option<Timestamp>,
}

impl From<webhooks::Known> for Webhook {
    fn from(known: webhooks::Known) -> Self {
        let webhooks::Known { id, url, kinds, made_by, created_at, gone_at, waits_until, .. } =
            known;
        Self { id: id.to_string(), url, kinds, made_by, created_at, gone_at, waits_until }
    }
}

impl From<deliveries::Delivery> for Delivery {
    fn from(known: deliveries::Delivery) -> Self {
        Self {
            id: known.id.to_string(),
            kind: known.kind,
            payload: known.payload,
            created_at: known.created_at,
            state: known.state,
            attempts: known.attempts,
            status: known.status,
            why: known.why,
            tried_at: known.tried_at,
        }
    }
}

/// The webhooks of the organization.
#[utoipa::path(
    get, path = "/v1/webhooks", operation_id = "listWebhooks", tag = "webhooks", params(Wanted),
    responses((status = 200, body = Page<Webhook>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Webhook>>> {
    caller.may(Scope::WebhooksWrite)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|after| after.parse::<WebhookId>()).transpose();
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let found = webhooks::list(&mut conn, caller.organization(), after, limit + 1).await?;
    let items = found.into_iter().map(Webhook::from).collect();
    Ok(Json(Page::of(items, limit, |webhook| webhook.id.clone())))
}

/// Has an address be told what is done from now on: what becomes of platforms, and to whoever may read the
/// audit all else that is in it. Its secret is shown once, so this cannot be asked
/// twice: an `Idempotency-Key` is refused.
#[utoipa::path(
    post, path = "/v1/webhooks", operation_id = "createWebhook", tag = "webhooks",
    request_body = WantedWebhook, responses((status = 201, body = NewWebhook))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    sent: Sent<WantedWebhook>,
) -> Result<(StatusCode, Json<NewWebhook>)> {
    caller.may(Scope::WebhooksWrite)?;
    if sent.key.is_some() {
        return Err(Error::Unreadable(
            "a secret is shown once, so no answer is kept: leave out Idempotency-Key".to_owned(),
        ));
    }
    Ok((StatusCode::CREATED, Json(make(&app, &caller, sent.value).await?)))
}

/// Has an address be told what is done.
///
/// # Errors
/// [`Error::Unreadable`], the database.
pub async fn make(app: &App, caller: &Caller, wanted: WantedWebhook) -> Result<NewWebhook> {
    caller.may(Scope::WebhooksWrite)?;
    let WantedWebhook { url, mut kinds } = wanted;
    let unreadable = |why: &dyn std::fmt::Display| Error::Unreadable(format!("url: {why}"));
    let url: Url = url.trim().parse().map_err(|error: url::ParseError| unreadable(&error))?;
    app.egress().check(&url).map_err(|error| unreadable(&error))?;
    kinds.sort_unstable();
    kinds.dedup();
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        let known = KINDS.join(", ");
        return Err(Error::Unreadable(format!(
            "kinds: there is no {unknown:?}; there are {known}"
        )));
    }
    may_know(caller, &kinds)?;
    let secret = Secret::random().map_err(|error| Error::Internal(error.to_string()))?;
    let known = webhooks::Known {
        id: WebhookId(Uuid::now_v7()),
        organization: caller.organization(),
        url: url.to_string(),
        kinds,
        made_by: caller.actor().to_owned(),
        created_at: app.now(),
        gone_at: None,
        waits_until: None,
    };
    let sealed = app.sealed(known.id, &secret)?;
    let mut tx = app.begin().await?;
    organizations::lock(&mut tx, known.organization).await?;
    if webhooks::count(&mut tx, known.organization).await? >= MOST {
        return Err(Error::TooManyWebhooks(MOST));
    }
    if !webhooks::anybody_listens(&mut tx, known.organization).await? {
        platforms::forget_told(&mut tx, known.organization).await?;
    }
    webhooks::create(&mut tx, &known, &sealed).await?;
    let done = Done {
        organization: known.organization,
        actor: caller.actor(),
        action: "webhook.create",
        target: &known.id.to_string(),
        detail: json!({"host": url.host_str(), "kinds": known.kinds}),
    };
    audit::write(&mut tx, done, known.created_at).await?;
    tx.commit().await?;
    Ok(NewWebhook { known: known.into(), secret: secret.expose().to_owned() })
}

/// Has an address be told nothing more. What it was told is forgotten.
#[utoipa::path(
    delete, path = "/v1/webhooks/{id}", operation_id = "deleteWebhook", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 204))
)]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Idempotency,
) -> Result<StatusCode> {
    stop(&app, &caller, id.parse().map_err(|_| Error::Nothing("webhook"))?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has an address be told nothing more.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Nothing`], the database.
pub async fn stop(app: &App, caller: &Caller, id: WebhookId) -> Result<()> {
    caller.may(Scope::WebhooksWrite)?;
    let (mut tx, organization) = (app.begin().await?, caller.organization());
    // In the same order as whoever writes to the audit, which looks at webhooks afterwards.
    organizations::lock(&mut tx, organization).await?;
    own(&mut tx, caller, id).await?;
    webhooks::delete(&mut tx, organization, id).await?;
    let done = Done {
        organization,
        actor: caller.actor(),
        action: "webhook.delete",
        target: &id.to_string(),
        detail: json!({}),
    };
    audit::write(&mut tx, done, app.now()).await?;
    Ok(tx.commit().await?)
}

/// Makes a new secret. For a day all is signed with the one before as well, so that nothing is missed
/// meanwhile. It is shown once.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/secret", operation_id = "renewWebhookSecret", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, body = NewSecret))
)]
pub async fn renew(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Idempotency(key): Idempotency,
) -> Result<Json<NewSecret>> {
    caller.may(Scope::WebhooksWrite)?;
    if key.is_some() {
        return Err(Error::Unreadable(
            "a secret is shown once, so no answer is kept: leave out Idempotency-Key".to_owned(),
        ));
    }
    let id = id.parse().map_err(|_| Error::Nothing("webhook"))?;
    Ok(Json(renewed(&app, &caller, id).await?))
}

/// Makes a new secret.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Nothing`], the database.
pub async fn renewed(app: &App, caller: &Caller, id: WebhookId) -> Result<NewSecret> {
    caller.may(Scope::WebhooksWrite)?;
    let secret = Secret::random().map_err(|error| Error::Internal(error.to_string()))?;
    let (now, organization) = (app.now(), caller.organization());
    let before_until = now.saturating_add(OVERLAP).unwrap_or(Timestamp::MAX);
    let sealed = app.sealed(id, &secret)?;
    let mut tx = app.begin().await?;
    organizations::lock(&mut tx, organization).await?;
    own(&mut tx, caller, id).await?;
    webhooks::set_secret(&mut tx, (organization, id), &sealed, before_until).await?;
    let done = Done {
        organization,
        actor: caller.actor(),
        action: "webhook.secret",
        target: &id.to_string(),
        detail: json!({"beforeUntil": before_until}),
    };
    audit::write(&mut tx, done, now).await?;
    tx.commit().await?;
    Ok(NewSecret { secret: secret.expose().to_owned(), before_until })
}

/// What a webhook was told in the last 30 days, the newest first.
#[utoipa::path(
    get, path = "/v1/webhooks/{id}/deliveries", operation_id = "listDeliveries", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id"), Wanted),
    responses((status = 200, body = Page<Delivery>))
)]
pub async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Delivery>>> {
    caller.may(Scope::WebhooksWrite)?;
    let (before, limit) = wanted.read()?;
    let before = before.map(|before| before.parse::<DeliveryId>()).transpose();
    let before = before.map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let id: WebhookId = id.parse().map_err(|_| Error::Nothing("webhook"))?;
    let webhook = own(&mut conn, &caller, id).await?;
    let found = deliveries::list(&mut conn, webhook.id, before, limit + 1).await?;
    let items = found.into_iter().map(Delivery::from).collect();
    Ok(Json(Page::of(items, limit, |delivery| delivery.id.clone())))
}

/// Tells a webhook once more what it was told, or what was given up, under the same `webhook-id`. What is
/// still being told is tried again by itself.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/deliveries/{delivery}/replay", operation_id = "replayDelivery",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook's id"),
        ("delivery" = String, Path, description = "The delivery's id"),
    ),
    responses((status = 202))
)]
pub async fn replay(
    State(app): State<App>,
    caller: Caller,
    Path((id, delivery)): Path<(String, String)>,
    _: Idempotency,
) -> Result<StatusCode> {
    let id = id.parse().map_err(|_| Error::Nothing("webhook"))?;
    let delivery = delivery.parse().map_err(|_| Error::Nothing("delivery"))?;
    tell_again(&app, &caller, id, delivery).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Tells a webhook something once more.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Nothing`], [`Error::WebhookGone`], [`Error::StillTold`], the database.
pub async fn tell_again(
    app: &App,
    caller: &Caller,
    id: WebhookId,
    delivery: DeliveryId,
) -> Result<()> {
    caller.may(Scope::WebhooksWrite)?;
    let mut tx = app.begin().await?;
    let webhook = own(&mut tx, caller, id).await?;
    if webhook.gone_at.is_some() {
        return Err(Error::WebhookGone);
    }
    match deliveries::replay(&mut tx, webhook.id, delivery).await? {
        Replayed::Yes => {}
        Replayed::StillTold => return Err(Error::StillTold),
        Replayed::Nothing => return Err(Error::Nothing("delivery")),
    }
    Ok(tx.commit().await?)
}

/// One of the caller's organization that tells nothing which they may not know.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Nothing`], the database.
pub async fn own(
    conn: &mut PgConnection,
    caller: &Caller,
    id: WebhookId,
) -> Result<webhooks::Known> {
    let known = webhooks::get(conn, caller.organization(), id).await?;
    let known = known.ok_or(Error::Nothing("webhook"))?;
    may_know(caller, &known.kinds)?;
    Ok(known)
}

/// What the audit has is told to whoever may read it.
fn may_know(caller: &Caller, kinds: &[String]) -> Result<()> {
    caller.may(Scope::PlatformsRead)?;
    if tell_of_people(kinds) { caller.may(Scope::AuditRead) } else { Ok(()) }
}
