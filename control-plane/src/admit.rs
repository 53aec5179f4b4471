//! A new organization, its first key, and an invitation for its owner.

use accounts::Email;
use blueprint::{PlanName, Slug};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sqlx::PgPool;
use url::Url;
use uuid::Uuid;

use crate::db::audit::{self, Done};
use crate::db::keys::{self, Known};
use crate::db::organizations::{self, Organization};
use crate::domain::id::{KeyId, OrganizationId};
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
    let New { slug, name, plan, owner } = new;
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(AdmitError::Name);
    }
    let organization = Organization {
        id: OrganizationId(Uuid::now_v7()),
        slug,
        name,
        plan,
        policy: Policy::default(),
        created_at: now,
    };
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
    let done = Done {
        organization: organization.id,
        actor: OPERATOR,
        action: "organization.admit",
        target: &organization.id.to_string(),
        detail: json!({"slug": organization.slug, "plan": plan, "key": known.id}),
    };
    audit::write(&mut tx, done, now).await?;
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
