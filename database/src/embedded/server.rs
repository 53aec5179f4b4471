//! The running server: started, kept alive, stopped.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::SUPERUSER;
use super::cluster::{self, ClusterError};
use super::home::{Home, HomeError};
use super::installation::Installation;
use super::process::{Plan, Running, STOPPED_WITHIN};
use crate::{Admin, doors, guard};

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether a power cut may lose data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// What is committed stays.
    Safe,
    /// Nothing is forced to the disk: for tests.
    ForTests,
}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Holds everything of this server and nothing else, such as `postgres` inside
    /// [`super::default_data_home`].
    pub home: PathBuf,
    /// [`Durability::Safe`] but in tests.
    pub durability: Durability,
    /// A program that hands [`guard::SUBCOMMAND`] to [`guard::run`]; `None` is this one.
    pub guard: Option<PathBuf>,
}

impl Options {
    /// The usual options for a server in `home`.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into(), durability: Durability::Safe, guard: None }
    }
}

/// What the server does just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Serving,
    /// It died by itself and is being started again; pools recover by themselves.
    Restarting,
    /// It was stopped.
    Stopped,
}

/// The server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Its data cannot be used.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// An earlier server does not go away.
    #[error(
        "an earlier Postgres (process {pid}) still works in {data} and does not stop: end that process, then run again"
    )]
    StillRunning {
        /// Its process.
        pid: u32,
        /// Its data folder.
        data: PathBuf,
    },
    /// No process could be started.
    #[error("cannot start the guardian {program}: {source}")]
    Guard {
        /// What was to be started.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Postgres ended at once.
    #[error("Postgres ended while it started; the end of {log}:\n{said}")]
    Ended {
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        said: String,
    },
    /// Postgres does not answer.
    #[error("Postgres did not answer within {}; the end of {log}:\n{said}", seconds(*.waited))]
    Silent {
        /// How long it was given.
        waited: Duration,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        said: String,
    },
    /// The databases that every server comes with are still open to everybody.
    #[error("cannot close the databases that belong to no tenant: {0}; run it again")]
    Open(sqlx::Error),
    /// The password file belongs to other data.
    #[error(
        "the password in {file} does not open the database beside it: restore the file that belongs to this data"
    )]
    WrongPassword {
        /// The password file.
        file: PathBuf,
    },
}

/// The server did not stop.
#[derive(Debug, thiserror::Error)]
#[error(
    "Postgres did not stop within {}; it was killed and recovers at the next start",
    seconds(STOPPED_WITHIN)
)]
pub struct StopError;

/// A running server. Dropped without [`Server::stop`], it stops as well, but nobody waits.
pub struct Server {
    admin: PgConnectOptions,
    state: watch::Receiver<State>,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<Result<(), StopError>>,
}

impl Server {
    /// Starts the server and returns when it answers. An earlier one that an earlier life left
    /// behind in the same folder is stopped first; there is never a second one.
    pub async fn start(installation: &Installation, options: Options) -> Result<Self, StartError> {
        let home = Home::open(&options.home, installation)?;
        let password = home.password()?;
        let program = match options.guard {
            Some(program) => program,
            None => guard::own_program()
                .map_err(|source| StartError::Guard { program: "this program".into(), source })?,
        };
        cluster::ensure(&home, installation, &password, options.durability, &program).await?;
        let admin = login(&home.sockets, &password);
        let plan = Plan {
            postgres: installation.program("postgres"),
            program,
            durability: options.durability,
            admin: admin.clone(),
            home,
        };
        let mut running = plan.launch_patiently().await?;
        if let Err(error) = close_to_tenants(&admin).await {
            let _ = running.stop().await;
            return Err(StartError::Open(error));
        }
        let (stop, stopped) = oneshot::channel();
        let (tell, state) = watch::channel(State::Serving);
        let keeper = tokio::spawn(keep(plan, running, stopped, tell));
        Ok(Self { admin, state, stop, keeper })
    }

    /// The superuser, over the socket.
    pub fn admin(&self) -> Admin {
        Admin::new(self.admin.clone())
    }

    /// How to log in as superuser, for a pool on another database of this server.
    pub fn options(&self) -> PgConnectOptions {
        self.admin.clone()
    }

    /// The superuser's URL for other programs; it holds the password.
    pub fn url(&self) -> SecretString {
        self.admin.to_url_lossy().to_string().into()
    }

    /// Follows what the server does.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Stops the server: rolls back what is open, writes a checkpoint.
    pub async fn stop(self) -> Result<(), StopError> {
        let _ = self.stop.send(());
        self.keeper.await.unwrap_or(Ok(()))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("state", &*self.state.borrow()).finish_non_exhaustive()
    }
}

/// Holds the server until it is told to stop or forgotten; starts it again when it dies.
async fn keep(
    plan: Plan,
    mut running: Running,
    mut stopped: oneshot::Receiver<()>,
    state: watch::Sender<State>,
) -> Result<(), StopError> {
    loop {
        tokio::select! {
            _ = &mut stopped => {
                let result = running.stop().await;
                state.send_replace(State::Stopped);
                return result;
            }
            _ = running.guardian.wait() => {}
        }
        state.send_replace(State::Restarting);
        tracing::warn!("Postgres ended by itself: it is started again");
        let mut pause = Duration::from_millis(100);
        running = loop {
            let again = async {
                match plan.launch_patiently().await {
                    Ok(running) => Some(running),
                    Err(error) => {
                        tracing::error!("Postgres could not be started again: {error}");
                        sleep(pause).await;
                        None
                    }
                }
            };
            tokio::select! {
                _ = &mut stopped => {
                    state.send_replace(State::Stopped);
                    return Ok(());
                }
                launched = again => match launched {
                    Some(running) => break running,
                    None => pause = (pause * 2).min(LONGEST_PAUSE),
                },
            }
        };
        state.send_replace(State::Serving);
        tracing::info!("Postgres serves again");
    }
}

/// Postgres lets every login into the databases it comes with.
async fn close_to_tenants(admin: &PgConnectOptions) -> sqlx::Result<()> {
    let mut conn = PgConnection::connect_with(admin).await?;
    doors::close(&mut conn).await?;
    conn.close().await
}

fn login(sockets: &Path, password: &SecretString) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .port(5432)
        .username(SUPERUSER)
        .password(password.expose_secret())
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}
