//! A throwaway Postgres 17 for tests and checked queries: the same build that the product
//! embeds, on a free port of 127.0.0.1, gone when dropped.
//!
//! Postgres refuses root, so as root it runs as `nobody`. It ends with this program, also when
//! this program is killed: `setpriv` ties it to us.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{self, Deadline};
use crate::project::Project;
use crate::system::{is_root, random_word};
use crate::{say, tools};

const VERSION: &str = "17.6.0";
const MAVEN: &str = "https://repo1.maven.org/maven2/io/zonky/test/postgres";
const NOBODY: u32 = 65534;

#[cfg(target_arch = "x86_64")]
const BUILD: (&str, &str, &str) = (
    "linux-amd64",
    "postgres-linux-x86_64.txz",
    "23da5a044b4fb7a5a081a45008c95749c873305328d73f86aefd56922ce1d29d",
);
#[cfg(target_arch = "aarch64")]
const BUILD: (&str, &str, &str) = (
    "linux-arm64v8",
    "postgres-linux-arm_64.txz",
    "84427ea54a5238247924ef3b0f940e7d027e58760f19d7325242e50d22fa014a",
);

/// A running server.
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    port: u16,
    password: String,
}

/// What becomes of what was committed when the machine fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// It is there, as it is for customers.
    Everything,
    /// Nobody misses it.
    Nothing,
}

impl Postgres {
    /// Fetches (once), unpacks, initialises and starts a server: two seconds when it is fetched. It waits for no
    /// disk.
    pub(crate) fn start(project: &Project, deadline: Deadline) -> Result<Self> {
        Self::start_that(project, Keeps::Nothing, deadline)
    }

    /// One that waits for its disk at each commit, as the ones of customers do: what is measured is what they have.
    pub(crate) fn start_durable(project: &Project, deadline: Deadline) -> Result<Self> {
        Self::start_that(project, Keeps::Everything, deadline)
    }

    fn start_that(project: &Project, keeps: Keeps, deadline: Deadline) -> Result<Self> {
        let archive = fetch(project, deadline)?;
        let folder = fresh_folder()?;
        Self::start_in(&folder, &archive, keeps)
            .inspect_err(|_| drop(fs::remove_dir_all(&folder)))
            .context("start a Postgres for the tests")
    }

    fn start_in(folder: &Path, archive: &Path, keeps: Keeps) -> Result<Self> {
        unpack(archive, folder)?;
        // Other users of the machine can reach the port too.
        let password = random_word()?;
        initialise(folder, &password)?;
        // The port is free when looked for and may be taken when used: three tries.
        for _ in 0..3 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let mut server =
                server(folder, port, keeps)?.spawn().context("run setpriv postgres")?;
            if ready(&mut server, folder)? {
                say::line(&format!("Postgres {VERSION} listens on 127.0.0.1:{port}"));
                return Ok(Self { server, folder: folder.to_owned(), port, password });
            }
        }
        bail!("Postgres did not start:\n{}", fs::read_to_string(folder.join("log"))?);
    }

    /// Where a database of this server is found, as its superuser.
    pub(crate) fn url(&self, database: &str) -> String {
        let Self { port, password, .. } = self;
        format!("postgres://postgres:{password}@127.0.0.1:{port}/{database}")
    }

    /// Makes a database, and says where it is found.
    pub(crate) fn create(
        &self,
        project: &Project,
        database: &str,
        deadline: Deadline,
    ) -> Result<String> {
        tools::debian(project, "psql", "postgresql-client", deadline)?;
        let mut psql = project.command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command"]);
        psql.arg(format!("create database {database}")).envs(self.environment());
        process::run(&mut psql, deadline).with_context(|| format!("create {database}"))?;
        Ok(self.url(database))
    }

    /// The same for programs that use Postgres's own client library: its environment.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGPASSWORD", self.password.clone()),
            ("PGDATABASE", "postgres".to_owned()),
        ]
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        process::signal(self.server.id(), "INT"); // Postgres's fast shutdown
        let patience = Instant::now() + Duration::from_secs(10);
        while matches!(self.server.try_wait(), Ok(None)) && Instant::now() < patience {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn fetch(project: &Project, deadline: Deadline) -> Result<PathBuf> {
    let (platform, _, sha256) = BUILD;
    let artifact = format!("embedded-postgres-binaries-{platform}");
    let url = format!("{MAVEN}/{artifact}/{VERSION}/{artifact}-{VERSION}.jar");
    tools::debian(project, "unzip", "unzip", deadline)?;
    tools::debian(project, "xz", "xz-utils", deadline)?;
    tools::debian(project, "setpriv", "util-linux", deadline)?;
    tools::download(project, &url, sha256, deadline)
}

/// A folder of our own that `nobody` can reach, after those of dead runs are cleared away.
fn fresh_folder() -> Result<PathBuf> {
    const PREFIX: &str = "soulfra-postgres-";
    let place = std::env::temp_dir();
    let own = std::process::id().to_string();
    for entry in fs::read_dir(&place)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(PREFIX) else { continue };
        if pid == own || !Path::new("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = place.join(format!("{PREFIX}{own}"));
    fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let mut jar = Command::new("unzip")
        .args(["-p"])
        .arg(archive)
        .arg(BUILD.1)
        .stdout(Stdio::piped())
        .spawn()
        .context("run unzip")?;
    let inner = jar.stdout.take().context("unzip without output")?;
    let tar = Command::new("tar").args(["-xJ", "-C"]).arg(folder).stdin(inner).status();
    if !tar.context("run tar")?.success() || !jar.wait()?.success() {
        bail!("{} cannot be unpacked", archive.display());
    }
    Ok(())
}

fn initialise(folder: &Path, password: &str) -> Result<()> {
    let data = folder.join("data");
    let secret = folder.join("password");
    fs::create_dir(&data)?;
    fs::write(&secret, password)?;
    if is_root()? {
        chown(&data, Some(NOBODY), Some(NOBODY))?;
        chown(&secret, Some(NOBODY), Some(NOBODY))?;
    }
    let output = unprivileged(&folder.join("bin/initdb"))?
        .args(["--no-sync", "--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8"])
        .args(["--locale-provider=builtin", "--locale=C.UTF-8"])
        .arg("--pwfile")
        .arg(&secret)
        .arg("--pgdata")
        .arg(&data)
        .current_dir(&data)
        .output()
        .context("run setpriv initdb")?;
    fs::remove_file(&secret)?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn server(folder: &Path, port: u16, keeps: Keeps) -> Result<Command> {
    let data = folder.join("data");
    let log = fs::File::create(folder.join("log"))?;
    let mut command = unprivileged(&folder.join("bin/postgres"))?;
    command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    let hasty: &[&str] = match keeps {
        Keeps::Everything => &[],
        Keeps::Nothing => &["fsync=off", "synchronous_commit=off", "full_page_writes=off"],
    };
    let usual = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"];
    for setting in usual.iter().chain(hasty) {
        command.args(["-c", setting]);
    }
    command.current_dir(&data).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

/// The program as somebody who is not root, interrupted when we die.
fn unprivileged(program: &Path) -> Result<Command> {
    let mut command = Command::new("setpriv");
    if is_root()? {
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        command.args([&user, &group, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "INT", "--"]).arg(program).env("LC_ALL", "C.UTF-8");
    Ok(command)
}

/// Waits until the server takes connections; false if it ended instead.
fn ready(server: &mut Child, folder: &Path) -> Result<bool> {
    let patience = Instant::now() + Duration::from_secs(30);
    while Instant::now() < patience {
        if server.try_wait()?.is_some() {
            return Ok(false);
        }
        // The last line of this file is Postgres's own word for it.
        let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        if state.lines().nth(7).is_some_and(|word| word.trim() == "ready") {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(20));
    }
    server.kill()?;
    server.wait()?;
    Ok(false)
}
