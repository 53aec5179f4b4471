//! What a platform may have of the model server, from its blueprint: in local mode this host
//! says it, where a control plane does elsewhere.

use blueprint::{PlanName, PlatformBlueprint};
use inference::Credentials;
use web::token::Credential;

use super::usage::Usage;

/// A platform at the model server.
pub struct Standing {
    tenant: String,
    credential: Credential,
    credentials: Credentials,
    usage: Usage,
}

impl Standing {
    /// Unknown there until [`Self::apply`].
    pub fn new(
        tenant: String,
        credential: Credential,
        credentials: Credentials,
        usage: Usage,
    ) -> Self {
        Self { tenant, credential, credentials, usage }
    }

    /// From now on it has what this blueprint gives it.
    pub fn apply(&self, blueprint: &PlatformBlueprint) {
        self.usage.apply(&self.tenant, blueprint);
        let plan = blueprint.spec.plan.unwrap_or(PlanName::Starter);
        self.credentials.set(&self.tenant, self.credential.clone(), plan.as_str());
    }

    /// It is unknown again.
    pub fn end(&self) {
        self.credentials.remove(&self.tenant);
        self.usage.forget(&self.tenant);
    }
}
