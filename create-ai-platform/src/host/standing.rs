//! What a platform may have of the model server, from its blueprint: in local mode this host
//! says it, where a control plane does elsewhere.

use blueprint::{PlanName, PlatformBlueprint, spec::Safety};
use inference::safety::Level;
use inference::{Credentials, Tenant};
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
        let safety = match blueprint.spec.ai.safety {
            Safety::Moderate => Level::Moderate,
            Safety::High => Level::High,
            Safety::Maximum => Level::Maximum,
        };
        let tenant = Tenant::new(self.credential.clone(), plan.as_str(), safety);
        self.credentials.set(&self.tenant, tenant);
    }

    /// It is unknown again.
    pub fn end(&self) {
        self.credentials.remove(&self.tenant);
        self.usage.forget(&self.tenant);
    }
}
