//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use uuid::Uuid;

use crate::app::App;
use crate::db::{keys, members};
use crate::domain::id::{KeyId, OrganizationId, PersonId};
use crate::domain::key::KeyHash;
use crate::domain::role::Role;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::rates;

/// Whoever may do something in an organization: a key that is good, or a person who is signed in.
#[derive(Clone, Debug)]
pub struct Caller {
    organization: OrganizationId,
    who: Who,
    actor: String,
    scopes: Vec<Scope>,
}

/// Who somebody is.
#[derive(Clone, Copy, Debug)]
enum Who {
    Person(PersonId),
    Key(KeyId),
}

impl Caller {
    /// A person, as what they are in an organization.
    pub fn person(organization: OrganizationId, person: PersonId, role: Role) -> Self {
        let (who, actor) = (Who::Person(person), person.to_string());
        Self { organization, who, actor, scopes: role.scopes() }
    }

    /// In which organization.
    pub fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// Of the key or the person.
    pub fn id(&self) -> Uuid {
        match self.who {
            Who::Person(PersonId(id)) | Who::Key(KeyId(id)) => id,
        }
    }

    /// Nothing, where they have this scope by now as well: roles change, keys end and are taken back.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], the database.
    pub async fn still_may(&self, app: &App, scope: Scope) -> Result<()> {
        let mut conn = app.conn().await?;
        let scopes = match self.who {
            Who::Person(person) => {
                let role = members::role(&mut conn, self.organization, person).await?;
                role.map(Role::scopes)
            }
            Who::Key(id) => {
                let key = keys::get(&mut conn, self.organization, id).await?;
                let is_good =
                    |key: &keys::Known| key.revoked_at.is_none() && key.expires_at > app.now();
                key.filter(is_good).map(|key| key.scopes)
            }
        };
        let may = scopes.is_some_and(|scopes| scopes.contains(&scope));
        if may { Ok(()) } else { Err(Error::NotAllowed(scope)) }
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
            who: Who::Key(key.id),
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
        drop(conn);
        let caller = known.map(Self::from).ok_or(Error::NoKey)?;
        let asked = app.rates().ask(caller.organization());
        if let Some(known) = parts.extensions.get::<rates::Known>() {
            known.is(asked.unwrap_or_else(|too_much| too_much.left));
        }
        asked.map_err(|too_much| Error::TooMuch(too_much.wait))?;
        Ok(caller)
    }
}
