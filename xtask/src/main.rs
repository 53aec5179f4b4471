//! The project's own tasks: `cargo xtask test` and `cargo xtask generate`.
//!
//! Light on purpose: it is compiled in every clone before anything else, so it names none of
//! our crates and speaks to the rest through programs.

mod generate;
mod postgres;
mod process;
mod project;
mod say;
mod suites;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::project::Project;
use crate::suites::Suite;

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,

    /// Where downloads and tools are kept between runs and shared by clones.
    #[arg(long, global = true, env = "XDG_CACHE_HOME", value_name = "DIR")]
    cache_home: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Task {
    /// Runs the test suites: what CI runs, all of it unless suites are named.
    Test {
        /// Only this suite; may be given several times.
        #[arg(long = "suite", value_name = "NAME")]
        suites: Vec<Suite>,
    },
    /// Renews the committed files that are made from others: CRD, schemas, `.sqlx`.
    Generate,
}

fn main() -> ExitCode {
    let Cli { task, cache_home } = Cli::parse();
    let done = Project::find(cache_home).and_then(|project| match task {
        Task::Test { suites } => Ok(suites::run(&project, &suites)),
        Task::Generate => generate::run(&project).map(|()| true),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say::error(&error);
            ExitCode::FAILURE
        }
    }
}
