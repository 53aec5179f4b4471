//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::app::App;
use crate::db::keys::{self, Known};
use crate::domain::id::OrganizationId;
use crate::domain::key::KeyHash;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};

/// Whoever has a key that is good.
#[derive(Clone, Debug)]
pub struct Caller(pub Known);

impl Caller {
    /// Whose key it is.
    pub fn organization(&self) -> OrganizationId {
        self.0.organization
    }

    /// As the audit names them.
    pub fn actor(&self) -> String {
        self.0.id.to_string()
    }

    /// Nothing, where the key has this scope.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]
    pub fn may(&self, scope: Scope) -> Result<()> {
        if self.0.scopes.contains(&scope) { Ok(()) } else { Err(Error::NotAllowed(scope)) }
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
        let mut conn = app.db().acquire().await?;
        let known = keys::find(&mut conn, hash, app.now()).await?;
        known.map(Self).ok_or(Error::NoKey)
    }
}
