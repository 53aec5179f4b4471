//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use uuid::Uuid;

use crate::app::App;
use crate::db::keys;
use crate::domain::id::{OrganizationId, PersonId};
use crate::domain::key::KeyHash;
use crate::domain::role::Role;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};

/// Whoever may do something in an organization: a key that is good, or a person who is signed in.
#[derive(Clone, Debug)]
pub struct Caller {
    organization: OrganizationId,
    id: Uuid,
    actor: String,
    scopes: Vec<Scope>,
}

impl Caller {
    /// A person, as what they are in an organization.
    pub fn person(organization: OrganizationId, person: PersonId, role: Role) -> Self {
        Self { organization, id: person.0, actor: person.to_string(), scopes: role.scopes() }
    }

    /// In which organization.
    pub fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// Of the key or the person.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// As the audit names them.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Whether they have this scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Nothing, where they have this scope.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]
    pub fn may(&self, scope: Scope) -> Result<()> {
        if self.has(scope) { Ok(()) } else { Err(Error::NotAllowed(scope)) }
    }
}

impl From<keys::Known> for Caller {
    fn from(key: keys::Known) -> Self {
        Self {
            organization: key.organization,
            id: key.id.0,
            actor: key.id.to_string(),
            scopes: key.scopes,
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let mut sent = parts.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else { return Err(Error::NoKey) };
        let value = value.to_str().map_err(|_| Error::NoKey)?;
        let (scheme, key) = value.split_once(' ').ok_or(Error::NoKey)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::NoKey);
        }
        let hash = KeyHash::of(key.trim()).ok_or(Error::NoKey)?;
        let mut conn = app.conn().await?;
        let known = keys::find(&mut conn, hash, app.now()).await?;
        known.map(Self::from).ok_or(Error::NoKey)
    }
}
