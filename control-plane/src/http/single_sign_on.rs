//! Who vouches for an organization's members: an `OpenID` provider of its own.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use url::Url;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::organizations;
use crate::db::sign_on::{self, Trusted};
use crate::domain::id::OrganizationId;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::sent::{Key as Idempotency, Sent};

/// A provider may speak of addresses of no more domains than these.
const DOMAINS: usize = 20;
/// The longest client id, and the longest secret.
const LONGEST_ID: usize = 255;
const LONGEST_SECRET: usize = 1_024;

/// An organization's provider. Its secret is never shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SingleSignOn {
    /// What it calls itself, to the letter.
    pub issuer: String,
    /// What it calls the control plane.
    pub client_id: String,
    /// Of the e-mail addresses that it may speak of.
    pub domains: Vec<String>,
    /// Where it is to send people back to: have it allow this address.
    pub redirect_url: String,
    /// Since when it is so.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

/// A provider that is to be an organization's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedSingleSignOn {
    /// What it calls itself, on the internet: `https://…`; there `/.well-known/openid-configuration` is.
    #[schema(min_length = 1, max_length = 2048)]
    pub issuer: String,
    /// What it calls the control plane.
    #[schema(min_length = 1, max_length = 255)]
    pub client_id: String,
    /// What the control plane shows it. It is kept sealed and never shown; left out: the one there is, of
    /// the same issuer and client.
    #[schema(value_type = Option<String>, write_only, max_length = 1024)]
    pub client_secret: Option<SecretString>,
    /// Of the e-mail addresses that it may speak of, such as `acme.example`: who signs in for the first
    /// time is known by one.
    #[schema(min_items = 1, max_items = 20)]
    pub domains: Vec<String>,
}

/// The organization's provider.
#[utoipa::path(
    get, path = "/v1/organization/single-sign-on", operation_id = "getSingleSignOn",
    tag = "organization", responses((status = 200, body = SingleSignOn))
)]
pub async fn show(State(app): State<App>, caller: Caller) -> Result<Json<SingleSignOn>> {
    let known = seen(&app, &caller).await?;
    Ok(Json(known.ok_or(Error::Nothing("single sign-on"))?))
}

/// Has this provider vouch for the organization's members. It is asked what it is at once, and what it says
/// has to fit. Where it is another one, or another client of it, members sign in anew.
#[utoipa::path(
    put, path = "/v1/organization/single-sign-on", operation_id = "setSingleSignOn",
    tag = "organization", request_body = WantedSingleSignOn,
    responses((status = 200, body = SingleSignOn))
)]
pub async fn set(
    State(app): State<App>,
    caller: Caller,
    sent: Sent<WantedSingleSignOn>,
) -> Result<Json<SingleSignOn>> {
    Ok(Json(change(&app, &caller, sent.value).await?))
}

/// Has nobody vouch for members any more: whom the provider let in is out. Refused while the policy has them
/// come by it alone.
#[utoipa::path(
    delete, path = "/v1/organization/single-sign-on", operation_id = "removeSingleSignOn",
    tag = "organization", responses((status = 204))
)]
pub async fn delete(State(app): State<App>, caller: Caller, _: Idempotency) -> Result<StatusCode> {
    remove(&app, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where an organization's provider sends people back to.
pub fn redirect_url(app: &App, organization: OrganizationId) -> String {
    let site = app.url().as_str().trim_end_matches('/');
    format!("{site}/signin/company/return/{organization}")
}

/// The organization's provider, if there is one.
///
/// # Errors
/// [`Error::NotAllowed`], the database.
pub async fn seen(app: &App, caller: &Caller) -> Result<Option<SingleSignOn>> {
    caller.may(Scope::PolicyWrite)?;
    let mut conn = app.conn().await?;
    let known = sign_on::get(&mut conn, caller.organization()).await?;
    Ok(known.map(|known| told(app, known)))
}

/// Has this provider vouch for members.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Unreadable`], the database.
pub async fn change(
    app: &App,
    caller: &Caller,
    wanted: WantedSingleSignOn,
) -> Result<SingleSignOn> {
    caller.may(Scope::PolicyWrite)?;
    // Whoever says who vouches for members can be each of them, owners too.
    caller.may(Scope::OwnersWrite)?;
    let WantedSingleSignOn { issuer, client_id, client_secret, domains } = wanted;
    let (organization, now) = (caller.organization(), app.now());
    let issuer = known_as(app, &issuer)?;
    let client_id = client_id.trim().to_owned();
    if !is_short(&client_id, LONGEST_ID) {
        return Err(unreadable("clientId: 1 to 255 letters, as the provider says"));
    }
    let domains = domains_of(&domains)?;
    let given = client_secret.map(|secret| sealed(app, caller, &secret)).transpose()?;
    let met = app.providers().ask(&issuer).await;
    let met = met.map_err(|why| Error::Unreadable(format!("issuer: {why}")))?;
    let mut tx = app.begin().await?;
    organizations::lock(&mut tx, organization).await?;
    let before = sign_on::get(&mut tx, organization).await?;
    let same = before.filter(|it| it.issuer == issuer && it.client_id == client_id);
    if same.is_none() {
        if organizations::policy(&mut tx, organization).await?.single_sign_on_only {
            return Err(Error::OnlyWayIn);
        }
        // What it calls people is its own, and may be another client's.
        sign_on::forget(&mut tx, organization).await?;
        accounts::sessions::end_within(&mut tx, organization.0).await?;
    }
    let client_secret = given.or_else(|| same.map(|it| it.client_secret));
    let missing = || unreadable("clientSecret: needed with another issuer or clientId");
    let client_secret = client_secret.ok_or_else(missing)?;
    let trusted =
        Trusted { organization, issuer, client_id, client_secret, domains, changed_at: now };
    sign_on::set(&mut tx, &trusted).await?;
    let Trusted { issuer, client_id, domains, .. } = &trusted;
    let detail = json!({"issuer": issuer, "clientId": client_id, "domains": domains});
    written(&mut tx, caller, ("organization.single-sign-on", detail), now).await?;
    tx.commit().await?;
    app.providers().remember(&trusted.issuer, now, Ok(met.into()));
    Ok(told(app, trusted))
}

/// Has nobody vouch for members any more.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::Nothing`], [`Error::OnlyWayIn`], the database.
pub async fn remove(app: &App, caller: &Caller) -> Result<()> {
    caller.may(Scope::PolicyWrite)?;
    caller.may(Scope::OwnersWrite)?;
    let (mut tx, organization) = (app.begin().await?, caller.organization());
    organizations::lock(&mut tx, organization).await?;
    if organizations::policy(&mut tx, organization).await?.single_sign_on_only {
        return Err(Error::OnlyWayIn);
    }
    if !sign_on::remove(&mut tx, organization).await? {
        return Err(Error::Nothing("single sign-on"));
    }
    accounts::sessions::end_within(&mut tx, organization.0).await?;
    let what = ("organization.single-sign-on.remove", json!({}));
    written(&mut tx, caller, what, app.now()).await?;
    Ok(tx.commit().await?)
}

async fn written(
    conn: &mut PgConnection,
    caller: &Caller,
    (action, detail): (&str, serde_json::Value),
    now: Timestamp,
) -> sqlx::Result<()> {
    let organization = caller.organization();
    let target = &organization.to_string();
    let done = Done { organization, actor: caller.actor(), action, target, detail };
    audit::write(conn, done, now).await?;
    Ok(())
}

fn told(app: &App, known: Trusted) -> SingleSignOn {
    let Trusted { organization, issuer, client_id, domains, changed_at, .. } = known;
    let redirect_url = redirect_url(app, organization);
    SingleSignOn { issuer, client_id, domains, redirect_url, changed_at }
}

fn unreadable(why: &str) -> Error {
    Error::Unreadable(why.to_owned())
}

fn is_short(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The issuer to the letter: what it says of itself is held against it.
fn known_as(app: &App, issuer: &str) -> Result<String> {
    let issuer = issuer.trim();
    let unreadable = |why: &dyn std::fmt::Display| Error::Unreadable(format!("issuer: {why}"));
    let url: Url = issuer.parse().map_err(|error: url::ParseError| unreadable(&error))?;
    app.egress().check(&url).map_err(|error| unreadable(&error))?;
    if url.query().is_some() {
        return Err(unreadable(&"an issuer has nothing behind a ?"));
    }
    Ok(issuer.to_owned())
}

fn domains_of(texts: &[String]) -> Result<Vec<String>> {
    let domain = |text: &String| {
        let address = format!("x@{}", text.trim().trim_start_matches('@'));
        let address = address.parse::<accounts::Email>().ok();
        let domain = address.and_then(|it| it.as_str().strip_prefix("x@").map(str::to_owned));
        domain.ok_or_else(|| {
            Error::Unreadable(format!("domains: {text:?} is no domain such as acme.example"))
        })
    };
    let mut domains = texts.iter().map(domain).collect::<Result<Vec<_>>>()?;
    domains.sort_unstable();
    domains.dedup();
    if !(1..=DOMAINS).contains(&domains.len()) {
        return Err(Error::Unreadable(format!("domains: from 1 to {DOMAINS}")));
    }
    Ok(domains)
}

fn sealed(app: &App, caller: &Caller, secret: &SecretString) -> Result<Vec<u8>> {
    if !is_short(secret.expose_secret(), LONGEST_SECRET) {
        return Err(unreadable("clientSecret: 1 to 1,024 letters, as the provider says"));
    }
    app.sealed_client_secret(caller.organization(), secret)
}
