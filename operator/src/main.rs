//! `operator --settings FILE`: makes platforms true until it is told to stop. With `explain` or
//! `preview` after that it only looks, and says what it found.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use certificates::dns::{Dns, Resolver};
use certificates::orders::OwnDomain;
use clap::Parser;
use operator::ask::Ask;
use operator::cluster::{Counted, Kubernetes};
use operator::databases::Postgres;
use operator::domains::{Domains, Keeping, Own, Register, Whose};
use operator::lease::Charge;
use operator::reconcile::{Driver, Memory, WRITES_AT_ONCE};
use operator::run::Fleet;
use operator::seen::Seen;
use operator::settings::Settings;
use operator::{health, printer};
use tracing_subscriber::EnvFilter;
use work::Clock;

/// Makes platforms true on Kubernetes.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The installation and its database servers, as YAML.
    #[arg(long, env = "SOULFRA_OPERATOR_SETTINGS")]
    settings: PathBuf,
    /// What is logged, like `info` or `operator=debug`.
    #[arg(long, env = "SOULFRA_LOG", default_value = "info")]
    log: String,
    #[command(subcommand)]
    ask: Option<Ask>,
}

/// The Lease by which one of several operators is in charge.
const LEASE: &str = "soulfra-operator";

/// The name under which operators keep each other away from database servers.
const FENCE: &str = "operator";

fn main() -> ExitCode {
    let Arguments { settings, log, ask } = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let settings = Settings::read(&settings).map_err(|error| error.to_string());
    if let Some(ask) = ask {
        let answered = settings.and_then(|settings| answer(&ask, settings));
        return match answered {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                printer::complain(&why);
                ExitCode::FAILURE
            }
        };
    }
    let outcome = settings.and_then(|settings| run(&settings));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("could not work: {why}");
            ExitCode::FAILURE
        }
    }
}

fn answer(ask: &Ask, settings: Settings) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let answer = runtime.block_on(ask.answer(settings.installation));
    printer::print(&answer.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

fn run(settings: &Settings) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let key = Arc::new(settings.key().map_err(|error| error.to_string())?);
        let servers = settings.admins().map_err(|error| error.to_string())?;
        let databases = Postgres::new(servers, tenant_runtime::SCHEMA, key.clone(), FENCE);
        let keeping = keeping(settings)?;
        let client = api_server::connect().await.map_err(|error| error.to_string())?;
        let me = format!("operator-{}", uuid::Uuid::new_v4());
        tracing::info!(me, "this operator is called so");
        let seen = Arc::new(Seen::default());
        let fleet = Fleet::new(seen.clone());
        let stop = web::stop::when_told().map_err(|error| error.to_string())?;
        let health = health::open(settings.health).await.map_err(|error| error.to_string())?;
        let health = tokio::spawn(health::serve(health, fleet.clone(), stop.clone()));
        let cluster = Kubernetes::new(client.clone(), &me);
        let driver = Arc::new(Driver {
            cluster: Arc::new(Counted::new(cluster, fleet.vitals().answers())),
            databases: Arc::new(databases),
            domains: keeping.as_ref().map(|keeping| keeping.register.clone() as Arc<dyn Domains>),
            seen,
            installation: settings.installation.clone(),
            key,
            clock: Clock::System,
            writes_at_once: WRITES_AT_ONCE,
            memory: Memory::default(),
        });
        let watches = tokio::spawn(fleet.clone().watch(client, stop.clone()));
        // A client of its own: renewing waits behind nothing else.
        let own = api_server::connect().await.map_err(|error| error.to_string())?;
        let charge = Charge::new(own, &settings.namespace, LEASE, &me, Clock::System);
        let charge = charge.with_key(driver.key.id());
        let work = |epoch, stop| {
            let (fleet, driver, keeping) = (fleet.clone(), driver.clone(), keeping.as_ref());
            async move {
                driver.databases.take_charge(epoch).await;
                let Some(keeping) = keeping else {
                    return fleet.work(driver, settings.workers, stop).await;
                };
                keeping.register.take_charge(epoch).await;
                let (others, all) = (fleet.clone(), driver.clone());
                let changed = move |whose: Whose<'_>| others.look_again(&all, whose);
                let keep = keeping.run(changed, stop.clone());
                tokio::join!(fleet.work(driver, settings.workers, stop), keep);
            }
        };
        charge.lead(&stop, work).await;
        watches.await.map_err(|error| error.to_string())?;
        health.await.map_err(|error| error.to_string())
    })
}

/// What looks after names, where the settings say so.
fn keeping(settings: &Settings) -> Result<Option<Keeping>, String> {
    let Some(domains) = &settings.domains else { return Ok(None) };
    let said = |error: operator::settings::SettingsError| error.to_string();
    let domain = settings.installation.domain.as_str();
    let admin = settings.admins().map_err(said)?.remove(&domains.server);
    let admin = admin.ok_or_else(|| format!("there is no server `{}`", domains.server))?;
    let (zones, edge) = (domains.zones(domain), domains.edge_password().map_err(said)?);
    let clock = Clock::System;
    let database = &domains.database;
    let register = Register::new(admin, database, zones.clone(), FENCE, edge, clock.clone());
    let resolver = Resolver::new(&domains.resolvers);
    let resolver = resolver.map_err(|error| format!("cannot ask the DNS: {error}"))?;
    let resolver: Arc<dyn Dns> = Arc::new(resolver);
    let editor = domains.editor(domain, &resolver).map_err(said)?;
    let brought = domains.certificate.clone().map(|files| Own::Brought(domain.to_owned(), files));
    let ordered =
        editor.map(|editor| Own::Ordered(OwnDomain { domain: domain.to_owned(), editor }));
    Ok(Some(Keeping {
        register,
        root: domains.key().map_err(said)?,
        zones,
        dns: resolver,
        authorities: domains.authorities().map_err(said)?,
        own: brought.or(ordered),
        clock,
    }))
}
