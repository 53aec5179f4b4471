//! What is done on a control plane instead of on this machine: `login`, `logout`, `list`, `diff`,
//! `apply`, `delete`, `undelete`, `admin-link` and `NAME --control-plane URL`.

use std::time::Duration;

use blueprint::BlueprintName;
use remote::{Address, Applied, Bounds, Client, Difference, Key, Keys, Overruled, State};
use serde_json::json;

use super::{blueprints, create};
use crate::cli::{At, Create, FileAt};
use crate::failure::{Done, Failure, Kind, Result};
use crate::home::Home;
use crate::printer::{Event, Printer};

/// Keeps a key, once the control plane has said whose it is.
pub async fn login(url: &str, home: &Home, printer: &Printer) -> Result<()> {
    let address: Address = url.parse()?;
    let typed = printer.ask_secret(&format!("A key of {address}, as its console shows it once:"));
    let typed = typed.map_err(|error| {
        let hint = "Hand it over: create-ai-platform login URL < FILE";
        Failure::new(Kind::Key, format!("could not read a key: {error}"), hint)
    })?;
    let key: Key = typed.parse()?;
    let client = Client::new(address.clone(), &key, Bounds::default())?;
    let organization = remote::organization(&client).await?;
    keys(home).keep(&address, &key)?;
    if printer.is_json() {
        let address = address.to_string();
        printer.json(&json!({ "controlPlane": address, "organization": organization }));
    }
    printer.note(&format!("Logged in to {address} for {}.", organization.name));
    Ok(())
}

/// Forgets a key.
pub fn logout(url: &str, home: &Home, printer: &Printer) -> Result<()> {
    let address: Address = url.parse()?;
    let was_kept = keys(home).forget(&address)?;
    printer.note(&if was_kept {
        format!("Logged out of {address}. The key is good until the console takes it back.")
    } else {
        format!("No key was kept for {address}.")
    });
    Ok(())
}

/// Says which platforms there are, and how they stand.
pub async fn list(at: At, home: &Home, printer: &Printer) -> Result<()> {
    let platforms = remote::list(&client(at, home)?).await?;
    if printer.is_json() {
        for platform in &platforms {
            printer.json(platform);
        }
        return Ok(());
    }
    if platforms.is_empty() {
        printer.note(
            "There are no platforms yet. Make one: create-ai-platform my-company --control-plane URL",
        );
    }
    for platform in platforms {
        let url = platform.url.unwrap_or_default();
        printer.data(&format!("{:<40} {:<12} {url}", platform.name.as_str(), platform.phase));
    }
    Ok(())
}

/// Says where a blueprint and its platform differ.
pub async fn diff(file: FileAt, home: &Home, printer: &Printer) -> Result<Done> {
    let (_, difference) = difference(file, home, printer).await?;
    let (name, state) = (difference.name(), difference.state());
    if printer.is_json() {
        printer.json(&json!({ "name": name, "state": state, "changes": difference.changes() }));
    } else {
        for line in difference.lines() {
            printer.data(line.as_str());
        }
        match state {
            State::New => printer.note(&format!("{name} is not there yet: all of it is new.")),
            State::Same => printer.note(&format!("{name} is as its blueprint says.")),
            State::Changed => {}
        }
    }
    Ok(if state == State::Same { Done::Well } else { Done::Differs })
}

/// Says what a blueprint would do, were it applied.
pub async fn preview(file: FileAt, home: &Home, printer: &Printer) -> Result<()> {
    let (client, difference) = difference(file, home, printer).await?;
    let preview = difference.preview(&client).await?;
    let (name, changes) = (difference.name(), difference.changes());
    if printer.is_json() {
        printer.json(&json!({ "name": name, "changes": changes, "preview": preview }));
        return Ok(());
    }
    for line in difference.lines() {
        printer.data(line.as_str());
    }
    for line in preview.lines() {
        printer.note(line.as_str());
    }
    Ok(())
}

/// Has a platform be as its blueprint says; waits until it is, so many minutes at most.
pub async fn apply(file: FileAt, wait: Option<u64>, home: &Home, printer: &Printer) -> Result<()> {
    let (client, difference) = difference(file, home, printer).await?;
    let name = difference.name().clone();
    let lines = difference.lines();
    let (outcome, platform, changes, words) =
        match difference.apply(&client, rand::random()).await? {
            Applied::Created(platform) => ("created", platform, Vec::new(), "is made."),
            Applied::Changed(platform, changes) => ("changed", platform, changes, "is changed."),
            Applied::Unchanged(platform) => {
                ("unchanged", platform, Vec::new(), "is so already; nothing was changed.")
            }
        };
    if printer.is_json() {
        printer.json(&json!({ "name": name, "outcome": outcome, "changes": changes }));
    }
    for line in lines.iter().filter(|_| !printer.is_json()) {
        printer.data(line.as_str());
    }
    printer.note(&format!("{name} {words}"));
    match wait {
        Some(minutes) => waited(&client, &platform, minutes, Owner::Known, printer).await,
        None => Ok(()),
    }
}

/// Whether somebody owns a platform who can get in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Somebody may.
    Known,
    /// It was just made.
    None,
}

/// Waits until a platform is ready, and says where it answers and how its first owner gets in.
async fn waited(
    client: &Client,
    platform: &remote::Platform,
    minutes: u64,
    owner: Owner,
    printer: &Printer,
) -> Result<()> {
    let name = platform.name.as_str();
    let told = |now: &remote::Standing| {
        let waits_for = now.waits_for.as_ref().map(remote::Plain::as_str);
        printer.tell(&Event::Stands { name, phase: now.phase.as_str(), waits_for });
    };
    let ready = remote::wait(client, platform, Duration::from_mins(minutes), told).await?;
    // Each link ends the one before: none is made where somebody may have one.
    let link = match owner {
        Owner::None => let_in(client, &ready, printer).await,
        Owner::Known => None,
    };
    if printer.is_json() {
        let link = link.as_ref().map(|link| &link.url);
        let event = json!({ "event": "ready", "name": name, "site": ready.url, "adminLink": link });
        printer.json(&event);
        return Ok(());
    }
    printer.data(ready.url.unwrap_or_default().as_str());
    if let Some(link) = link {
        printer.data(link.url.as_str());
        printer.note("The second line makes you the owner; it works once, for 24 hours.");
    }
    Ok(())
}

/// The link for the first owner. Without it the platform is made all the same.
async fn let_in(
    client: &Client,
    ready: &remote::Platform,
    printer: &Printer,
) -> Option<remote::AdminLink> {
    match remote::admin_link(client, ready).await {
        Ok(link) => Some(link),
        Err(error) => {
            let name = ready.name.as_str();
            printer.note(&format!("{name} is ready, but there is no admin link: {error}"));
            let url = client.address();
            printer.note(&format!(
                "Later: create-ai-platform admin-link {name} --control-plane {url}"
            ));
            None
        }
    }
}

/// Prints a one-time link that lets a platform's owner in, in place of a former one.
pub async fn admin_link(name: &str, url: String, home: &Home, printer: &Printer) -> Result<()> {
    let name = known(name)?;
    let client = client(At { control_plane: Some(url) }, home)?;
    let platform = remote::find(&client, &name).await?;
    let link = remote::admin_link(&client, &platform).await?;
    if printer.is_json() {
        printer.json(&json!({ "name": name, "adminLink": link.url, "expiresAt": link.expires_at }));
    } else {
        printer.data(link.url.as_str());
    }
    Ok(())
}

/// Stops a platform; its data is kept.
pub async fn delete(name: &str, at: At, yes: bool, home: &Home, printer: &Printer) -> Result<()> {
    let name = known(name)?;
    let client = client(at, home)?;
    let question = format!(
        "This stops {name} on {} at once. Its data is kept for 30 days.\nType its name to go on:",
        client.address()
    );
    let typed = if yes { Some(name.to_string()) } else { printer.ask(&question) };
    let deleted = remote::delete(&client, &name, &typed.unwrap_or_default()).await?;
    if printer.is_json() {
        printer.json(&deleted);
        return Ok(());
    }
    printer.note(&format!("{name} is deleted. Back: create-ai-platform undelete {name}"));
    Ok(())
}

/// Brings a platform back.
pub async fn undelete(name: &str, at: At, home: &Home, printer: &Printer) -> Result<()> {
    let name = known(name)?;
    let back = remote::undelete(&client(at, home)?, &name).await?;
    if printer.is_json() {
        printer.json(&back);
        return Ok(());
    }
    printer.note(&format!("{name} comes back. See how it stands: create-ai-platform list"));
    Ok(())
}

/// Makes a platform there, of the folder of its name, which is made first where there is none.
pub async fn create(wish: &Create, yes: bool, home: &Home, printer: &Printer) -> Result<()> {
    let name = create::name(wish)?;
    let client = client(At { control_plane: wish.control_plane.clone() }, home)?;
    create::tell_idle(&create::idle_elsewhere(wish), printer, || {
        format!("{name} runs on {}.", client.address())
    });
    let folder = create::find_folder(home, &name)?;
    let spec = create::described(wish, yes, &name, &folder, printer)?;
    let difference = Difference::between(&client, name, spec).await?;
    tell_overruled(difference.overruled(), printer);
    let (done, owner) = match difference.state() {
        State::New => ("is made", Owner::None),
        _ => ("is there already", Owner::Known),
    };
    let made = difference.create(&client, rand::random()).await?;
    let name = made.name.as_str();
    let Some(minutes) = wish.wait else {
        if printer.is_json() {
            printer.json(&made);
        }
        let file = folder.blueprint_file();
        printer.note(&format!("{name} {done}; its blueprint is {}", file.display()));
        printer.note("See how it comes up: create-ai-platform list");
        return Ok(());
    };
    waited(&client, &made, minutes, owner, printer).await
}

/// Between a file and what is there, with what of the file does not count.
async fn difference(file: FileAt, home: &Home, printer: &Printer) -> Result<(Client, Difference)> {
    let FileAt { file, at } = file;
    let read = blueprints::parsed(&file)?;
    let name = known(read.metadata.name.as_deref().unwrap_or_default())?;
    let client = client(at, home)?;
    let difference = Difference::between(&client, name, read.spec).await?;
    tell_overruled(difference.overruled(), printer);
    Ok((client, difference))
}

fn tell_overruled(overruled: Option<Overruled>, printer: &Printer) {
    if let Some(Overruled { wished, paid }) = overruled {
        printer.note(&format!(
            "spec.plan: {wished} has no effect; the organization pays for {paid}, which counts"
        ));
    }
}

pub(super) fn client(at: At, home: &Home) -> Result<Client> {
    let keys = keys(home);
    let address: Address = match at.control_plane {
        Some(url) => url.parse()?,
        None => keys.only()?,
    };
    let key = keys.of(&address)?;
    Ok(Client::new(address, &key, Bounds::default())?)
}

fn keys(home: &Home) -> Keys {
    Keys::at(home.control_planes())
}

pub(super) fn known(name: &str) -> Result<BlueprintName> {
    name.parse().map_err(|error: blueprint::InvalidName| {
        let hint = "See which there are: create-ai-platform list";
        Failure::new(Kind::Name, error.to_string(), hint)
    })
}
