//! The edge, in a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fleet::Fleet;

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) struct Edge {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    health: SocketAddr,
    child: Child,
}

impl Edge {
    /// Starts it on all cores; it may not be met yet.
    pub(crate) async fn start(fleet: &Fleet, folder: &Path) -> Self {
        Self::begin(Command::new(env!("CARGO_BIN_EXE_edge")), fleet, folder).await
    }

    /// The same on one core, so with one worker.
    pub(crate) async fn start_on(core: &str, fleet: &Fleet, folder: &Path) -> Self {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", core, env!("CARGO_BIN_EXE_edge")]);
        Self::begin(taskset, fleet, folder).await
    }

    async fn begin(mut program: Command, fleet: &Fleet, folder: &Path) -> Self {
        let [http, https, health] = [(); 3].map(|()| free());
        let [database, key, settings] =
            ["database", "key", "edge.yaml"].map(|name| folder.join(name));
        tokio::fs::write(&database, &fleet.url).await.unwrap();
        tokio::fs::write(&key, &fleet.key).await.unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "http: {http}\nhttps: {https}\nhealth: {health}\ndatabase: {}\nkey: {}\nfolder: {}\n",
            database.display(),
            key.display(),
            folder.display()
        );
        tokio::fs::write(&settings, text).await.unwrap();
        let child = program
            .arg("--settings")
            .arg(&settings)
            .args(["--log", "warn"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { http, https, health, child }
    }

    /// Waits until it has heard of so many names.
    pub(crate) async fn until_known(&self, names: usize) {
        let known = async {
            while self.known().await.is_none_or(|known| known < names) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, known).await.expect("all names are known in time");
    }

    async fn known(&self) -> Option<usize> {
        let mut stream = TcpStream::connect(self.health).await.ok()?;
        let request = b"GET /readyz HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await.ok()?;
        let (_, body) = said.split_once("\r\n\r\n")?;
        body.strip_suffix(" names")?.parse().ok()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has in memory.
    pub(crate) fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: f64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kib / 1_024.0
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn end(&mut self) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        let ended = async {
            while self.child.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("it ends when it is told to");
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
