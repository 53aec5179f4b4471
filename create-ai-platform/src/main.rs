//! One command makes a live AI platform, and keeps it running.
//!
//! ```text
//! cli -> commands -> host (postgres, models, platform, gate, control) -> tenant-runtime, inference
//! ```
//! Only `printer` prints; only here is the exit code chosen.

mod cli;
mod commands;
mod failure;
mod files;
mod folder;
mod home;
mod host;
mod log;
mod look;
mod printer;
mod program;
mod watch;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::failure::{Done, Failure, Kind, Result};
use crate::home::Home;
use crate::printer::Printer;

fn main() -> ExitCode {
    // Before anything else: the guard must be small, and its death signal belongs to this thread.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == database::guard::SUBCOMMAND) {
        return database::guard::run(args);
    }
    let Cli { command, create, talk, places } = match Cli::read() {
        Ok(cli) => cli,
        Err(true) => return ExitCode::SUCCESS,
        // The usual code for a command line that cannot be used.
        Err(false) => return ExitCode::from(2),
    };
    let printer = Printer::new(talk.json);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| host::unexpected(&format!("start the runtime: {error}")))
        .and_then(|runtime| {
            let done = runtime.block_on(run(command, create, talk.yes, &places, &printer));
            // The engine's threads end with the process.
            runtime.shutdown_background();
            done
        });
    match outcome {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Differs) => ExitCode::from(1),
        Err(failure) => {
            printer.failure(&failure);
            ExitCode::from(failure.kind as u8)
        }
    }
}

async fn run(
    command: Option<Command>,
    create: cli::Create,
    yes: bool,
    places: &cli::Places,
    printer: &Printer,
) -> Result<Done> {
    use commands::{blueprints, data, domains, logs, remote, shell, state, trust};
    let home = || Home::find(places);
    let done = match command {
        None if create.control_plane.is_some() => {
            Box::pin(remote::create(&create, yes, &home(), printer)).await
        }
        None => {
            fit_processor()?;
            let home = home();
            home.prepare()?;
            log::begin(&home)?;
            Box::pin(commands::create::run(create, yes, home, printer.clone())).await
        }
        Some(Command::Check { file }) => blueprints::check(&file, &home(), printer),
        Some(Command::Render { crd: true, .. }) => {
            blueprints::definition(printer);
            Ok(())
        }
        Some(Command::Render { file, .. }) => blueprints::render(&file, printer),
        Some(Command::Status) => state::status(&home(), printer).await,
        Some(Command::Stop { name, .. }) => state::stop(name, &home(), printer).await,
        Some(Command::AdminLink { name, control_plane: Some(url) }) => {
            Box::pin(remote::admin_link(&name, url, &home(), printer)).await
        }
        Some(Command::AdminLink { name, control_plane: None }) => {
            state::admin_link(name, &home(), printer).await
        }
        Some(Command::Logs { name, control_plane: Some(url), follow, .. }) => {
            Box::pin(logs::afar(&name, url, follow, &home(), printer)).await
        }
        Some(Command::Logs { name, lines, .. }) => logs::here(&name, lines, &home(), printer),
        Some(Command::Console { email }) => commands::console::run(email, &home(), printer).await,
        Some(Command::Backup { name, output }) => {
            Box::pin(data::backup(&name, output, &home(), printer)).await
        }
        Some(Command::Restore { file, name }) => {
            Box::pin(data::restore(&file, name, &home(), printer)).await
        }
        Some(Command::Destroy { name, confirm }) => {
            Box::pin(data::destroy(&name, confirm, &home(), printer)).await
        }
        Some(Command::Trust { print }) => trust::run(print, &home(), printer),
        Some(Command::Models { what }) => commands::models::run(what, &home(), printer).await,
        Some(Command::Login { url }) => Box::pin(remote::login(&url, &home(), printer)).await,
        Some(Command::Logout { url }) => remote::logout(&url, &home(), printer),
        Some(Command::List { at }) => Box::pin(remote::list(at, &home(), printer)).await,
        Some(Command::Diff { file }) => {
            return Box::pin(remote::diff(file, &home(), printer)).await;
        }
        Some(Command::Apply { file, dry_run: true, .. }) => {
            Box::pin(remote::preview(file, &home(), printer)).await
        }
        Some(Command::Apply { file, wait, .. }) => {
            Box::pin(remote::apply(file, wait, &home(), printer)).await
        }
        Some(Command::Domain { what }) => Box::pin(domains::run(what, &home(), printer)).await,
        Some(Command::Delete { name, at }) => {
            Box::pin(remote::delete(&name, at, yes, &home(), printer)).await
        }
        Some(Command::Undelete { name, at }) => {
            Box::pin(remote::undelete(&name, at, &home(), printer)).await
        }
        Some(Command::Completions { shell }) => {
            shell::completions(shell, printer);
            Ok(())
        }
        Some(Command::Man) => shell::man(printer),
    };
    done.map(|()| Done::Well)
}

fn fit_processor() -> Result<()> {
    engine_mistralrs::cpu::built_for_this_cpu().map_err(|missing| {
        Failure::new(
            Kind::Processor,
            missing.to_string(),
            "Build it for this machine: RUSTFLAGS=\"-C target-cpu=native\" cargo run --release",
        )
    })
}
