//! Who asks: proven by a token that the tenant signed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use web::Problem;
use web::token::{self, Caller, Credential};

use crate::safety::Level;

/// Each tenant's credential and class of service, in memory. Clones share it, so a tenant that comes or goes is known
/// to a running server at once.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    tenants: Arc<RwLock<HashMap<String, Known>>>,
}

#[derive(Debug, Clone)]
struct Known {
    tenant: Tenant,
    sending: Arc<Semaphore>,
}

/// Requests of one tenant whose bodies are being read at once: its runtime sends them at once, so
/// there are few, and nobody else's are kept out by many that come byte by byte.
const SENDING: usize = 256;

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
    sending: Arc<Semaphore>,
}

impl Asker {
    /// A place to send a body; free again when dropped.
    pub(super) fn sends(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.sending).try_acquire_owned().map_err(|_| {
            let title = "Too many requests are being sent.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-sending", title)
                .detail(format!("This tenant may send {SENDING} at once. Send them one by one."))
                .retry_after(1)
        })
    }
}

impl Credentials {
    /// Takes in a tenant, or what is new about it; tokens signed with an old credential count no
    /// more.
    pub fn set(&self, name: impl Into<String>, tenant: Tenant) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        match tenants.entry(name.into()) {
            Entry::Occupied(mut known) => known.get_mut().tenant = tenant,
            Entry::Vacant(unknown) => {
                let sending = Arc::new(Semaphore::new(SENDING));
                unknown.insert(Known { tenant, sending });
            }
        }
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
        let Known { tenant, sending } = tenant.ok_or_else(|| not_signed_in(REFUSED))?;
        let Tenant { credential, class, safety } = tenant;
        let caller = token::verify(&credential, token, now).map_err(|error| {
            tracing::debug!(%error, "refused a token");
            not_signed_in(REFUSED)
        })?;
        Ok(Asker { caller, class, safety, sending })
    }

    fn find(&self, tenant: &str) -> Option<Known> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }
}

const REFUSED: &str = "The token is not a fresh one of a tenant known here; sign a new one.";

fn not_signed_in(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "not-signed-in", "This needs a valid token.")
        .detail(detail)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_tenant_that_sends_too_much_at_once_keeps_nobody_else_out() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let credential = || Credential::new("a-secret-of-at-least-thirty-two-bytes");
        let known = || Tenant::new(credential(), "starter", Level::Moderate);
        let credentials = Credentials::default();
        let asker = |tenant: &str| {
            let caller = Caller::new(tenant, "u", "a");
            let token = token::sign(&credential(), &caller, now).unwrap();
            let bearer = format!("Bearer {}", token.expose_secret()).parse().unwrap();
            credentials.asker(&HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]), now)
        };
        credentials.set("one", known());
        credentials.set("other", known());
        let sending: Vec<_> =
            (0..SENDING).map(|_| asker("one").unwrap().sends().unwrap()).collect();
        // What is new about a tenant frees no places.
        credentials.set("one", known());
        assert_eq!(asker("one").unwrap().sends().unwrap_err().status, 429);
        assert!(asker("other").unwrap().sends().is_ok());
        drop(sending);
        assert!(asker("one").unwrap().sends().is_ok());
    }
}
