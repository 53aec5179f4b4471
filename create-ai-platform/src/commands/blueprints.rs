//! `check` and `render`: a blueprint without a platform.

use std::path::{Path, PathBuf};

use blueprint::{PlatformBlueprint, Problem};

use crate::failure::{Failure, Kind, Result};
use crate::folder::Folder;
use crate::home::Home;
use crate::host::records;
use crate::look;
use crate::printer::Printer;

/// Says all that is wrong with a blueprint, and what of it cannot be shown as it is written.
pub fn check(file: &Path, home: &Home, printer: &Printer) -> Result<()> {
    let text = read(file)?;
    let folder = folder_of(file)?;
    let kept = records::in_folder(home, &folder)?;
    let checked = blueprint::read(&text).and_then(|blueprint| match renamed(&kept, &blueprint) {
        Some(problem) => Err(vec![problem]),
        None => Ok(blueprint),
    });
    match checked {
        Ok(blueprint) => {
            let mut warnings = look::warnings(&folder, &blueprint);
            warnings.extend(look::without_effect(&blueprint::without_effect(&blueprint)));
            let name = blueprint.metadata.name.unwrap_or_default();
            if printer.is_json() {
                let told = serde_json::json!({ "ok": true, "name": name, "warnings": warnings });
                printer.json(&told);
                return Ok(());
            }
            for warning in &warnings {
                printer.data(&format!("warning: {warning}"));
            }
            let but = if warnings.is_empty() { "" } else { ", but see the warnings" };
            printer.note(&format!("{name}: nothing is wrong{but}"));
            Ok(())
        }
        Err(problems) => {
            if printer.is_json() {
                printer.json(&serde_json::json!({ "ok": false, "problems": problems }));
            } else {
                for problem in &problems {
                    printer.data(&problem.in_file(&located(file).display().to_string()));
                }
            }
            let count = problems.len();
            let what =
                if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
            Err(Failure::new(
                Kind::Blueprint,
                format!("{what} in {}", located(file).display()),
                "Mend these lines and check again.",
            ))
        }
    }
}

/// Prints the whole resource as it will be applied.
pub fn render(file: &Path, printer: &Printer) -> Result<()> {
    let blueprint = parsed(file)?;
    printer.data(blueprint::write(&blueprint).trim_end());
    Ok(())
}

/// Prints the definition of the resource.
pub fn definition(printer: &Printer) {
    printer.data(blueprint::crd_yaml().trim_end());
}

/// A platform whose name was changed: it would be refused while it runs, and be another, empty
/// one afterwards.
fn renamed(kept: &[String], blueprint: &PlatformBlueprint) -> Option<Problem> {
    let name = blueprint.metadata.name.as_deref().unwrap_or_default();
    let known = kept.first().filter(|_| !kept.iter().any(|known| known == name))?;
    Some(Problem::new(
        "metadata.name",
        format!("this folder holds the platform {known}, and a platform keeps its name"),
        known,
    ))
}

/// What a file says, or all that is wrong with it.
pub fn parsed(file: &Path) -> Result<PlatformBlueprint> {
    let text = read(file)?;
    blueprint::read(&text).map_err(|problems| {
        let file = located(file).display().to_string();
        let lines: Vec<String> =
            problems.iter().map(|problem| format!("\n  {}", problem.in_file(&file))).collect();
        Failure::new(
            Kind::Blueprint,
            format!("{file} cannot be used:{}", lines.concat()),
            "Mend these lines and try again.",
        )
    })
}

fn read(file: &Path) -> Result<String> {
    let file = located(file);
    std::fs::read_to_string(&file).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return Failure::new(
                Kind::Files,
                format!("there is no {}", file.display()),
                "Name the file or the platform's folder, or make one: create-ai-platform my-company",
            );
        }
        Failure::file("read", &file, &error)
    })
}

/// The folder that a blueprint lies in.
fn folder_of(file: &Path) -> Result<Folder> {
    let file = Folder::at(&located(file))?;
    Folder::at(file.path().parent().unwrap_or(Path::new("/")))
}

/// The file, or the blueprint of the folder.
fn located(file: &Path) -> PathBuf {
    if file.is_dir() { file.join("blueprint.yaml") } else { file.to_owned() }
}
