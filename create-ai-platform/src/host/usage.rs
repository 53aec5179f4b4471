//! What is used of the models on this machine, and what may be: the part that a control plane
//! has elsewhere. A book of this month and a spool of what has not come into it yet, in one folder.

use std::sync::Arc;

use blueprint::{Currency, PlatformBlueprint};
use inference::budget::{self, Ledger, Local};
use inference::prices::{Price, Prices};
use inference::spool::{Settings, Spool, deliver, drain};
use inference::till::Till;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use work::Clock;

use crate::failure::{Failure, Kind, Result};
use crate::home::Home;

/// Budgets and records of every platform of this host. Clones are the same.
#[derive(Clone)]
pub struct Usage {
    local: Local,
    ledger: Ledger,
    spool: Spool,
}

impl Usage {
    /// Opens the folder, and takes in what the last run did not.
    pub async fn open(home: &Home, clock: &Clock) -> Result<Self> {
        let clock = clock.clone();
        let now: inference::Now = Arc::new(move || clock.now());
        let folder = home.usage();
        crate::home::private_folder(&folder)?;
        let book = folder.join("book");
        let local = Local::open(&book, Arc::clone(&now))
            .map_err(|error| Failure::file("open", &book, &error))?;
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(
                Kind::Files,
                format!("could not use the records of what was used: {error}"),
                "Check who owns the folder, and that its disk has room for 256 MiB.",
            )
        };
        let (spool, found) =
            Spool::open(Settings::new(folder.join("spool"))).map_err(|error| failed(&error))?;
        tracing::info!(?found, "opened the records of what was used");
        drain(&spool, &local).await.map_err(|error| failed(&error))?;
        let ledger = Ledger::new(Arc::new(local.clone()), now);
        for (tenant, person, tokens) in local.used_today() {
            ledger.restore(&tenant, &person, tokens);
        }
        Ok(Self { local, ledger, spool })
    }

    /// The till of the model server. A model on a machine of one's own costs nothing.
    pub fn till(&self, models: &[String], clock: &Clock) -> Till {
        let mut prices = Prices::default();
        for model in models {
            prices.set(model, Price::free(Currency::USD));
        }
        let clock = clock.clone();
        Till::new(prices, self.ledger.clone(), self.spool.clone(), Arc::new(move || clock.now()))
    }

    /// Writes records into the book until `stop`, and what is left then.
    pub fn begin(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        let Self { local, ledger, spool } = self.clone();
        tasks.spawn(ledger.keep(stop.clone()));
        tasks.spawn(deliver(spool, Arc::new(local), stop.clone()));
    }

    /// From now on a platform has the budget of this blueprint.
    pub fn apply(&self, tenant: &str, blueprint: &PlatformBlueprint) {
        let ai = &blueprint.spec.ai;
        self.local.set_budget(tenant, ai.monthly_budget);
        let per_user_daily_tokens = ai.per_user_daily_tokens;
        self.ledger.set_limits(tenant, budget::Limits { per_user_daily_tokens });
        let (ledger, tenant) = (self.ledger.clone(), tenant.to_owned());
        tokio::spawn(async move { ledger.refresh(&tenant).await });
    }

    /// Forgets a platform; what it used stays in the book until the month ends.
    pub fn forget(&self, tenant: &str) {
        self.local.remove(tenant);
        self.ledger.remove(tenant);
    }
}
