//! `domain`: names of its own that a platform on a control plane has.

use std::time::Duration;

use blueprint::Domain as Name;
use remote::{Applied, Domain, Looked};
use serde_json::json;

use super::remote::{client, known};
use crate::cli::{At, Domain as Wish};
use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::printer::Printer;

/// So long is waited for what is found of a name: an operator looks at once.
const SOON: Duration = Duration::from_secs(30);

/// Does it.
pub async fn run(wish: Wish, home: &Home, printer: &Printer) -> Result<()> {
    match wish {
        Wish::List { name, at } => list(&name, at, home, printer).await,
        Wish::Add { name, domain, at } => add(&name, &domain, at, home, printer).await,
        Wish::Remove { name, domain, at } => remove(&name, &domain, at, home, printer).await,
        Wish::Check { name, domain, at } => check(&name, domain, at, home, printer).await,
    }
}

async fn list(name: &str, at: At, home: &Home, printer: &Printer) -> Result<()> {
    let name = known(name)?;
    let platform = remote::find(&client(at, home)?, &name).await?;
    if platform.domains.is_empty() && !printer.is_json() {
        printer.note(&format!(
            "{name} has no names of its own. Give it one: create-ai-platform domain add {name} DOMAIN"
        ));
    }
    platform.domains.iter().for_each(|domain| tell(domain, printer));
    Ok(())
}

async fn add(name: &str, domain: &str, at: At, home: &Home, printer: &Printer) -> Result<()> {
    let (name, domain) = (known(name)?, spelt(domain)?);
    let client = client(at, home)?;
    let (platform, words) = match remote::add_domain(&client, &name, &domain).await? {
        Applied::Created(platform) | Applied::Changed(platform, _) => (platform, "is added to"),
        Applied::Unchanged(platform) => (platform, "is among those of"),
    };
    printer.note(&format!("{domain} {words} {name}."));
    match remote::watch_domain(&client, &platform, domain.as_str(), SOON).await? {
        Looked::News(domain) | Looked::Nothing(Some(domain)) => tell(&domain, printer),
        Looked::Nothing(None) => printer.note(&format!(
            "The record to set is not known yet. See it in a moment: create-ai-platform domain list {name}"
        )),
    }
    Ok(())
}

async fn remove(name: &str, domain: &str, at: At, home: &Home, printer: &Printer) -> Result<()> {
    let (name, domain) = (known(name)?, spelt(domain)?);
    let removed = remote::remove_domain(&client(at, home)?, &name, &domain).await?;
    let is_gone = !matches!(removed, Applied::Unchanged(_));
    if printer.is_json() {
        printer.json(&json!({ "name": name, "domain": domain, "removed": is_gone }));
        return Ok(());
    }
    printer.note(&if is_gone {
        format!("{name} is not met under {domain} any more. Its record in the DNS can go too.")
    } else {
        format!("{domain} is none of the names of {name}; nothing was changed.")
    });
    Ok(())
}

async fn check(
    name: &str,
    domain: Option<String>,
    at: At,
    home: &Home,
    printer: &Printer,
) -> Result<()> {
    let name = known(name)?;
    let client = client(at, home)?;
    let Some(domain) = domain else {
        let platform = remote::recheck(&client, &name).await?;
        platform.domains.iter().for_each(|domain| tell(domain, printer));
        printer.note(&format!(
            "They are looked at again now. See what was found: create-ai-platform domain list {name}"
        ));
        return Ok(());
    };
    let domain = spelt(&domain)?;
    let platform = remote::recheck(&client, &name).await?;
    let looked = remote::watch_domain(&client, &platform, domain.as_str(), SOON).await?;
    match looked {
        Looked::News(domain) => tell(&domain, printer),
        Looked::Nothing(Some(domain)) => {
            tell(&domain, printer);
            if !domain.is_served() {
                printer.note("That is as it was before: nothing else was found of it yet.");
            }
        }
        Looked::Nothing(None) => {
            return Err(Failure::new(
                Kind::Name,
                format!("{domain} is none of the names of {name}"),
                format!("Add it: create-ai-platform domain add {name} {domain}"),
            ));
        }
    }
    Ok(())
}

/// How far a name is, and what its owner has to do.
fn tell(domain: &Domain, printer: &Printer) {
    if printer.is_json() {
        printer.json(domain);
        return;
    }
    printer.data(&format!("{:<40} {}", domain.name.as_str(), domain.state.as_str()));
    if domain.is_served() {
        return;
    }
    if let Some(record) = &domain.record {
        printer.data(&format!("  set    {} {} {}", record.name, record.r#type, record.value));
    }
    for found in &domain.found {
        printer.data(&format!("  found  {found}"));
    }
}

fn spelt(domain: &str) -> Result<Name> {
    let lower = domain.trim_end_matches('.').to_lowercase();
    lower.parse().map_err(|error: blueprint::InvalidText| {
        let hint = "For example: www.my-company.com; other letters than ASCII in their xn-- form";
        Failure::new(Kind::Name, format!("{domain} cannot be a name: {error}"), hint)
    })
}
