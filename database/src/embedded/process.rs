//! The server's process: how Postgres is started behind its guardian, and when it answers.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use super::home::Home;
use super::postmaster;
use super::server::{Durability, StartError, StopError};
use crate::guard;

/// A fresh or cleanly stopped server serves after 0.1 s.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// While it says that it recovers from a crash it gets this long.
const RECOVERED_WITHIN: Duration = Duration::from_mins(5);
/// More than the guardian's own patience.
pub(super) const STOPPED_WITHIN: Duration = Duration::from_secs(16);
/// What a killed postmaster's children need to notice.
const RETRIES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_500)];

/// Everything needed to start the server once more.
pub(super) struct Plan {
    pub(super) home: Home,
    pub(super) postgres: PathBuf,
    pub(super) program: PathBuf,
    pub(super) durability: Durability,
    pub(super) admin: PgConnectOptions,
}

/// The guardian. Its standard input is our sign of life: it must be held, and nothing is sent.
pub(super) struct Running {
    pub(super) guardian: Child,
    alive: Option<ChildStdin>,
}

impl Plan {
    /// Starts it, again for a moment while the children of a killed one still hold its memory.
    pub(super) async fn launch_patiently(&self) -> Result<Running, StartError> {
        for pause in RETRIES {
            match self.launch().await {
                Err(StartError::Ended { .. }) => sleep(pause).await,
                launched => return launched,
            }
        }
        self.launch().await
    }

    async fn launch(&self) -> Result<Running, StartError> {
        postmaster::clear(&self.home.data)
            .await
            .map_err(|pid| StartError::StillRunning { pid, data: self.home.data.clone() })?;
        let mut running = self
            .spawn()
            .map_err(|source| StartError::Guard { program: self.program.clone(), source })?;
        if let Err(error) = self.answers(&mut running).await {
            let _ = running.stop().await;
            return Err(error);
        }
        Ok(running)
    }

    fn spawn(&self) -> io::Result<Running> {
        let log = self.home.open_log()?;
        let mut command = Command::new(&self.program);
        command
            .arg0("postgres-guardian")
            .args([guard::SUBCOMMAND, guard::WATCH])
            .arg(&self.postgres)
            .arg("-D")
            .arg(&self.home.data);
        for (name, value) in self.settings() {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.env_clear();
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
            .current_dir(&self.home.folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for us: the database stops last.
            .process_group(0);
        self.home.owner.runs(&mut command);
        let mut guardian = command.spawn()?;
        // Taken out, because waiting for a child closes its standard input.
        let alive = guardian.stdin.take();
        Ok(Running { guardian, alive })
    }

    /// For a laptop: little memory at rest, nobody outside, no secret in the log.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("listen_addresses", String::new()),
            ("unix_socket_directories", self.home.sockets.display().to_string()),
            ("unix_socket_permissions", "0700".into()),
            ("max_connections", "100".into()),
            ("shared_buffers", "32MB".into()),
            ("min_wal_size", "32MB".into()),
            ("max_wal_size", "512MB".into()),
            ("password_encryption", "scram-sha-256".into()),
            ("timezone", "UTC".into()),
            ("log_timezone", "UTC".into()),
            ("log_line_prefix", "%m [%p] %d %r ".into()),
            ("log_min_messages", "warning".into()),
            // Statements may hold what people wrote; errors are logged without them.
            ("log_min_error_statement", "panic".into()),
            ("log_statement", "none".into()),
            ("jit", "off".into()),
        ];
        if self.durability == Durability::ForTests {
            for name in ["fsync", "full_page_writes", "synchronous_commit"] {
                settings.push((name, "off".into()));
            }
        }
        settings
    }

    async fn answers(&self, running: &mut Running) -> Result<(), StartError> {
        let asked = Instant::now();
        let mut patience = READY_WITHIN;
        let said = || (self.home.log_file(), self.home.last_words());
        loop {
            if running.guardian.try_wait().is_ok_and(|ended| ended.is_some()) {
                let (log, said) = said();
                return Err(StartError::Ended { log, said });
            }
            let connecting = PgConnection::connect_with(&self.admin);
            match timeout(Duration::from_secs(2), connecting).await {
                Ok(Ok(connection)) => {
                    let _ = connection.close().await;
                    return Ok(());
                }
                Ok(Err(sqlx::Error::Database(e))) if e.code().as_deref() == Some("57P03") => {
                    patience = RECOVERED_WITHIN;
                }
                Ok(Err(sqlx::Error::Database(e))) if e.code().as_deref() == Some("28P01") => {
                    let file = self.home.folder.join("password");
                    return Err(StartError::WrongPassword { file });
                }
                _ => {}
            }
            if asked.elapsed() > patience {
                let (log, said) = said();
                return Err(StartError::Silent { waited: patience, log, said });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Running {
    pub(super) async fn stop(&mut self) -> Result<(), StopError> {
        drop(self.alive.take());
        if timeout(STOPPED_WITHIN, self.guardian.wait()).await.is_ok() {
            return Ok(());
        }
        let _ = self.guardian.kill().await;
        Err(StopError)
    }
}
