//! `trust`: makes this machine's browsers believe the local certificate authority.

use std::path::Path;
use std::process::Command;

use certificates::LocalAuthority;

use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::printer::Printer;

/// Where systems look for authorities of their own, and what tells them to look again.
const STORES: [(&str, &str, &[&str]); 2] = [
    ("/usr/local/share/ca-certificates", "update-ca-certificates", &[]),
    ("/etc/pki/ca-trust/source/anchors", "update-ca-trust", &["extract"]),
];
const FILE: &str = "create-ai-platform-local.crt";

/// The local authority of this person; made when there is none.
pub fn authority(home: &Home) -> Result<LocalAuthority> {
    home.prepare()?;
    LocalAuthority::read_or_create(&home.authority()).map_err(|error| {
        Failure::new(Kind::Files, error.to_string(), "Then run the same command again.")
    })
}

/// Puts its certificate where the system looks, or says where it is.
pub fn run(print: bool, home: &Home, printer: &Printer) -> Result<()> {
    let authority = authority(home)?;
    let file = authority.file();
    if print {
        tell(file, printer);
        return Ok(());
    }
    let store = STORES.into_iter().find(|(folder, ..)| Path::new(folder).is_dir());
    let Some((folder, program, args)) = store else {
        return Err(by_hand(file, "this system keeps its authorities somewhere else"));
    };
    let target = Path::new(folder).join(FILE);
    std::fs::copy(file, &target).map_err(|error| {
        by_hand(file, &format!("could not write {}: {error}", target.display()))
    })?;
    let status = Command::new(program)
        .args(args)
        .stdout(std::process::Stdio::null())
        .status()
        .map_err(|error| by_hand(file, &format!("could not run {program}: {error}")))?;
    if !status.success() {
        return Err(by_hand(file, &format!("{program} failed: {status}")));
    }
    printer.note("This machine trusts the local authority, for names under .localhost only.");
    printer.note("Firefox and Chromium on Linux keep their own list; import this file there:");
    tell(file, printer);
    Ok(())
}

fn tell(file: &Path, printer: &Printer) {
    if printer.is_json() {
        printer.json(&serde_json::json!({ "file": file }));
    } else {
        printer.data(&file.display().to_string());
    }
}

fn by_hand(file: &Path, why: &str) -> Failure {
    Failure::new(
        Kind::Files,
        format!("the local authority is not trusted yet: {why}"),
        format!(
            "Run it as an administrator, or import this file in your browser: {}",
            file.display()
        ),
    )
}
