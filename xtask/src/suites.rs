//! The test suites, in the order in which they run: cheap ones first, and those that build on
//! what another has built after it.

mod browser;
mod cluster;
mod console;
mod counts;
mod crates;
mod domains;
mod lint;
mod one_build;
mod openai_clients;
mod supply_chain;
mod table;
mod walks;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::{generate, say, tools};

pub(crate) use counts::Counts;
pub(crate) use crates::STRIPE_DESCRIPTION;

/// A suite, by the name it has on the command line and in the table.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// rustfmt has nothing to change.
    Format,
    /// Which crate may use which, and other rules about the text of the code.
    Architecture,
    /// clippy and rustc have nothing to say.
    Lint,
    /// rustdoc has nothing to say.
    Docs,
    /// Licences, sources and bans of everything we depend on.
    SupplyChain,
    /// Generated files are what their sources make of them.
    Drift,
    /// Unit and service tests of every crate, against a real Postgres.
    Crates,
    /// Tests that need a real Kubernetes, against an API server of this run's own. As root.
    Cluster,
    /// The console of the control plane, seen through a real browser. As root.
    Console,
    /// Tests that need a certificate authority, with one of this run's own.
    Domains,
    /// OpenAI's own clients, unmodified, against the model server.
    OpenaiClients,
    /// Tests and people build mistral.rs the same way, so that it is compiled once.
    OneBuild,
    /// The real command, seen through a real browser.
    Browser,
}

/// The selection of all crates but those that are built by themselves, for features of what they
/// use would compile mistral.rs, or what is below it, a second time: `inference` stops the clock
/// in its tests, [`OF_CLUSTERS`] speak with an API server, [`OF_STRIPE`] checks JSON against schemas.
pub(crate) const TOGETHER: [&str; 15] = [
    "--workspace",
    "--exclude",
    "xtask",
    "--exclude",
    "inference",
    "--exclude",
    "stripe-sim",
    "--exclude",
    "operator",
    "--exclude",
    "edge",
    "--exclude",
    "api-server",
    "--exclude",
    "control-plane",
];

/// The selection of everything that can be checked together: nothing of it is compiled, so the tests
/// of [`TOGETHER`] need not be alone. Of all that speak with an API server none, nor the simulator of
/// Stripe, whose tests would have all of it checked a second time.
pub(crate) const CHECKED_TOGETHER: [&str; 11] = [
    "--workspace",
    "--exclude",
    "stripe-sim",
    "--exclude",
    "operator",
    "--exclude",
    "edge",
    "--exclude",
    "api-server",
    "--exclude",
    "control-plane",
];

/// The selection of those that speak with an API server.
pub(crate) const OF_CLUSTERS: [&str; 8] = [
    "--package",
    "operator",
    "--package",
    "edge",
    "--package",
    "api-server",
    "--package",
    "control-plane",
];

/// The simulator of Stripe.
pub(crate) const OF_STRIPE: [&str; 2] = ["--package", "stripe-sim"];

/// What a suite came to: counts, and what the table should say about what was left out.
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    pub(crate) note: String,
}

impl Outcome {
    /// Both of two runs.
    fn and(self, other: Self) -> Self {
        let counts = Counts {
            passed: self.counts.passed + other.counts.passed,
            failed: self.counts.failed + other.counts.failed,
            skipped: self.counts.skipped + other.counts.skipped,
        };
        let notes = [self.note, other.note];
        let note: Vec<_> =
            notes.iter().filter(|note| !note.is_empty()).map(String::as_str).collect();
        Self { counts, note: note.join("; ") }
    }

    /// A suite that is one check and passed it.
    fn passed() -> Self {
        Self { counts: Counts { passed: 1, ..Counts::default() }, note: String::new() }
    }
}

/// Runs the named suites, or all, and prints the table. True when nothing failed.
pub(crate) fn run(project: &Project, named: &[Suite]) -> bool {
    let wanted = |suite: &&Suite| named.is_empty() || named.contains(suite);
    let mut rows = Vec::new();
    for &suite in Suite::value_variants().iter().filter(wanted) {
        say::head(&suite.name());
        let start = Instant::now();
        let outcome = suite.run(project).unwrap_or_else(|error| {
            say::error(&error);
            // A suite that cannot even be set up is a failure like any other.
            Outcome {
                counts: Counts { failed: 1, ..Counts::default() },
                note: format!("{error:#}"),
            }
        });
        rows.push(table::Row { suite: suite.name(), outcome, seconds: start.elapsed().as_secs() });
    }
    table::print(&rows);
    rows.iter().all(|row| row.outcome.counts.failed == 0)
}

impl Suite {
    fn run(self, project: &Project) -> Result<Outcome> {
        let compiles_all =
            [Self::Lint, Self::Docs, Self::Crates, Self::OpenaiClients, Self::OneBuild];
        if compiles_all.contains(&self) {
            tools::llamacpp(project, Deadline::in_minutes(10))?;
        }
        match self {
            Self::Format => simple(project, &["fmt", "--all", "--check"], 2),
            Self::Architecture => crates::xtask(project),
            Self::Lint => lint::clippy(project),
            Self::Docs => lint::rustdoc(project),
            Self::SupplyChain => supply_chain::run(project),
            Self::Drift => drift(project),
            Self::Crates => crates::all(project),
            Self::Cluster => cluster::run(project),
            Self::Console => console::run(project),
            Self::Domains => domains::run(project),
            Self::OpenaiClients => openai_clients::run(project),
            Self::OneBuild => one_build::run(project),
            Self::Browser => browser::run(project),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// A suite that is one cargo command.
fn simple(project: &Project, arguments: &[&str], minutes: u64) -> Result<Outcome> {
    process::run(&mut project.cargo(arguments), Deadline::in_minutes(minutes))?;
    Ok(Outcome::passed())
}

fn drift(project: &Project) -> Result<Outcome> {
    let stale = generate::all(project, Deadline::in_minutes(30))?;
    if !stale.is_empty() {
        let names: Vec<_> = stale.iter().map(|path| path.display().to_string()).collect();
        bail!(
            "generated files were stale; they are renewed now, commit them: {}",
            names.join(", ")
        );
    }
    Ok(Outcome::passed())
}
