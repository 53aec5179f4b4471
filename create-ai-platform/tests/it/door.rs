//! The one door: a folder and a home of one's own, the real program in them, and nothing left
//! behind, however the test ends.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// The very first start fetches Postgres and the model; after that it takes seconds.
const READY_WITHIN: Duration = Duration::from_mins(8);
/// What any other command may take.
const DONE_WITHIN: Duration = Duration::from_mins(1);
/// After this, what still runs when a test is over is killed.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// A folder to work in and a home, both gone with it, and every process in them.
pub(crate) struct Ground(TempDir);

impl Ground {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("soulfra-it-").tempdir().unwrap();
        // As root, the embedded Postgres runs as somebody else, who has to get through here.
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        std::fs::create_dir(root.path().join("folder")).unwrap();
        Self(root)
    }

    /// Where commands are run.
    pub(crate) fn folder(&self) -> PathBuf {
        self.0.path().join("folder")
    }

    /// A path in the folder.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output();
        let output = timeout(DONE_WITHIN, output).await.expect("it ended in time").unwrap();
        Ran {
            command: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs `NAME` as the host process, and waits until it is ready.
    pub(crate) async fn start(&self, name: &str) -> Host {
        self.start_with(&[name]).await
    }

    /// Runs a command as the host process, and waits until it is ready.
    pub(crate) async fn start_with(&self, arguments: &[&str]) -> Host {
        let mut host = self.spawn_with(arguments);
        host.ready = timeout(READY_WITHIN, host.event("ready")).await.expect("ready in time");
        host
    }

    /// Runs `NAME` as the host process.
    pub(crate) fn spawn(&self, name: &str) -> Host {
        self.spawn_with(&[name])
    }

    /// Runs a command as the host process.
    pub(crate) fn spawn_with(&self, arguments: &[&str]) -> Host {
        let talk = self.0.path().join("talk");
        let stderr = std::fs::OpenOptions::new().create(true).append(true).open(&talk).unwrap();
        let mut child = self
            .command(&[arguments, &["--port", "0", "--json"]].concat())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Host { child, events, told: Vec::new(), ready: Value::Null, talk }
    }

    /// Every process that works here.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes(self.0.path())
    }

    /// How many servers work on the home's data, their children not counted.
    pub(crate) fn postmasters(&self) -> usize {
        let data = self.home().join("postgres/data").display().to_string();
        let all: Vec<_> = self
            .processes()
            .into_iter()
            .filter(|process| process.command.split(' ').next().unwrap().ends_with("/postgres"))
            .filter(|process| process.command.contains(&data))
            .collect();
        // For a moment after its birth a child is named like its parent.
        all.iter().filter(|one| all.iter().all(|other| other.pid != one.parent)).count()
    }

    /// Waits until no process works here.
    pub(crate) async fn quiet(&self) {
        let asked = Instant::now();
        while !self.processes().is_empty() {
            assert!(asked.elapsed() < GONE_WITHIN, "still there: {:?}", self.processes());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_create-ai-platform"));
        command.args(arguments).current_dir(self.folder()).env("SOULFRA_HOME", self.home());
        for name in ["PORT", "TLS_PORT", "DATABASE_URL", "MODEL", "LOG", "CONTROL_PLANE"] {
            command.env_remove(format!("SOULFRA_{name}"));
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // A database server ends by itself when its host was killed; it gets the time for that.
        let asked = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            if asked.elapsed() > GONE_WITHIN {
                for pid in left.iter().filter_map(|process| Pid::from_raw(process.pid)) {
                    _ = kill_process(pid, Signal::KILL);
                }
            }
            if asked.elapsed() > GONE_WITHIN * 2 {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A host process; killed when it is forgotten.
pub(crate) struct Host {
    /// What it said when it was ready.
    pub(crate) ready: Value,
    /// Every event so far.
    pub(crate) told: Vec<Value>,
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    talk: PathBuf,
}

impl Host {
    /// The address of its first platform.
    pub(crate) fn site(&self) -> &str {
        self.ready["site"].as_str().unwrap()
    }

    /// The next event of this kind.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        loop {
            let Some(line) = self.events.next_line().await.unwrap() else {
                let status = self.child.wait().await.unwrap();
                let talk = std::fs::read_to_string(&self.talk).unwrap_or_default();
                panic!("ended before {kind}: {status}, after {:?}\n{talk}", self.told);
            };
            let event: Value = serde_json::from_str(&line).unwrap();
            self.told.push(event.clone());
            if event["event"] == kind {
                return event;
            }
        }
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        kill_process(self.pid(), Signal::INT).unwrap();
    }

    /// Waits for its end, and gives its exit code.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let rest = async { while self.events.next_line().await.unwrap().is_some() {} };
        timeout(DONE_WITHIN, rest).await.expect("it ended in time");
        timeout(DONE_WITHIN, self.child.wait()).await.expect("it ended in time").unwrap().code()
    }

    /// Ends it by SIGKILL: it can put nothing in order.
    pub(crate) async fn kill(mut self) {
        timeout(DONE_WITHIN, self.child.kill()).await.expect("it died in time").unwrap();
    }

    fn pid(&self) -> Pid {
        let pid = self.child.id().expect("it runs");
        Pid::from_raw(pid.try_into().unwrap()).unwrap()
    }
}

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    command: String,
    pub(crate) code: Option<i32>,
}

impl Ran {
    /// That it ended with this exit code, and, if that is a failure, said what to do next.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        if code != 0 {
            assert!(self.stderr.contains("error: "), "{self:#?}");
            assert!(self.stderr.contains("\nhint: "), "{self:#?}");
        }
        self
    }

    /// What it printed with `--json`, the last line.
    pub(crate) fn json(&self) -> Value {
        let last =
            self.stdout.lines().last().unwrap_or_else(|| panic!("{} said nothing", self.command));
        serde_json::from_str(last).unwrap()
    }

    /// What it printed with `--json`: each line is an object.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.inspect(|line: &Value| assert!(line.is_object(), "{line}")).collect()
    }
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    parent: i32,
    command: String,
}

/// The processes that work in a folder: they stand in it, or it is named on their command line.
fn processes(folder: &Path) -> Vec<Process> {
    let text = folder.display().to_string();
    let all = std::fs::read_dir("/proc").expect("this system tells its processes in /proc");
    all.flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let stands = std::fs::read_link(entry.path().join("cwd"))
                .is_ok_and(|cwd| cwd.starts_with(folder));
            if !stands && !command.contains(&text) {
                return None;
            }
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
            Some(Process { pid, parent, command })
        })
        .collect()
}

/// Every file below a folder: when it was written, and what it holds.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let written = path.symlink_metadata().unwrap().modified().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), (written, std::fs::read(&path).unwrap()));
            }
        }
    }
    files
}

/// The names in a folder, hidden ones too.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
