//! `status` and `stop`.

use std::time::Duration;

use serde::Serialize;

use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::host::control::{self, Reply, Request, Running};
use crate::host::{records, resources, unexpected};
use crate::printer::Printer;

use super::create::passed_on;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    name: String,
    running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secure_site: Option<String>,
    folder: String,
    /// Whether its data is in a database of the person's own.
    external: bool,
    /// Whether it was deleted in the console, which can bring it back.
    deleted: bool,
}

/// Says which platforms there are, and where those that run answer.
pub async fn status(home: &Home, printer: &Printer) -> Result<()> {
    let running = running(home).await?;
    let mut lines = Vec::new();
    for name in records::names(home)? {
        let found = running.iter().find(|platform| platform.name == name);
        // Somebody may have destroyed it since the names were read.
        let Some(record) = records::find(home, &name)? else { continue };
        lines.push(Line {
            running: found.is_some(),
            site: found.map(|platform| platform.site.clone()),
            secure_site: found.and_then(|platform| platform.secure_site.clone()),
            folder: record.folder.display().to_string(),
            external: record.kept.external,
            deleted: resources::find(home, &name)?.is_some_and(|kept| kept.deleted_at.is_some()),
            name,
        });
    }
    if printer.is_json() {
        for line in &lines {
            printer.json(line);
        }
        return Ok(());
    }
    if lines.is_empty() {
        printer.note("There are no platforms yet. Make one: create-ai-platform my-company");
    }
    for Line { name, running: _, site, secure_site: _, folder, external, deleted } in lines {
        let stopped = match (deleted, external) {
            (true, _) => "deleted in the console, data kept",
            (false, true) => "stopped, data in your database",
            (false, false) => "stopped",
        };
        let state = site.unwrap_or_else(|| stopped.to_owned());
        printer.data(&format!("{name:<20} {state:<40} {folder}"));
    }
    Ok(())
}

/// Stops one platform, or all of them with the host process, and waits until that is so.
pub async fn stop(name: Option<String>, home: &Home, printer: &Printer) -> Result<()> {
    let request = match &name {
        Some(name) => Request::Stop { name: name.clone() },
        None => Request::StopAll,
    };
    reachable(home).await?;
    let last = match &name {
        Some(name) => running(home).await?.iter().all(|platform| platform.name == *name),
        None => true,
    };
    let ran = match control::ask(home, &request).await? {
        None => false,
        Some(Reply::Stopped { ran }) => ran,
        Some(Reply::Failed { code, what, hint }) => return Err(passed_on(code, what, hint)),
        Some(other) => return Err(unexpected(&format!("the host answered {other:?}"))),
    };
    if let Some(name) = &name
        && !ran
        && records::find(home, name)?.is_none()
    {
        return Err(no_such(name));
    }
    if ran && last {
        gone(home).await?;
    }
    printer.note(&match (name, ran) {
        (Some(name), true) => format!("{name} is stopped"),
        (Some(name), false) => format!("{name} was not running"),
        (None, true) => "everything is stopped".to_owned(),
        (None, false) => "nothing was running".to_owned(),
    });
    Ok(())
}

/// Prints a one-time link that lets a running platform's owner in.
pub async fn admin_link(name: String, home: &Home, printer: &Printer) -> Result<()> {
    let request = Request::AdminLink { name: name.clone() };
    match control::ask(home, &request).await? {
        Some(Reply::AdminLink { link: Some(link) }) => {
            if printer.is_json() {
                printer.json(&serde_json::json!({ "name": name, "adminLink": link }));
            } else {
                printer.data(&link);
            }
            Ok(())
        }
        Some(Reply::Failed { code, what, hint }) => Err(passed_on(code, what, hint)),
        Some(Reply::AdminLink { link: None }) | None => {
            if records::find(home, &name)?.is_none() {
                return Err(no_such(&name));
            }
            Err(Failure::new(
                Kind::NoPlatform,
                format!("{name} does not run"),
                format!("Run it first: create-ai-platform {name}"),
            ))
        }
        Some(other) => Err(unexpected(&format!("the host answered {other:?}"))),
    }
}

/// The platforms that run.
pub async fn running(home: &Home) -> Result<Vec<Running>> {
    match control::ask(home, &Request::Status).await? {
        None => Ok(Vec::new()),
        Some(Reply::Platforms { platforms }) => Ok(platforms),
        Some(Reply::Failed { code, what, hint }) => Err(passed_on(code, what, hint)),
        Some(other) => Err(unexpected(&format!("the host answered {other:?}"))),
    }
}

/// A name nobody has.
pub fn no_such(name: &str) -> Failure {
    Failure::new(
        Kind::NoPlatform,
        format!("there is no platform named {name}"),
        "See which there are: create-ai-platform status",
    )
}

/// A host process that takes no requests yet, or no more.
pub fn busy() -> Failure {
    Failure::new(
        Kind::Host,
        "the host process is starting or ending",
        "Wait a moment and run the same command again.",
    )
}

/// Waits until the host process takes requests, or there is none. A host has its lock long
/// before its socket.
async fn reachable(home: &Home) -> Result<()> {
    for _ in 0..100 {
        if control::ask(home, &Request::Status).await?.is_some() || !home.is_held()? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(busy())
}

/// Waits until the host process has ended, which is when its lock is free. Its platforms take 7
/// seconds at most, its servers 8, Postgres 13.
async fn gone(home: &Home) -> Result<()> {
    for _ in 0..600 {
        if let Some(lock) = home.lock()? {
            drop(lock);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Failure::new(
        Kind::Host,
        "the host process has not ended in 30 seconds",
        "Look at its terminal or at host.log.",
    ))
}
