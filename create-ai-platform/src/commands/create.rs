//! `create-ai-platform NAME`: makes the folder if there is none, and keeps the platform running.

use std::cell::OnceCell;
use std::pin::pin;

use blueprint::{BlueprintName, BlueprintSpec, templates};
use clap::CommandFactory;
use inference::models::{Entry, embedding_models};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use work::Clock;

use super::trust;
use crate::cli::{Cli, Create};
use crate::failure::{Failure, Kind, Result};
use crate::folder::Folder;
use crate::home::Home;
use crate::host::control::{self, Reply, Request, Running};
use crate::host::postgres::Postgres;
use crate::host::records::Kept;
use crate::host::usage::Usage;
use crate::host::{self, Host, Parts, Signals, models, records, unexpected};
use crate::printer::{Event, Printer};

/// The port for pages, where none is chosen.
const PORT: u16 = 8080;

/// Runs it.
pub async fn run(wish: Create, yes: bool, home: Home, printer: Printer) -> Result<()> {
    let name = name(&wish)?;
    home.prepare()?;
    let folder = find_folder(&home, &name)?;
    let made = !folder.exists();
    let entry = models::choose(wish.model.as_deref(), &home, &printer)?;
    // Read before anything starts: a blueprint that cannot be used should cost no waiting.
    described(&wish, yes, &name, &folder, &printer)?;
    match home.lock()? {
        None => join(&wish, &home, &folder, &printer).await,
        Some(lock) => {
            // Told before a server starts that this platform has nothing in; which one of the
            // person's own it is, is known once it answers.
            if let Some(known) = records::find(&home, name.as_str())? {
                let kept = Kept { external: wish.database_url.is_some(), server: None };
                known.in_database(&name, &kept)?;
            }
            // Who just began, and chose no model, may want to know of a better one.
            let advice = models::advice(&entry, name.as_str());
            let advice = advice.filter(|_| made && wish.model.is_none());
            let outcome = Box::pin(host(wish, home, &folder, printer, entry, advice)).await;
            drop(lock);
            outcome
        }
    }
}

/// The name that is wished for.
pub fn name(wish: &Create) -> Result<BlueprintName> {
    wish.name.as_deref().unwrap_or_default().parse().map_err(|error: blueprint::InvalidName| {
        Failure::new(Kind::Name, error.to_string(), "For example: my-company")
    })
}

/// What the folder of a platform says of it; made first, where there is none.
pub fn described(
    wish: &Create,
    yes: bool,
    name: &BlueprintName,
    folder: &Folder,
    printer: &Printer,
) -> Result<BlueprintSpec> {
    let made = !folder.exists();
    if made {
        if let Some(command) = almost_a_command(name.as_str()).filter(|_| !yes) {
            meant(name, &command, printer)?;
        }
        make_folder(wish, name, folder, printer)?;
    }
    let (blueprint, _) = folder.read()?;
    let described = blueprint.metadata.name.unwrap_or_default();
    if described != name.as_str() {
        return Err(Failure::new(
            Kind::Name,
            format!("{} describes {described}, not {name}", folder.blueprint_file().display()),
            format!(
                "A platform keeps its name: set metadata.name to {name} again. For its data under \
                 another name: create-ai-platform backup {name}, then restore --name NAME."
            ),
        ));
    }
    if !made {
        tell_idle(&idle_for_folder(wish, &blueprint.spec), printer, || {
            format!("{name} is there already. Change it in {}", folder.blueprint_file().display())
        });
    }
    Ok(blueprint.spec)
}

/// The options that only a platform on this machine takes.
pub fn idle_elsewhere(wish: &Create) -> Vec<String> {
    let idle = [
        wish.port.map(|port| format!("--port {port}")),
        wish.tls_port.map(|port| format!("--tls-port {port}")),
        wish.model.as_ref().map(|model| format!("--model {model}")),
        // It may hold a password.
        wish.database_url.as_ref().map(|_| "--database-url".to_owned()),
    ];
    idle.into_iter().flatten().collect()
}

/// The options that only a new platform takes, where its blueprint has something else.
fn idle_for_folder(wish: &Create, spec: &BlueprintSpec) -> Vec<String> {
    let template = spec.template.as_ref().map(|template| template.name.clone());
    let plan = spec.plan.map(|plan| plan.to_string());
    let domain = spec.domains.first().map(ToString::to_string);
    let wanted = [
        ("--template", &wish.template, template),
        ("--plan", &wish.plan, plan),
        ("--domain", &wish.domain, domain),
    ];
    let idle = wanted.into_iter().filter(|(_, wish, known)| wish.is_some() && *wish != known);
    idle.map(|(option, wish, _)| format!("{option} {}", wish.as_deref().unwrap_or_default()))
        .collect()
}

/// The options that only the first command takes, where the host process has something else. Its
/// model and database are not known here.
fn idle_in_host(wish: &Create, running: &Running) -> Vec<String> {
    let port = |site: &str| Url::parse(site).ok()?.port_or_known_default();
    let differs = |wish: Option<u16>, known| wish.filter(|port| *port != 0 && Some(*port) != known);
    let secure = running.secure_site.as_deref();
    let tls_port = match wish.tls_port {
        // Any would do, but there is none.
        Some(0) if secure.is_none() => Some(0),
        wish => differs(wish, secure.and_then(port)),
    };
    let idle = [
        differs(wish.port, port(&running.site)).map(|port| format!("--port {port}")),
        tls_port.map(|port| format!("--tls-port {port}")),
        wish.model.as_ref().map(|model| format!("--model {model}")),
        // It may hold a password.
        wish.database_url.as_ref().map(|_| "--database-url".to_owned()),
    ];
    idle.into_iter().flatten().collect()
}

/// Says of each option that it has no effect, and why.
pub fn tell_idle(options: &[String], printer: &Printer, why: impl FnOnce() -> String) {
    for option in options {
        printer.note(&format!("{option} has no effect"));
    }
    if !options.is_empty() {
        printer.note(&why());
    }
}

/// The command that a name is, or nearly is: a slip of the hand should not make a platform.
fn almost_a_command(name: &str) -> Option<String> {
    let command = Cli::command();
    let names = command.get_subcommands().map(clap::Command::get_name).chain(["help"]);
    names.map(str::to_owned).find(|known| strsim::damerau_levenshtein(known, name) <= 1)
}

fn meant(name: &BlueprintName, command: &str, printer: &Printer) -> Result<()> {
    let question = format!("Make a platform named {name}? There is a command `{command}`. [y/N]");
    match printer.ask(&question).as_deref() {
        Some("y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new(
            Kind::Name,
            format!("{name} looks like the command `{command}`, so no platform was made of it"),
            format!("To make one of that name: create-ai-platform {name} --yes"),
        )),
    }
}

/// The folder of this name here, or the one that was known by it last.
pub fn find_folder(home: &Home, name: &BlueprintName) -> Result<Folder> {
    let here = Folder::at(name.as_str().as_ref())?;
    if here.exists() {
        return Ok(here);
    }
    if let Some(record) = records::find(home, name.as_str())? {
        let known = Folder::at(&record.folder)?;
        if known.exists() {
            return Ok(known);
        }
    }
    Ok(here)
}

fn make_folder(
    wish: &Create,
    name: &BlueprintName,
    folder: &Folder,
    printer: &Printer,
) -> Result<()> {
    let phase = printer.phase("folder");
    let wanted = wish.template.as_deref().unwrap_or("creator");
    let known = || templates::all().iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
    let template = templates::get(wanted).ok_or_else(|| {
        let hint = format!("There are: {}", known());
        Failure::new(Kind::Blueprint, format!("no template is named {wanted}"), hint)
    })?;
    let overrides = templates::Overrides {
        name: name.clone(),
        display_name: None,
        plan: wish.plan.as_deref().map(str::parse).transpose().map_err(
            |error: blueprint::text::InvalidText| {
                let hint = "For example: --plan starter";
                Failure::new(Kind::Blueprint, format!("--plan: {error}"), hint)
            },
        )?,
        domain: wish.domain.clone(),
        model: None,
    };
    let blueprint = templates::from_template(template, &overrides).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("\n  {p}")).collect();
        Failure::new(
            Kind::Blueprint,
            format!("this cannot be made a blueprint:{}", lines.concat()),
            "Change the options and run the command again; nothing was made.",
        )
    })?;
    folder.create(template, &blueprint)?;
    phase.done(&format!("{} from the {wanted} template", folder.path().display()));
    Ok(())
}

/// Hands the folder to the host process that runs already.
async fn join(wish: &Create, home: &Home, folder: &Folder, printer: &Printer) -> Result<()> {
    let request = Request::Add { folder: folder.path().to_owned() };
    // The host may be starting or ending just now; give it a moment.
    for _ in 0..50 {
        match control::ask(home, &request).await? {
            Some(Reply::Added { running }) => {
                tell_idle(&idle_in_host(wish, &running), printer, || {
                    "The host process that was started first has ports, model and database of its \
                     own. To change them: create-ai-platform stop --all, then start again."
                        .to_owned()
                });
                ready(printer, &running, Place::Joined);
                return Ok(());
            }
            Some(Reply::Failed { code, what, hint }) => return Err(passed_on(code, what, hint)),
            Some(other) => return Err(unexpected(&format!("the host answered {other:?}"))),
            None => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
    Err(Failure::new(
        Kind::Host,
        "another host process holds the lock but does not answer",
        "It may be starting or ending. Wait a moment and run the same command again.",
    ))
}

/// Becomes the host process.
async fn host(
    wish: Create,
    home: Home,
    folder: &Folder,
    printer: Printer,
    entry: Entry,
    advice: Option<String>,
) -> Result<()> {
    let mut signals = Signals::listen()?;
    let socket = home.socket()?;
    let listener = host::listen(wish.port.unwrap_or(PORT)).await?;
    let secure = match wish.tls_port {
        Some(port) => Some((host::listen(port).await?, trust::authority(&home)?)),
        None => None,
    };
    let vectors = embedding_models().into_iter().map(|model| model.numbers.id);
    let served: Vec<_> = std::iter::once(entry.id.clone()).chain(vectors).collect();
    let usage = Usage::open(&home, &served, &Clock::System).await?;
    let (inference, credentials) = host::model_server(&usage)?;
    let tasks = TaskTracker::new();
    let ending = CancellationToken::new();
    let (postgres, host) = (OnceCell::new(), OnceCell::new());
    let model = models::load(&home, &entry, &inference, &printer);
    let platform = async {
        let started = Postgres::start(&home, wish.database_url.as_deref(), &printer).await?;
        let postgres: &Postgres = postgres.get_or_init(|| started);
        let parts = Parts {
            home: home.clone(),
            printer: printer.clone(),
            listener,
            secure,
            admin: postgres.admin.clone(),
            admin_url: postgres.url.clone(),
            kept: postgres.kept.clone(),
            inference: inference.clone(),
            credentials,
            usage: usage.clone(),
            models: served,
            ending: ending.clone(),
        };
        let started = Host::start(parts, &tasks).await?;
        let host = host.get_or_init(|| started);
        let running = host.add(folder).await;
        host::console::begin(host, &tasks);
        running
    };
    let mut ended = pin!(async {
        tokio::select! {
            () = ending.cancelled() => {}
            () = signals.received() => {}
        }
    });
    // Pages are served while the model still loads; whichever fails is told at once.
    let up = async { tokio::try_join!(model, platform) };
    let outcome = tokio::select! {
        up = up => up.map(Some),
        () = &mut ended => Ok(None),
    };
    if let Ok(Some(((), running))) = &outcome {
        if wish.model.is_some() {
            models::remember(&home, &entry);
        }
        ready(&printer, running, Place::Here);
        if let Some(advice) = advice {
            printer.note(&advice);
        }
        ended.await;
    }
    // However far it came, what has begun ends in order. A Postgres that was still starting is
    // seen to by its guard.
    let ended = match host.into_inner() {
        Some(host) => host.end().await,
        None => Vec::new(),
    };
    tasks.close();
    _ = tokio::time::timeout(std::time::Duration::from_secs(8), tasks.wait()).await;
    inference.close(std::time::Duration::from_secs(3)).await;
    usage.close().await;
    if let Some(postgres) = postgres.into_inner() {
        postgres.stop().await;
        let names = if ended.is_empty() { String::new() } else { format!(" {}", ended.join(", ")) };
        printer.note(&format!("stopped{names}; nothing was lost"));
    }
    _ = std::fs::remove_file(socket);
    outcome.map(|_| ())
}

/// In which host process a platform runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In this one.
    Here,
    /// In one that an earlier command became.
    Joined,
}

fn ready(printer: &Printer, running: &Running, place: Place) {
    for text in &running.warnings {
        printer.tell(&Event::Warning { name: &running.name, text });
    }
    printer.tell(&Event::Ready {
        name: &running.name,
        site: &running.site,
        secure_site: running.secure_site.as_deref(),
        admin_link: running.admin_link.as_deref(),
        folder: &running.folder.to_string_lossy(),
        joined: place == Place::Joined,
    });
}

/// A failure that happened in the host process.
pub fn passed_on(code: u8, what: String, hint: String) -> Failure {
    Failure { kind: Kind::from_code(code), what, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(line: &str) -> Create {
        use clap::Parser;
        Cli::parse_from(["x", "acme"].into_iter().chain(line.split_whitespace())).create
    }

    #[test]
    fn an_option_without_effect_is_told() {
        let template = templates::get("creator").unwrap();
        let overrides = templates::Overrides::named("acme".parse().unwrap());
        let spec = templates::from_template(template, &overrides).unwrap().spec;
        let idle = |line: &str| idle_for_folder(&wish(line), &spec);
        assert_eq!(idle("--template creator"), [""; 0]);
        let both = ["--template business", "--domain a.org"];
        assert_eq!(idle(&both.join(" ")), both);
        let mut running = Running {
            name: "acme".into(),
            site: "http://acme.localhost:8080".into(),
            secure_site: None,
            folder: "/acme".into(),
            admin_link: None,
            warnings: Vec::new(),
        };
        let idle = |line: &str, running: &Running| idle_in_host(&wish(line), running);
        assert_eq!(idle("", &running), [""; 0]);
        assert_eq!(idle("--port 0", &running), [""; 0]);
        assert_eq!(idle("--port 8080", &running), [""; 0]);
        assert_eq!(idle("--port 9000 --tls-port 0", &running), ["--port 9000", "--tls-port 0"]);
        running.secure_site = Some("https://acme.localhost:8443".into());
        assert_eq!(idle("--tls-port 8443", &running), [""; 0]);
        let secret = "--model m --tls-port 1 --database-url postgres://ann:secret@db/x";
        assert_eq!(idle(secret, &running), ["--tls-port 1", "--model m", "--database-url"]);
    }

    #[test]
    fn a_slip_of_the_hand_is_no_platform() {
        assert_eq!(almost_a_command("statsu").as_deref(), Some("status"));
        assert_eq!(almost_a_command("help").as_deref(), Some("help"));
        for name in ["my-company", "demo", "acme"] {
            assert_eq!(almost_a_command(name), None, "{name}");
        }
    }
}
