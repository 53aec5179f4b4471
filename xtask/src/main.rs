//! The project's own tasks: `cargo xtask test`, `soak`, `generate`, `bench`, `cluster`, `gpu`
//! and `npm`.
//!
//! Light on purpose: it is compiled in every clone before anything else, so it names none of
//! our crates and speaks to the rest through programs.

mod bench;
mod clones;
mod cluster;
mod generate;
mod go;
mod npm;
mod postgres;
mod process;
mod project;
mod python;
mod room;
mod say;
mod soak;
mod suites;
mod system;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::cluster::Cluster;
use crate::project::Project;
use crate::soak::Soak;
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

    /// This crate's folder in the clone that is meant; what is compiled in may be another's.
    #[arg(long, global = true, hide = true, env = "CARGO_MANIFEST_DIR", value_name = "DIR")]
    manifest: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Task {
    /// Runs the test suites: what CI runs, all of it unless suites are named.
    Test {
        /// Only this suite; may be given several times.
        #[arg(long = "suite", value_name = "NAME")]
        suites: Vec<Suite>,
    },
    /// Long runs that are kept out of CI; without a name, says which there are.
    Soak {
        /// Which one.
        name: Option<Soak>,
        /// Repeats the run that had this seed.
        #[arg(long, requires = "name")]
        seed: Option<u64>,
    },
    /// Renews the committed files that are made from others: CRD, schemas, `.sqlx`.
    Generate,
    /// Measures the real command, for `docs/figures.md`.
    Bench {
        /// What is measured.
        #[command(subcommand)]
        bench: Bench,
    },
    /// Real Kubernetes for tests, in network namespaces of their own. Linux, as root.
    Cluster {
        /// What is done.
        #[command(subcommand)]
        cluster: Cluster,
    },
    /// Builds the model server for the NVIDIA GPU of this machine and measures it there.
    Gpu,
    /// Packs what `npx create-ai-platform` installs, with the program for this platform.
    Npm {
        /// Where the tarballs go; `target/npm` if not said.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Cli { task, cache_home, manifest } = Cli::parse();
    if matches!(&task, Task::Cluster { cluster } if cluster.is_for_a_program()) {
        say::aside();
    }
    let done = Project::find(manifest, cache_home).and_then(|project| match task {
        Task::Test { suites } => Ok(suites::run(&project, &suites)),
        Task::Soak { name: Some(soak), seed } => Ok(soak::run(&project, soak, seed)),
        Task::Soak { name: None, .. } => {
            soak::list();
            Ok(true)
        }
        Task::Generate => generate::run(&project).map(|()| true),
        Task::Bench { bench } => bench::run(&project, bench).map(|()| true),
        Task::Cluster { cluster } => cluster::run(&project, cluster),
        Task::Gpu => bench::gpu(&project).map(|()| true),
        Task::Npm { out } => npm::run(&project, out).map(|()| true),
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_run_in_a_cluster_keeps_its_own_options() {
        let words = ["cargo xtask", "cluster", "exec", "--name", "a", "--", "ls", "--name", "b"];
        let Task::Cluster { cluster: Cluster::Exec { command, .. } } = Cli::parse_from(words).task
        else {
            panic!("another task");
        };
        assert_eq!(command, ["ls", "--name", "b"]);
    }
}
