//! `cargo xtask bench`: measures the real release binary and prints the rows of
//! `docs/figures.md`. Linux only: memory and load are read from `/proc`.

mod billing;
mod control_plane;
mod edge;
mod figures;
mod gpu;
mod guesses;
mod http;
mod inference;
mod issuing;
mod machine;
mod memory;
mod one_command;
mod operator;
mod person;
mod platform;
mod told;
mod usage;

use anyhow::Result;
use clap::Subcommand;

use crate::project::Project;

/// What can be measured.
#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Bench {
    /// From the command to the first page and the first words, four people at once, memory.
    OneCommand,
    /// The model server: what it adds to a request, how fair it is, what records cost, how fast the
    /// engines are.
    Inference,
    /// The operator with ten thousand platforms: passes, repairs, memory, restart. As root.
    Operator,
    /// The control plane with ten thousand platforms: 200 requests a second, lists, the console. As root.
    ControlPlane,
    /// 100,000 guesses at passwords of the console from 1,000 addresses: how many are looked at, and how
    /// long others take to sign in meanwhile.
    Guesses,
    /// What was used, told to a control plane: answers taken in a second, of one tenant and of a thousand.
    Usage,
    /// Webhooks stored in a second, a burst of a hundred thousand whose readers are killed, a payout of a million
    /// rows held against the ledger; on a Postgres that waits for its disk.
    Billing,
    /// An edge with a hundred thousand names: starts, cold names, memory, issued to served; and held
    /// against nginx.
    Edge,
    /// Certificates an hour from a real authority; and ten thousand of them while it refuses and
    /// fails, and whoever orders them is killed every 30 seconds.
    Issuing,
}

/// Builds for the GPU of this machine and measures on it; says so where there is none.
pub(crate) fn gpu(project: &Project) -> Result<()> {
    gpu::run(project)
}

/// Measures, and prints a table.
pub(crate) fn run(project: &Project, bench: Bench) -> Result<()> {
    match bench {
        Bench::OneCommand => one_command::run(project),
        Bench::Inference => inference::run(project),
        Bench::Operator => operator::run(project),
        Bench::ControlPlane => control_plane::run(project),
        Bench::Guesses => guesses::run(project),
        Bench::Usage => usage::run(project),
        Bench::Billing => billing::run(project),
        Bench::Edge => edge::run(project),
        Bench::Issuing => issuing::run(project),
    }
}
