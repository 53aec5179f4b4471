//! `logs`: what happened to a platform, as far as it is ours to tell.
//!
//! Of one of this machine that is what its host wrote of it. A control plane reads nobody's logs: of one there it
//! is what was done to it and how it stands, and whoever runs the cluster is told where its logs are.

use std::io::ErrorKind;

use remote::{Plain, Standing};
use serde_json::json;

use super::remote::{client, known};
use super::state::no_such;
use crate::cli::At;
use crate::failure::{Failure, Result};
use crate::home::Home;
use crate::host::records;
use crate::printer::{Event, Printer};

/// By which fields a line says which platform it is about.
const FIELDS: [&str; 3] = [" name=", " tenant=", " platform="];

/// Of a platform of this machine: the latest lines that its host wrote of it.
pub fn here(name: &str, most: usize, home: &Home, printer: &Printer) -> Result<()> {
    if records::find(home, name)?.is_none() {
        let mut failure = no_such(name);
        failure.hint.push_str("; of one on a control plane: --control-plane URL");
        return Err(failure);
    }
    let mut lines = Vec::new();
    for path in [home.older_log(), home.log()] {
        match std::fs::read(&path) {
            Ok(text) => {
                let text = String::from_utf8_lossy(&text);
                lines.extend(text.lines().filter(|line| is_about(line, name)).map(Plain::from));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::file("read", &path, &error)),
        }
    }
    for line in lines.iter().skip(lines.len().saturating_sub(most)) {
        if printer.is_json() {
            printer.json(&json!({ "name": name, "line": line }));
        } else {
            printer.data(line.as_str());
        }
    }
    if lines.is_empty() {
        printer.note(&format!("The host has written nothing of {name}."));
    }
    printer.note(&format!("All that the host wrote is in {}", home.log().display()));
    Ok(())
}

/// Of one on a control plane: what was done to it and how it stands.
pub async fn afar(
    name: &str,
    url: String,
    follow: bool,
    home: &Home,
    printer: &Printer,
) -> Result<()> {
    let name = known(name)?;
    let client = client(At { control_plane: Some(url) }, home)?;
    let platform = remote::find(&client, &name).await?;
    for operation in remote::operations(&client, &platform).await? {
        if printer.is_json() {
            printer.json(&operation);
        } else {
            printer.data(&operation.to_string());
        }
    }
    if printer.is_json() {
        printer.json(&platform);
    } else {
        printer.data(&format!("{}  {}", platform.created_at, Standing::of(&platform)));
        for it in &platform.conditions {
            printer.data(&format!(
                "  {:<20} {:<8} {}",
                it.r#type.as_str(),
                it.status.as_str(),
                it.message
            ));
        }
    }
    printer.note(&format!(
        "Its programs' logs are the cluster's: kubectl logs --namespace tenant-{name} deployment/runtime"
    ));
    if !follow {
        return Ok(());
    }
    let told = |now: &Standing| {
        let waits_for = now.waits_for.as_ref().map(Plain::as_str);
        printer.tell(&Event::Stands { name: name.as_str(), phase: now.phase.as_str(), waits_for });
    };
    Ok(remote::listen(&client, &platform, told).await?)
}

/// Whether a line of the host's log says that it is about this platform.
fn is_about(line: &str, name: &str) -> bool {
    let goes_on = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    FIELDS.iter().any(|field| {
        line.match_indices(field).any(|(at, _)| {
            let value = line[at + field.len()..].trim_start_matches('"');
            value.strip_prefix(name).is_some_and(|rest| !rest.starts_with(goes_on))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_about_the_platform_that_it_names_and_no_other() {
        for line in [
            "INFO tidy: removed what was over name=acme sessions=1",
            "WARN host: it does not start name=\"acme\"",
            "INFO answer: left the queue tenant=\"acme\"",
        ] {
            assert!(is_about(line, "acme"), "{line}");
            assert!(!is_about(line, "acm") && !is_about(line, "cme"), "{line}");
        }
        for line in ["INFO name=acme-two", "INFO acme", "INFO name=acme2 of=acme"] {
            assert!(!is_about(line, "acme"), "{line}");
        }
    }
}
