//! Keys of the API.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::{keys, organizations};
use crate::domain::id::KeyId;
use crate::domain::key;
use crate::domain::page::{Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::{Key as Idempotency, Sent};

/// The longest life of a key, in days.
const LONGEST: i64 = 366;
/// Where nothing is said, or what the organization's policy allows where that is less.
const USUAL: i64 = 90;

/// A key, as its organization sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Its id.
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// Its first letters.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The id of the person or key that made it, or whoever runs the control plane.
    pub made_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was used last, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    used_at: Option<Timestamp>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewKey {
    #[serde(flatten)]
    known: Key,
    /// The key itself. It is shown here and never again.
    pub secret: String,
}

/// A key that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedKey {
    /// What it is for, in up to 80 letters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// What it may do: nothing that the key may not do that makes it.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// After so many days it ends, 366 at most, or as many as the organization's policy says; left out: 90.
    #[schema(minimum = 1, maximum = 366)]
    pub days: Option<i64>,
}

impl From<keys::Known> for Key {
    fn from(known: keys::Known) -> Self {
        Self {
            id: known.id.to_string(),
            name: known.name,
            prefix: known.prefix,
            scopes: known.scopes,
            made_by: known.made_by,
            created_at: known.created_at,
            expires_at: known.expires_at,
            used_at: known.used_at,
            revoked_at: known.revoked_at,
        }
    }
}

/// The keys of the organization, the newest first; those that ended or were taken back among them.
#[utoipa::path(
    get, path = "/v1/keys", operation_id = "listKeys", tag = "keys", params(Wanted),
    responses((status = 200, body = Page<Key>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Key>>> {
    caller.may(Scope::KeysWrite)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|after| after.parse::<KeyId>()).transpose();
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let found = keys::list(&mut conn, caller.organization(), after, limit + 1).await?;
    let policy = organizations::policy(&mut conn, caller.organization()).await?;
    let items = found.into_iter().map(|key| key.under(&policy).into()).collect();
    Ok(Json(Page::of(items, limit, |key| key.id.clone())))
}

/// Makes a key. It is shown once, so this cannot be asked twice: an `Idempotency-Key` is refused.
#[utoipa::path(
    post, path = "/v1/keys", operation_id = "createKey", tag = "keys", request_body = WantedKey,
    responses((status = 201, body = NewKey))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    sent: Sent<WantedKey>,
) -> Result<(StatusCode, Json<NewKey>)> {
    caller.may(Scope::KeysWrite)?;
    if sent.key.is_some() {
        return Err(Error::Unreadable(
            "a key is shown once, so no answer is kept: leave out Idempotency-Key".to_owned(),
        ));
    }
    Ok((StatusCode::CREATED, Json(make(&app, &caller, sent.value).await?)))
}

/// Makes a key.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Unreadable`], the database.
pub async fn make(app: &App, caller: &Caller, wanted: WantedKey) -> Result<NewKey> {
    caller.may(Scope::KeysWrite)?;
    let WantedKey { name, mut scopes, days } = wanted;
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(Error::Unreadable("name: 1 to 80 letters".to_owned()));
    }
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Error::Unreadable("scopes: at least one".to_owned()));
    }
    for scope in &scopes {
        caller.may(*scope)?;
    }
    let mut tx = app.begin().await?;
    let policy = organizations::policy(&mut tx, caller.organization()).await?;
    let longest = policy.longest_key_days.map_or(LONGEST, i64::from);
    let days = days.unwrap_or(USUAL.min(longest));
    if !(1..=longest).contains(&days) {
        return Err(Error::Unreadable(format!("days: from 1 to {longest}")));
    }
    let (now, secret) = (app.now(), key::Key::random());
    let known = keys::Known {
        id: KeyId(Uuid::now_v7()),
        organization: caller.organization(),
        name,
        prefix: secret.prefix().to_owned(),
        scopes,
        made_by: caller.actor().to_owned(),
        created_at: now,
        expires_at: now + SignedDuration::from_hours(24 * days),
        used_at: None,
        revoked_at: None,
    };
    keys::create(&mut tx, &known, secret.hash()).await?;
    let done = Done {
        organization: known.organization,
        actor: caller.actor(),
        action: "key.create",
        target: &known.id.to_string(),
        detail: json!({"name": known.name, "scopes": known.scopes, "days": days}),
    };
    audit::write(&mut tx, done, now).await?;
    tx.commit().await?;
    Ok(NewKey { known: known.into(), secret: secret.expose().to_owned() })
}

/// Takes a key back, for ever: one that may do nothing that whoever asks may not, or that they made. One
/// that was taken back before is no error.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", operation_id = "revokeKey", tag = "keys",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 204))
)]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Idempotency,
) -> Result<StatusCode> {
    take_back(&app, &caller, id.parse().map_err(|_| Error::Nothing("key"))?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a key back.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Nothing`], the database.
pub async fn take_back(app: &App, caller: &Caller, id: KeyId) -> Result<()> {
    caller.may(Scope::KeysWrite)?;
    let (mut tx, now) = (app.begin().await?, app.now());
    let organization = caller.organization();
    let known = keys::get(&mut tx, organization, id).await?.ok_or(Error::Nothing("key"))?;
    if known.made_by != caller.actor() {
        for scope in &known.scopes {
            caller.may(*scope)?;
        }
    }
    if keys::revoke(&mut tx, organization, id, now).await? {
        let done = Done {
            organization,
            actor: caller.actor(),
            action: "key.revoke",
            target: &id.to_string(),
            detail: json!({"name": known.name}),
        };
        audit::write(&mut tx, done, now).await?;
    }
    Ok(tx.commit().await?)
}
