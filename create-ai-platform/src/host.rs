//! The host process: one database server, one model server, one listener, any number of
//! platforms. The one place that puts all parts together.

pub mod console;
pub mod control;
pub mod gate;
mod local;
pub mod models;
pub mod platform;
pub mod postgres;
pub mod records;
pub mod resources;
mod room;
mod seen;
mod signals;
mod standing;
pub mod usage;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use accounts::passwords::{Cost, Passwords};
use blueprint::BlueprintName;
use certificates::LocalAuthority;
use database::{Admin, tenant};
use inference::safety::Rules;
use inference::{Credentials, Inference, Limits};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use web::serve::{Complaint, Transport};
use work::Clock;
use work::sealed::{KeyRing, RootKey};

use self::console::Console;
use self::control::{Reply, Request, Running};
use self::gate::Gate;
use self::platform::Platform;
use self::records::{Before, Kept};
use self::room::Room;
use self::seen::Runs;
pub use self::signals::Signals;
use self::usage::Usage;
use crate::failure::{Failure, Kind, Result};
use crate::folder::Folder;
use crate::home::Home;
use crate::printer::{Event, Printer};

/// How many passwords are hashed at once; each takes 19 MiB and a core.
const HASHING_AT_ONCE: usize = 2;

/// What every platform of this host shares. Cheap to clone.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

/// The same, without keeping it alive.
pub struct WeakHost(Weak<Inner>);

impl WeakHost {
    /// The host, unless it has ended.
    pub fn upgrade(&self) -> Option<Host> {
        self.0.upgrade().map(Host)
    }
}

struct Inner {
    home: Home,
    printer: Printer,
    port: u16,
    secure_port: Option<u16>,
    gate: Gate,
    admin: Admin,
    admin_url: secrecy::SecretString,
    keys: KeyRing,
    clock: Clock,
    passwords: Passwords,
    credentials: Credentials,
    usage: Usage,
    model_base: Url,
    models: Vec<String>,
    kept: Kept,
    client: reqwest::Client,
    platforms: Mutex<BTreeMap<String, Platform>>,
    console: OnceLock<Console>,
    /// Cancelled when the host is told to stop: no platform is taken in any more.
    ending: CancellationToken,
    /// Cancelled when all platforms are stopped: the servers end.
    stop: CancellationToken,
}

/// What a host is made of, once its servers run.
pub struct Parts {
    /// Where things are kept.
    pub home: Home,
    /// How to talk.
    pub printer: Printer,
    /// The listener for pages.
    pub listener: TcpListener,
    /// The listener for pages over TLS, and who signs for it.
    pub secure: Option<(TcpListener, LocalAuthority)>,
    /// The database's administrator.
    pub admin: Admin,
    /// The same as a URL, for backup and the like.
    pub admin_url: secrecy::SecretString,
    /// Which database server it is.
    pub kept: Kept,
    /// The model server, whose engine may still be loading.
    pub inference: Inference,
    /// Who may ask it.
    pub credentials: Credentials,
    /// What is used of it, and what may be.
    pub usage: Usage,
    /// The models it will have, the default first.
    pub models: Vec<String>,
    /// Cancelled when the host is told to stop, by a command or with its last platform.
    pub ending: CancellationToken,
}

/// The model server as it is before an engine is there.
pub fn model_server(usage: &Usage) -> Result<(Inference, Credentials)> {
    let credentials = Credentials::default();
    let clock = Clock::System;
    let now = Arc::new(move || clock.now());
    let rules =
        Rules::new().map_err(|error| unexpected(&format!("read the rules of safety: {error}")))?;
    let inference = Inference::new(credentials.clone(), now, Limits::default());
    Ok((inference.with_till(usage.till()).with_rules(rules), credentials))
}

/// Takes the port for pages, on this machine only.
pub async fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        Failure::new(
            Kind::Port,
            format!("could not take port {port}: {error}"),
            "Another program has it. Choose one with --port, or let one be found with --port 0.",
        )
    })
}

impl Host {
    /// Starts serving; no platform is up yet.
    pub async fn start(parts: Parts, tasks: &TaskTracker) -> Result<Self> {
        let Parts {
            home,
            printer,
            listener,
            secure,
            admin,
            admin_url,
            kept,
            inference,
            credentials,
            usage,
            models,
            ending,
        } = parts;
        let stop = CancellationToken::new();
        let unexpected =
            |doing: &str, error: &dyn std::fmt::Display| unexpected(&format!("{doing}: {error}"));
        let port =
            listener.local_addr().map_err(|error| unexpected("read the port", &error))?.port();
        let inside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| unexpected("open the model server's port", &error))?;
        let address =
            inside.local_addr().map_err(|error| unexpected("read the model port", &error))?;
        let gate = Gate::default();
        let Room { visitors, questions } = Room::make();
        let serve = |listener, transport, router, places| {
            tasks.spawn(web::serve::serve(listener, transport, router, stop.clone(), places))
        };
        serve(listener, Transport::Plain, gate.router(), visitors.clone());
        let mut secure_port = None;
        if let Some((listener, authority)) = secure {
            let address = listener.local_addr();
            secure_port =
                Some(address.map_err(|error| unexpected("read the port", &error))?.port());
            let tls = authority.server().map_err(|error| unexpected("set up TLS", &error))?;
            serve(listener, Transport::tls(tls), gate.router(), visitors);
        }
        let model_routes = inference::router(inference);
        serve(inside, Transport::Plain, model_routes, questions);
        let key = RootKey::read_or_create(&home.root_key())
            .map_err(|error| Failure::new(
                Kind::Files,
                format!("could not use the root key: {error}"),
                "It seals what platforms store. Restore it from where you keep it, or check who owns it.",
            ))?;
        let host = Self(Arc::new(Inner {
            port,
            secure_port,
            gate,
            admin,
            admin_url,
            keys: KeyRing::of(key),
            clock: Clock::System,
            passwords: Passwords::new(Cost::OWASP, HASHING_AT_ONCE)
                .map_err(|error| unexpected("prepare password hashing", &error))?,
            credentials,
            usage,
            model_base: Url::parse(&format!("http://{address}/"))
                .map_err(|error| unexpected("name the model server", &error))?,
            models,
            kept,
            client: web::client::internal()
                .map_err(|error| unexpected("make the HTTP client", &error))?,
            platforms: Mutex::default(),
            console: OnceLock::new(),
            ending,
            stop,
            home,
            printer,
        }));
        host.take_requests(tasks)?;
        Ok(host)
    }

    /// Brings up the platform in a folder, unless it is up already.
    pub async fn add(&self, folder: &Folder) -> Result<Running> {
        let (blueprint, text) = folder.read()?;
        let name: BlueprintName = blueprint.platform_name().map_err(|error| {
            Failure::new(Kind::Name, error.to_string(), "Change metadata.name.")
        })?;
        let mut platforms = self.0.platforms.lock().await;
        // Asked for under the lock: whoever ends the host takes it after it said so, and finds
        // every platform that was taken in before.
        if self.0.ending.is_cancelled() {
            return Err(Failure::new(
                Kind::Host,
                "the host process is ending",
                "Wait a moment and run the same command again.",
            ));
        }
        if let Some(platform) = platforms.get(name.as_str()) {
            platform.same_folder(folder)?;
            return platform.running(&self.0.clock).await;
        }
        resources::may_run(&self.0.home, &name, &blueprint.spec)?;
        let before = records::remember(&self.0.home, &name, folder, &self.0.kept)?;
        let started = Platform::start(self, name.clone(), folder.clone(), blueprint, text);
        let started = Box::pin(started).await;
        if started.is_err() && before == Before::Unknown {
            Box::pin(self.forget_unmade(&name)).await;
        }
        let platform = started?;
        match platform.running(&self.0.clock).await {
            Ok(running) => {
                platforms.insert(running.name.clone(), platform);
                Ok(running)
            }
            Err(failure) => {
                platform.stop(self).await;
                Err(failure)
            }
        }
    }

    /// Forgets a platform that came to nothing here: it may be made in another database.
    /// Why it came to nothing is what the person is told; what fails here is logged.
    async fn forget_unmade(&self, name: &BlueprintName) {
        match tenant::exists(&self.0.admin, name).await {
            Ok(false) => {
                if let Err(error) = records::forget(&self.0.home, name.as_str()) {
                    tracing::error!(%name, %error, "a platform that was not made is remembered");
                }
            }
            Ok(true) => {}
            Err(error) => tracing::warn!(%name, %error, "whether it was made is unknown"),
        }
    }

    /// Ends everything in order: the platforms side by side, then the servers. Names the platforms
    /// that ran until then.
    pub async fn end(self) -> Vec<String> {
        self.0.ending.cancel();
        let platforms = std::mem::take(&mut *self.0.platforms.lock().await);
        let names = platforms.keys().cloned().collect();
        let mut stopping = JoinSet::new();
        for platform in platforms.into_values() {
            let host = self.clone();
            stopping.spawn(async move { platform.stop(&host).await });
        }
        // One that cannot be stopped keeps nothing else from it.
        while let Some(stopped) = stopping.join_next().await {
            if let Err(error) = stopped {
                tracing::error!(%error, "a platform was not stopped in order");
            }
        }
        self.0.stop.cancel();
        names
    }

    /// As its person asked: it stays stopped until they start it. With the last one the host ends.
    async fn stop_one(&self, name: &str) -> bool {
        if let Err(failure) = resources::start_by_command(&self.0.home, name) {
            tracing::warn!(name, why = failure.what, "the host may start it again");
        }
        let ran = self.take_down(name).await;
        if ran && self.0.platforms.lock().await.is_empty() {
            self.0.ending.cancel();
        }
        ran
    }

    /// Stops one, and nothing else.
    async fn take_down(&self, name: &str) -> bool {
        let mut platforms = self.0.platforms.lock().await;
        let Some(platform) = platforms.remove(name) else { return false };
        platform.stop(self).await;
        self.0.printer.tell(&Event::Stopped { name });
        true
    }

    /// What runs, and by which blueprints.
    async fn running(&self) -> BTreeMap<String, Runs> {
        let platforms = self.0.platforms.lock().await;
        platforms.iter().map(|(name, platform)| (name.clone(), platform.runs())).collect()
    }

    /// The same, without keeping it alive.
    pub fn downgrade(&self) -> WeakHost {
        WeakHost(Arc::downgrade(&self.0))
    }

    fn take_requests(&self, tasks: &TaskTracker) -> Result<()> {
        let listener = control::listen(&self.0.home.socket()?)?;
        let host = self.clone();
        tasks.spawn(async move {
            let mut broken = Complaint::default();
            loop {
                let stream = tokio::select! {
                    () = host.0.stop.cancelled() => return,
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => stream,
                        Err(error) => {
                            broken.not_accepted(&error).await;
                            continue;
                        }
                    },
                };
                let host = host.clone();
                tokio::spawn(control::converse(stream, async move |request| {
                    host.answer(request).await
                }));
            }
        });
        Ok(())
    }

    async fn answer(&self, request: Request) -> Reply {
        let outcome = match request {
            Request::Add { folder } => self.add_at(&folder).await,
            Request::Status => self.status().await,
            Request::Stop { name } => Ok(Reply::Stopped { ran: self.stop_one(&name).await }),
            Request::StopAll => {
                self.0.ending.cancel();
                Ok(Reply::Stopped { ran: true })
            }
            Request::AdminLink { name } => self.admin_link(&name).await,
            Request::Console { email } => self.console(email).await,
            Request::Database => {
                use secrecy::ExposeSecret;
                Ok(Reply::Database {
                    url: self.0.admin_url.expose_secret().to_owned(),
                    kept: self.0.kept.clone(),
                })
            }
        };
        outcome.unwrap_or_else(|failure| Reply::Failed {
            code: failure.kind as u8,
            what: failure.what,
            hint: failure.hint,
        })
    }

    async fn add_at(&self, folder: &Path) -> Result<Reply> {
        let running = self.add(&Folder::at(folder)?).await?;
        Ok(Reply::Added { running })
    }

    async fn admin_link(&self, name: &str) -> Result<Reply> {
        let platforms = self.0.platforms.lock().await;
        let link = match platforms.get(name) {
            Some(platform) => Some(platform.admin_link(&self.0.clock).await?),
            None => None,
        };
        Ok(Reply::AdminLink { link })
    }

    async fn console(&self, email: Option<String>) -> Result<Reply> {
        let console = self.0.console.get().ok_or_else(console::not_yet)?;
        let (url, link) = console.let_in(email).await?;
        Ok(Reply::Console { url, link })
    }

    async fn status(&self) -> Result<Reply> {
        let mut platforms = Vec::new();
        for platform in self.0.platforms.lock().await.values() {
            platforms.push(platform.described());
        }
        Ok(Reply::Platforms { platforms })
    }
}

/// Something of ours that should not happen.
pub fn unexpected(what: &str) -> Failure {
    tracing::error!("something unexpected happened: {what}");
    Failure::new(
        Kind::Unexpected,
        format!("something unexpected happened: {what}"),
        "Run the same command again. If it stays, host.log has the cause.",
    )
}

#[cfg(test)]
mod tests;
