//! Who asks: proven by a token that the tenant signed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use web::Problem;
use web::token::{self, Caller, Credential};

/// Each tenant's credential, in memory. Clones share it, so a tenant that comes or goes is known
/// to a running server at once.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    tenants: Arc<RwLock<HashMap<String, Credential>>>,
}

impl Credentials {
    /// Takes in a tenant, or its new credential; tokens signed with an old one count no more.
    pub fn set(&self, tenant: impl Into<String>, credential: Credential) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.insert(tenant.into(), credential);
    }

    /// Forgets a tenant.
    pub fn remove(&self, tenant: &str) {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    /// Who sent a request with these headers.
    pub(super) fn caller(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Problem> {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| not_signed_in("Send the header Authorization: Bearer TOKEN."))?;
        let credential = token::claimed_tenant(token).ok().and_then(|tenant| self.find(&tenant));
        // An unknown tenant and a wrong signature look the same from outside.
        let credential = credential.ok_or_else(|| not_signed_in(REFUSED))?;
        token::verify(&credential, token, now).map_err(|error| {
            tracing::debug!(%error, "refused a token");
            not_signed_in(REFUSED)
        })
    }

    fn find(&self, tenant: &str) -> Option<Credential> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }
}

const REFUSED: &str = "The token is not a fresh one of a tenant known here; sign a new one.";

fn not_signed_in(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "not-signed-in", "This needs a valid token.")
        .detail(detail)
}
