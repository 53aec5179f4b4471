//! `create-ai-platform NAME`: makes the folder if there is none, and keeps the platform running.

use std::cell::OnceCell;
use std::pin::pin;

use blueprint::{BlueprintName, templates};
use clap::CommandFactory;
use inference::models::Entry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::trust;
use crate::cli::{Cli, Create};
use crate::failure::{Failure, Kind, Result};
use crate::folder::Folder;
use crate::home::Home;
use crate::host::control::{self, Reply, Request, Running};
use crate::host::postgres::Postgres;
use crate::host::records::Kept;
use crate::host::{self, Host, Parts, Signals, models, records, unexpected};
use crate::printer::{Event, Printer};

/// Runs it.
pub async fn run(wish: Create, yes: bool, home: Home, printer: Printer) -> Result<()> {
    let name: BlueprintName = wish.name.as_deref().unwrap_or_default().parse().map_err(
        |error: blueprint::InvalidName| {
            Failure::new(Kind::Name, error.to_string(), "For example: my-company")
        },
    )?;
    home.prepare()?;
    let folder = find_folder(&home, &name)?;
    let made = !folder.exists();
    let entry = models::choose(wish.model.as_deref(), &home, &printer)?;
    if made {
        if let Some(command) = almost_a_command(name.as_str()).filter(|_| !yes) {
            meant(&name, &command, &printer)?;
        }
        make_folder(&wish, &name, &folder, &printer)?;
    }
    // Read before anything starts: a blueprint that cannot be used should cost no waiting.
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
    match home.lock()? {
        None => {
            if wish.model.is_some() || wish.tls_port.is_some() || wish.database_url.is_some() {
                printer.note(
                    "The host process runs already: its model, ports and database are in use, \
                     not those of this command.",
                );
            }
            join(&home, &folder, &printer).await
        }
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

/// The folder of this name here, or the one in which we stand.
fn find_folder(home: &Home, name: &BlueprintName) -> Result<Folder> {
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
async fn join(home: &Home, folder: &Folder, printer: &Printer) -> Result<()> {
    let request = Request::Add { folder: folder.path().to_owned() };
    // The host may be starting or ending just now; give it a moment.
    for _ in 0..50 {
        match control::ask(home, &request).await? {
            Some(Reply::Added { running }) => {
                ready(printer, &running);
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
    let listener = host::listen(wish.port).await?;
    let secure = match wish.tls_port {
        Some(port) => Some((host::listen(port).await?, trust::authority(&home)?)),
        None => None,
    };
    let (inference, credentials) = host::model_server();
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
            models: vec![entry.id.clone()],
            ending: ending.clone(),
        };
        let started = Host::start(parts, &tasks).await?;
        host.get_or_init(|| started).add(folder).await
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
        ready(&printer, running);
        if let Some(advice) = advice {
            printer.note(&advice);
        }
        ended.await;
    }
    // However far it came, what has begun ends in order. A Postgres that was still starting is
    // seen to by its guard.
    if let Some(host) = host.into_inner() {
        host.end().await;
    }
    tasks.close();
    _ = tokio::time::timeout(std::time::Duration::from_secs(8), tasks.wait()).await;
    if let Some(postgres) = postgres.into_inner() {
        postgres.stop().await;
        printer.note("stopped; nothing was lost");
    }
    _ = std::fs::remove_file(socket);
    outcome.map(|_| ())
}

fn ready(printer: &Printer, running: &Running) {
    for text in &running.warnings {
        printer.tell(&Event::Warning { name: &running.name, text });
    }
    printer.tell(&Event::Ready {
        name: &running.name,
        site: &running.site,
        admin_link: running.admin_link.as_deref(),
        folder: &running.folder.to_string_lossy(),
    });
}

/// A failure that happened in the host process.
pub fn passed_on(code: u8, what: String, hint: String) -> Failure {
    Failure { kind: Kind::from_code(code), what, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_no_platform() {
        assert_eq!(almost_a_command("statsu").as_deref(), Some("status"));
        assert_eq!(almost_a_command("help").as_deref(), Some("help"));
        for name in ["my-company", "demo", "acme"] {
            assert_eq!(almost_a_command(name), None, "{name}");
        }
    }
}
