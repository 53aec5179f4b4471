//! `edge --settings FILE`: serves all names of a fleet until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use certificates::served::Speaker;
use clap::Parser;
use edge::challenges::Challenges;
use edge::cluster::{Cluster, Kubernetes};
use edge::disk::Disk;
use edge::door::{Doors, Outside};
use edge::follow::Follower;
use edge::health;
use edge::keys::Keys;
use edge::settings::Settings;
use edge::table::Table;
use edge::tls::Tls;
use edge::uses::{self, Uses};
use edge::waking::Waking;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use web::serve::{Limits, Places, Proxies, Transport};
use work::Clock;

/// Serves the names of a fleet: TLS by name, and each request to the platform it is for.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where visitors are met, the database, the key and the folder, as YAML.
    #[arg(long, env = "SOULFRA_EDGE_SETTINGS")]
    settings: PathBuf,
    /// What is logged, like `info` or `edge=debug`.
    #[arg(long, env = "SOULFRA_LOG", default_value = "info")]
    log: String,
}

/// Following takes one, and one is for reading; the others are for certificates and challenges.
const CONNECTIONS: u32 = 8;
/// Nobody waits for the database longer.
const ACQUIRE: Duration = Duration::from_secs(3);
/// Answers under way have so long to end once the stop was asked for.
const FAREWELL: Duration = Duration::from_secs(30);
/// Probes; nobody else has business there.
const PROBES: usize = 64;

fn main() -> ExitCode {
    let Arguments { settings, log } = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let outcome = Settings::read(&settings).map_err(|error| error.to_string());
    match outcome.and_then(|settings| run(&settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("could not work: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Files that are no connections: the database, the disk, the log.
const FILES: u64 = 256;

fn run(settings: &Settings) -> Result<(), String> {
    let files = web::open_files::raise();
    // A visitor's connection, and one to the platform it asks.
    let wanted = 2 * u64::try_from(settings.connections).unwrap_or(u64::MAX / 4) + FILES;
    if files < wanted {
        tracing::warn!(
            files,
            wanted,
            "fewer files may be open than `connections` needs: allow more, or set it lower"
        );
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let key = Arc::new(settings.key().map_err(|error| error.to_string())?);
        let database = settings.database().map_err(|error| error.to_string())?;
        let db = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE);
        // Lazily: what is on the disk is served without it.
        let db = db.connect_lazy_with(database);
        let disk = Disk::open(&settings.folder, &key);
        let in_folder = |error: &dyn std::fmt::Display| {
            format!("the folder {} cannot be used: {error}", settings.folder.display())
        };
        let disk = disk.map_err(|error| in_folder(&error))?;
        let table = Arc::new(Table::default());
        let follower = Follower::new(db.clone(), table.clone(), disk.clone(), key.clone());
        follower.begin().await;
        tracing::info!(names = table.names(), "known from before");
        let keys = Arc::new(Keys::new(settings.ready_certificates, disk, db.clone(), key));
        let (uses_of, failure) = (db.clone(), follower.failure());
        let challenges = Challenges::new(db);
        let tls = Tls::new(table.clone(), keys, challenges.clone());
        let tls = tls.map_err(|error| error.to_string())?;
        let https_port = settings.https_port_outside.unwrap_or_else(|| settings.https.port());
        let proxies = Proxies::at(settings.trusted_proxies.0.iter().copied());
        let cluster = if settings.wakes {
            let client = api_server::connect().await.map_err(|error| error.to_string())?;
            Some(Arc::new(Kubernetes::new(client)) as Arc<dyn Cluster>)
        } else {
            None
        };
        let name = uses::name_of(&settings.folder).map_err(|error| in_folder(&error))?;
        let speaker = Speaker { edge: name, wakes: settings.wakes };
        let uses = Uses::new(uses_of, table.clone(), speaker, Clock::System);
        let waking = Waking::new(cluster);
        let of_one = settings.connections.div_ceil(4);
        let outside = Outside { https_port, proxies, of_one };
        let limits = Limits { drain: FAREWELL, ..Limits::of(settings.connections) };
        let visitors = outside.places(limits);
        let doors = Doors::new(table.clone(), challenges, waking, outside);

        let stop = web::stop::when_told().map_err(|error| error.to_string())?;
        let probes = Places::new(Limits::of(PROBES));
        let tls = Transport::tls_by_name(Arc::new(tls));
        let serving = [
            open(settings.http, Transport::Plain, doors.plain(), &visitors, &stop).await?,
            open(settings.https, tls, doors.secure(), &visitors, &stop).await?,
            open(settings.health, Transport::Plain, health::router(table, failure), &probes, &stop)
                .await?,
        ];
        tokio::join!(follower.run(stop.clone()), uses.run(stop.clone()));
        for serving in serving {
            serving.await.map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

async fn open(
    at: SocketAddr,
    transport: Transport,
    router: Router,
    places: &Places,
    stop: &CancellationToken,
) -> Result<tokio::task::JoinHandle<()>, String> {
    let listener = TcpListener::bind(at).await;
    let listener = listener.map_err(|error| format!("cannot listen on {at}: {error}"))?;
    tracing::info!(%at, "listening");
    let serving = web::serve::serve(listener, transport, router, stop.clone(), places.clone());
    Ok(tokio::spawn(serving))
}
