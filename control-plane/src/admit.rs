//! A new organization, its first key, and an invitation for its owner.

use accounts::Email;
use blueprint::{BlueprintName, PlanName, Slug};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use url::Url;
use uuid::Uuid;

use crate::db::audit::{self, Done};
use crate::db::keys::{self, Known};
use crate::db::members;
use crate::db::organizations::{self, Organization};
use crate::db::platforms::{self, Owned};
use crate::domain::id::{KeyId, OrganizationId, PlatformId};
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::role::Role;
use crate::domain::scope::Scope;
use crate::http::invitations;

/// The first key is good for so long.
const FIRST: SignedDuration = SignedDuration::from_hours(24 * 90);
/// As the audit calls whoever runs the control plane.
pub(crate) const OPERATOR: &str = "operator";

/// Why it was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// There is one of that slug.
    #[error("there is an organization {0} already")]
    Taken(Slug),
    /// Nobody is called that.
    #[error("a name has 1 to 80 letters")]
    Name,
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// A new organization.
#[derive(Clone, Debug)]
pub struct New {
    /// As blueprints name it.
    pub slug: Slug,
    /// As people call it.
    pub name: String,
    /// What it pays for.
    pub plan: PlanName,
    /// Who is to own it.
    pub owner: Option<Email>,
}

/// What is shown once.
#[derive(Debug)]
pub struct Admitted {
    /// A key with which everything can be done.
    pub key: Key,
    /// The link by which its owner joins.
    pub invitation: Option<String>,
}

/// Admits it.
///
/// # Errors
/// [`AdmitError`]
pub async fn organization(
    db: &PgPool,
    url: &Url,
    new: New,
    now: Timestamp,
) -> Result<Admitted, AdmitError> {
    let (organization, owner) = (named(&new, now)?, new.owner);
    let mut tx = db.begin().await?;
    if !organizations::create(&mut tx, &organization).await? {
        return Err(AdmitError::Taken(organization.slug));
    }
    let key = Key::random();
    let known = Known {
        id: KeyId(Uuid::now_v7()),
        organization: organization.id,
        name: "first".to_owned(),
        prefix: key.prefix().to_owned(),
        scopes: Scope::ALL.into(),
        made_by: OPERATOR.to_owned(),
        created_at: now,
        expires_at: now + FIRST,
        used_at: None,
        revoked_at: None,
    };
    keys::create(&mut tx, &known, key.hash()).await?;
    written(&mut tx, &organization, json!({"key": known.id}), now).await?;
    let invitation = match owner {
        Some(owner) => {
            let to = (organization.id, owner, Role::Owner);
            Some(invitations::made(&mut tx, url, to, OPERATOR, now).await?.url)
        }
        None => None,
    };
    tx.commit().await?;
    Ok(Admitted { key, invitation })
}

/// Admits it without a key or an owner, unless it is there.
///
/// # Errors
/// [`AdmitError::Name`], the database.
pub async fn once(db: &PgPool, new: &New, now: Timestamp) -> Result<OrganizationId, AdmitError> {
    let (wanted, mut tx) = (named(new, now)?, db.begin().await?);
    if organizations::create(&mut tx, &wanted).await? {
        written(&mut tx, &wanted, json!({}), now).await?;
    }
    let there = organizations::id_of(&mut tx, &wanted.slug).await?;
    tx.commit().await?;
    Ok(there.ok_or(sqlx::Error::RowNotFound)?)
}

/// The link by which somebody joins as an owner; `None` where they are in it already.
///
/// # Errors
/// The database.
pub async fn owner(
    db: &PgPool,
    url: &Url,
    (organization, email): (OrganizationId, Email),
    now: Timestamp,
) -> sqlx::Result<Option<String>> {
    let mut tx = db.begin().await?;
    organizations::lock(&mut tx, organization).await?;
    if members::has(&mut tx, organization, &email).await? {
        return Ok(None);
    }
    let to = (organization, email, Role::Owner);
    let made = invitations::made(&mut tx, url, to, OPERATOR, now).await?;
    tx.commit().await?;
    Ok(Some(made.url))
}

/// A platform that came to be by other means is this organization's from now on; `None` where it is
/// another one's.
///
/// # Errors
/// The database.
pub async fn platform(
    db: &PgPool,
    organization: OrganizationId,
    name: &BlueprintName,
    now: Timestamp,
) -> sqlx::Result<Option<PlatformId>> {
    let mut tx = db.begin().await?;
    let (id, name) = (PlatformId(Uuid::now_v7()), name.clone());
    let new = Owned { id, name, organization, created_at: now, found: None };
    if platforms::take(&mut tx, &new).await? {
        let done = Done {
            organization,
            actor: OPERATOR,
            action: "platform.claim",
            target: &id.to_string(),
            detail: json!({"name": new.name}),
        };
        audit::write(&mut tx, done, now).await?;
    }
    let there = platforms::by_name(&mut tx, &new.name).await?;
    tx.commit().await?;
    Ok(there.filter(|there| there.organization == organization).map(|there| there.id))
}

fn named(new: &New, now: Timestamp) -> Result<Organization, AdmitError> {
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(AdmitError::Name);
    }
    Ok(Organization {
        id: OrganizationId(Uuid::now_v7()),
        slug: new.slug.clone(),
        name,
        plan: new.plan,
        policy: Policy::default(),
        created_at: now,
    })
}

async fn written(
    conn: &mut PgConnection,
    organization: &Organization,
    mut detail: Value,
    now: Timestamp,
) -> sqlx::Result<()> {
    detail["slug"] = json!(organization.slug);
    detail["plan"] = json!(organization.plan);
    let target = organization.id.to_string();
    let (organization, action) = (organization.id, "organization.admit");
    let done = Done { organization, actor: OPERATOR, action, target: &target, detail };
    audit::write(conn, done, now).await.map(drop)
}
