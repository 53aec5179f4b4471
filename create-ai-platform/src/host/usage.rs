//! What is used of the models on this machine, and what may be: the part that a control plane
//! has elsewhere.

use std::error::Error;
use std::sync::Arc;

use blueprint::{Currency, PlatformBlueprint};
use inference::budget::{Limits, Local};
use inference::prices::{Price, Prices};
use inference::till::{Keeper, Till};
use tokio::sync::Mutex;
use work::Clock;

use crate::failure::{Failure, Kind, Result};
use crate::home::Home;

/// Budgets and records of every platform of this host. Clones are the same.
#[derive(Clone)]
pub struct Usage {
    till: Till,
    local: Local,
    keeper: Arc<Mutex<Option<Keeper>>>,
}

impl Usage {
    /// Opens what the home has of it. These are the models there will be; on a machine of one's
    /// own they cost nothing.
    pub async fn open(home: &Home, models: &[String], clock: &Clock) -> Result<Self> {
        let mut prices = Prices::default();
        for model in models {
            prices.set(model, Price::free(Currency::USD));
        }
        let clock = clock.clone();
        let now: inference::Now = Arc::new(move || clock.now());
        let folder = home.usage();
        let opened = Till::open_local(&folder, prices, now).await;
        let (till, local, keeper) = opened.map_err(|error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::new(
                Kind::Files,
                format!("could not use the records of what was used: {error}{cause}"),
                "Check who owns that folder, and that its disk has 256 MiB of room.",
            )
        })?;
        Ok(Self { till, local, keeper: Arc::new(Mutex::new(Some(keeper))) })
    }

    /// For the model server.
    pub fn till(&self) -> Till {
        self.till.clone()
    }

    /// From now on a platform has the budget of this blueprint.
    pub fn apply(&self, tenant: &str, blueprint: &PlatformBlueprint) {
        let ai = &blueprint.spec.ai;
        self.local.set_budget(tenant, ai.monthly_budget);
        let per_user_daily_tokens = ai.per_user_daily_tokens;
        self.till.ledger().set_limits(tenant, Limits { per_user_daily_tokens });
        let (ledger, tenant) = (self.till.ledger().clone(), tenant.to_owned());
        tokio::spawn(async move { ledger.refresh(&tenant).await });
    }

    /// Forgets a platform; what it used stays in the book until the month ends.
    pub fn forget(&self, tenant: &str) {
        self.local.remove(tenant);
        self.till.ledger().remove(tenant);
    }

    /// Writes what is left into the book. A few seconds at most.
    pub async fn close(&self) {
        if let Some(keeper) = self.keeper.lock().await.take() {
            keeper.close().await;
        }
    }
}
