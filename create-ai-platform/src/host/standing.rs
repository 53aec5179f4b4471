//! What a platform may have of the model server, from its blueprint: in local mode this host
//! says it, where a control plane does elsewhere.

use blueprint::{PlanName, PlatformBlueprint};
use inference::Credentials;
use web::token::Credential;

/// A platform at the model server.
pub struct Standing {
    tenant: String,
    credential: Credential,
    credentials: Credentials,
}

impl Standing {
    /// Unknown there until [`Self::apply`].
    pub fn new(tenant: String, credential: Credential, credentials: Credentials) -> Self {
        Self { tenant, credential, credentials }
    }

    /// From now on it has what this blueprint gives it.
    pub fn apply(&self, blueprint: &PlatformBlueprint) {
        let plan = blueprint.spec.plan.unwrap_or(PlanName::Starter);
        self.credentials.set(&self.tenant, self.credential.clone(), plan.as_str());
    }

    /// It is unknown again.
    pub fn end(&self) {
        self.credentials.remove(&self.tenant);
    }
}
