//! Who asks: proven by a token that the tenant signed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use web::Problem;
use web::token::{self, Caller, Credential};

use crate::safety::Level;

/// Each tenant's credential and class of service, in memory. Clones share it, so a tenant that comes or goes is known
/// to a running server at once.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    tenants: Arc<RwLock<HashMap<String, Tenant>>>,
}

/// A tenant, as whoever runs the server says it is. Nothing of it is the tenant's to say.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// What its tokens are signed with.
    pub credential: Credential,
    /// The class of service of its plan; an unknown one counts as the lowest.
    pub class: Arc<str>,
    /// What is not answered.
    pub safety: Level,
}

impl Tenant {
    /// A tenant whose plan has this class of service.
    pub fn new(credential: Credential, class: &str, safety: Level) -> Self {
        Self { credential, class: class.into(), safety }
    }
}

/// Who asks, proven, and what is theirs.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) caller: Caller,
    pub(super) class: Arc<str>,
    pub(super) safety: Level,
}

impl Credentials {
    /// Takes in a tenant, or what is new about it; tokens signed with an old credential count no
    /// more.
    pub fn set(&self, name: impl Into<String>, tenant: Tenant) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.insert(name.into(), tenant);
    }

    /// Forgets a tenant.
    pub fn remove(&self, tenant: &str) {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    /// Who sent a request with these headers.
    pub(super) fn asker(&self, headers: &HeaderMap, now: Timestamp) -> Result<Asker, Problem> {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| not_signed_in("Send the header Authorization: Bearer TOKEN."))?;
        let tenant = token::claimed_tenant(token).ok().and_then(|tenant| self.find(&tenant));
        // An unknown tenant and a wrong signature look the same from outside.
        let Tenant { credential, class, safety } = tenant.ok_or_else(|| not_signed_in(REFUSED))?;
        let caller = token::verify(&credential, token, now).map_err(|error| {
            tracing::debug!(%error, "refused a token");
            not_signed_in(REFUSED)
        })?;
        Ok(Asker { caller, class, safety })
    }

    fn find(&self, tenant: &str) -> Option<Tenant> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }
}

const REFUSED: &str = "The token is not a fresh one of a tenant known here; sign a new one.";

fn not_signed_in(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "not-signed-in", "This needs a valid token.")
        .detail(detail)
}
