//! A platform under measurement: the real command in a folder and a home of its own, from the
//! start of its process to its end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::http::Site;
use crate::process;
use crate::project::Project;

/// A first start fetches Postgres and the model; after that it takes seconds.
const PATIENCE: Duration = Duration::from_mins(10);
const NAME: &str = "my-company";

/// A folder and a home, removed in the end.
pub(super) struct Places(PathBuf);

impl Places {
    /// New and empty ones.
    pub(super) fn fresh() -> Result<Self> {
        let output = Command::new("mktemp")
            .args(["-d", "-t", "soulfra-bench-XXXXXXXX"])
            .output()
            .context("run mktemp")?;
        let places = Self(String::from_utf8(output.stdout)?.trim().into());
        // As root, the platform's Postgres runs as somebody else, who has to get through here.
        fs::set_permissions(&places.0, fs::Permissions::from_mode(0o711))
            .context("make a temporary folder")?;
        fs::create_dir(places.folder())?;
        Ok(places)
    }

    fn folder(&self) -> PathBuf {
        self.0.join("folder")
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A platform that answers.
pub(super) struct Platform {
    child: Child,
    began: Instant,
    first_page: Duration,
    site: Site,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

impl Platform {
    /// Starts it and waits for its first page. Its model may still be loading then.
    pub(super) fn start(project: &Project, program: &Path, places: &Places) -> Result<Self> {
        // It ends with us, also when we are killed.
        let mut command = project.command("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(program);
        command.args([NAME, "--json", "--port", "0"]).current_dir(places.folder());
        command.env("SOULFRA_HOME", places.0.join("state"));
        for setting in ["SOULFRA_DATABASE_URL", "SOULFRA_MODEL", "SOULFRA_LOG"] {
            command.env_remove(setting);
        }
        let began = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", process::shown(&command)))?;
        let events = events_of(&mut child);
        let site = Site::unknown();
        let (seen, first_page) = (Vec::new(), Duration::ZERO);
        let mut platform = Self { child, began, first_page, site, events, seen };
        platform.wait_for_page()?;
        Ok(platform)
    }

    /// From the start of the process until a page was there.
    pub(super) fn first_page(&self) -> Duration {
        self.first_page
    }

    /// How long ago the process was started.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until everything is up and gives the link that makes the first person its owner.
    pub(super) fn admin_link(&mut self) -> Result<String> {
        let ready = self.wait_for(|event| event["event"] == "ready")?;
        let link = ready["adminLink"].as_str().context("a new platform told no admin link")?;
        Ok(link.to_owned())
    }

    /// Waits until everything is up and gives what the phases of the start took.
    pub(super) fn phases(&mut self) -> Result<Vec<(String, Duration)>> {
        self.wait_for(|event| event["event"] == "ready")?;
        let phases = self.seen.iter().filter(|event| event["event"] == "phase");
        phases
            .map(|event| {
                let name = event["name"].as_str().context("a phase without a name")?;
                let took = event["seconds"].as_f64().context("a phase without a time")?;
                Ok((name.to_owned(), Duration::try_from_secs_f64(took)?))
            })
            .collect()
    }

    /// Ends it as Ctrl-C would.
    pub(super) fn stop(mut self) -> Result<()> {
        self.end();
        match self.child.try_wait()? {
            Some(status) if status.success() => Ok(()),
            status => bail!("the platform did not end well: {status:?}"),
        }
    }

    fn wait_for_page(&mut self) -> Result<()> {
        let up = self.wait_for(|event| event["event"] == "phase" && event["name"] == "platform")?;
        let address = up["detail"].as_str().context("a platform without an address")?;
        self.site = Site::at(address)?;
        while self.site.get("/", None)?.status != 200 {
            if self.age() > PATIENCE {
                bail!("{address} has no page");
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.first_page = self.age();
        Ok(())
    }

    /// The first event of that kind, among those told and those to come.
    fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        if let Some(event) = self.seen.iter().find(|event| wanted(event)) {
            return Ok(event.clone());
        }
        loop {
            let left = PATIENCE.saturating_sub(self.age());
            let Ok(event) = self.events.recv_timeout(left) else {
                bail!("the platform ended or took too long; it told: {:?}", self.seen);
            };
            let found = wanted(&event);
            self.seen.push(event.clone());
            if found {
                return Ok(event);
            }
        }
    }

    fn end(&mut self) {
        process::signal(self.child.id(), "TERM");
        let patience = Instant::now() + Duration::from_secs(30);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > patience {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

fn events_of(child: &mut Child) -> Receiver<Value> {
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}
