//! Who asks, and whether their organization lets them in: the API and the console ask it here.

use std::net::IpAddr;

use accounts::sessions;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use jiff::Timestamp;
use uuid::Uuid;

use crate::app::App;
use crate::db::{keys, members, organizations};
use crate::domain::id::{KeyId, OrganizationId, PersonId};
use crate::domain::key::KeyHash;
use crate::domain::policy::{Barred, Entrance, Policy, With};
use crate::domain::role::Role;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::rates;

/// Whoever may do something in an organization: a key that is good, or a person who is signed in.
#[derive(Clone, Debug)]
pub struct Caller {
    organization: OrganizationId,
    who: Who,
    entrance: Entrance,
    actor: String,
    scopes: Vec<Scope>,
    /// The session that they came with.
    session: Option<Uuid>,
}

/// Who somebody is.
#[derive(Clone, Copy, Debug)]
enum Who {
    Person(PersonId),
    Key(KeyId),
}

impl Caller {
    /// A person, as what they are in an organization that lets them in.
    ///
    /// # Errors
    /// [`Barred`]
    pub fn person(
        (organization, policy): (OrganizationId, &Policy),
        (person, role): (PersonId, Role),
        entrance: Entrance,
        now: Timestamp,
    ) -> std::result::Result<Self, Barred> {
        policy.lets_in(&entrance, now)?;
        let (who, actor) = (Who::Person(person), person.to_string());
        Ok(Self { organization, who, entrance, actor, scopes: role.scopes(), session: None })
    }

    /// The same, for no longer than this session of theirs lasts.
    #[must_use]
    pub fn in_session(self, id: Uuid) -> Self {
        Self { session: Some(id), ..self }
    }

    /// A key, in an organization that lets it in.
    fn key(key: keys::Known, policy: &Policy, from: IpAddr, now: Timestamp) -> Result<Self> {
        let entrance = Entrance { from, with: With::Key { made_at: key.created_at } };
        policy.lets_in(&entrance, now).map_err(|barred| match barred {
            Barred::OldKey => Error::OldKey,
            _ => Error::NotFromHere(from),
        })?;
        let (who, actor) = (Who::Key(key.id), key.id.to_string());
        Ok(Self {
            organization: key.organization,
            who,
            entrance,
            actor,
            scopes: key.scopes,
            session: None,
        })
    }

    /// How they came in.
    pub fn entrance(&self) -> &Entrance {
        &self.entrance
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

    /// Nothing, where they have this scope by now as well: roles and policies change, keys end and are
    /// taken back, sessions too.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], the database.
    pub async fn still_may(&self, app: &App, scope: Scope) -> Result<()> {
        let mut conn = app.conn().await?;
        let policy = organizations::policy(&mut conn, self.organization).await?;
        if policy.lets_in(&self.entrance, app.now()).is_err() {
            return Err(Error::NotAllowed(scope));
        }
        let scopes = match self.who {
            Who::Person(person) => {
                if let Some(session) = self.session {
                    let open = sessions::list(&mut conn, person.0, app.now()).await?;
                    if open.iter().all(|it| it.id != session) {
                        return Err(Error::NotAllowed(scope));
                    }
                }
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

/// Where a request came from.
pub fn address(parts: &Parts, app: &App) -> IpAddr {
    // Behind nothing, in a test, the peer is unknown; all such share one address.
    let peer = parts.extensions.get::<web::serve::Peer>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.address.ip());
    app.proxies().visitor(peer, &parts.headers)
}

/// The one key that was sent.
pub(super) fn sent(parts: &Parts) -> Result<&str> {
    let mut sent = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else { return Err(Error::NoKey) };
    let value = value.to_str().map_err(|_| Error::NoKey)?;
    let (scheme, key) = value.split_once(' ').ok_or(Error::NoKey)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(Error::NoKey) }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let hash = KeyHash::of(sent(parts)?).ok_or(Error::NoKey)?;
        let mut conn = app.conn().await?;
        let known = keys::find(&mut conn, hash, app.now()).await?;
        drop(conn);
        let (key, policy) = known.ok_or(Error::NoKey)?;
        let asked = app.rates().ask(key.organization);
        if let Some(known) = parts.extensions.get::<rates::Known>() {
            known.is(asked.unwrap_or_else(|too_much| too_much.left));
        }
        asked.map_err(|too_much| Error::TooMuch(too_much.wait))?;
        Self::key(key, &policy, address(parts, app), app.now())
    }
}
