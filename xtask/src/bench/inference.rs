//! The model server, by the programs that measure its parts.

use anyhow::{Result, bail};

use super::told::{Goal, Target, row};
use super::{figures, machine};
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::{say, tools};

const COMMAND: &str = "cargo xtask bench inference";

/// A program: its crates, its name, and what it is to measure.
type Program = (&'static [&'static str], &'static str, &'static [&'static str]);

const PROGRAMS: [Program; 5] = [
    (&["inference"], "latency", &[]),
    (&["inference"], "fairness", &[]),
    (&["inference"], "spool", &[]),
    (&["inference"], "safety", &[]),
    // Beside the crate that everybody builds, so that features stay the same.
    (&["create-ai-platform", "model-server"], "whole", &WHOLE),
];

/// Of the whole server with a real model.
const WHOLE: [&str; 6] = ["llama", "mistral", "flood", "slow-reader", "probe", "kills"];

/// Measures everything, one program after the other.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(120);
    tools::debian(project, "taskset", "util-linux", deadline)?;
    tools::llamacpp(project, deadline)?;
    for program in PROGRAMS {
        process::run(bench(project, program).arg("--no-run"), deadline)?;
    }
    let load = machine::wait_until_quiet();
    let mut rows = Vec::new();
    for program in PROGRAMS {
        let (_, name, measures) = program;
        say::head(name);
        let before = rows.len();
        let mut bench = bench(project, program);
        let status = process::watch(bench.arg("--").args(measures), deadline, |line| {
            rows.extend(row(line, &TARGETS));
            say::line(line);
        })?;
        if !status.success() || rows.len() == before {
            bail!("{name} measured nothing, or ended early ({status})");
        }
    }
    say::line("");
    say::line(&machine::description(load));
    for line in figures::table(&rows, &machine::today()?, COMMAND) {
        say::line(&line);
    }
    Ok(())
}

fn bench(project: &Project, (crates, name, _): Program) -> std::process::Command {
    let mut bench = project.cargo(["bench", "--locked", "--bench", name]);
    for name in crates {
        bench.args(["--package", name]);
    }
    if crates.contains(&"create-ai-platform") {
        bench.args(["--features", "create-ai-platform/llamacpp"]);
    }
    bench
}

/// What some measures are to be, in the unit they are printed in.
const TARGETS: [Target; 34] = [
    ("latency added, p50", Goal::AtMost, 0.15),
    ("latency added, p99", Goal::AtMost, 1.0),
    (
        "first token p99 under a tenfold flood, prompts of 50 to 800 read in pieces of 64",
        Goal::AtMost,
        1.5,
    ),
    ("first token p99 under a tenfold flood, pieces of 32", Goal::AtMost, 1.5),
    ("first token p99 under a tenfold flood, pieces of 128", Goal::AtMost, 1.5),
    ("first token p99 under a tenfold flood, prompts of 50 to 61, pieces of 64", Goal::AtMost, 1.5),
    ("first token p99 under a tenfold flood, prompts of 50 to 61, pieces of 32", Goal::AtMost, 1.5),
    ("largest gap of two equals in 30 s", Goal::AtMost, 5.0),
    ("Jain index, 100 tenants 1:2:4", Goal::AtLeast, 0.99),
    ("a starter beside 30 enterprises", Goal::AtLeast, 5.0),
    ("first token p99 under 10,000 tiny requests", Goal::AtMost, 1.5),
    ("first token p99 beside a greedy person", Goal::AtMost, 1.5),
    ("place given back and next one picked, 10,000 tenants", Goal::AtMost, 50.0),
    ("memory for each tenant with 4 people waiting", Goal::AtMost, 20_480.0),
    ("prompt at 61, llama.cpp behind the server to bare llama.cpp", Goal::AtLeast, 0.95),
    ("prompt at 512, llama.cpp behind the server to bare llama.cpp", Goal::AtLeast, 0.95),
    ("prompt at 1400, llama.cpp behind the server to bare llama.cpp", Goal::AtLeast, 0.95),
    ("decode at 61, llama.cpp behind the server to bare llama.cpp", Goal::AtLeast, 0.95),
    ("decode at 512, llama.cpp behind the server to bare llama.cpp", Goal::AtLeast, 0.95),
    ("decode at 1400, llama.cpp behind the server to bare llama.cpp", Goal::AtLeast, 0.95),
    ("second turn of 1400, warm to cold", Goal::AtMost, 0.2),
    ("first turn behind a shared 400, warm to cold", Goal::AtMost, 0.5),
    ("8 mixed, read anew, together to one after the other", Goal::AtLeast, 1.8),
    ("8 mixed, going on, together to one after the other", Goal::AtLeast, 1.8),
    ("8 mixed, mistral.rs behind the server to plain", Goal::AtLeast, 1.3),
    ("decode at 61, mistral.rs behind the server to plain mistral.rs", Goal::AtLeast, 0.98),
    ("prompt at 61, mistral.rs behind the server to bare llama.cpp in F16", Goal::AtLeast, 0.35),
    ("decode at 61, mistral.rs behind the server to bare llama.cpp in F16", Goal::AtLeast, 0.6),
    ("first token p99, prompts of 50 to 800, under a flood to alone", Goal::AtMost, 1.5),
    ("first token p99, prompts of 50 to 61, under a flood to alone", Goal::AtMost, 1.5),
    ("probe of prefixes between tenants, AUC", Goal::AtMost, 0.55),
    ("canaries seen in answers to others, numbers and log", Goal::AtMost, 0.0),
    ("acknowledged and not recorded", Goal::AtMost, 0.0),
    ("recorded with another number of tokens", Goal::AtMost, 0.0),
];
