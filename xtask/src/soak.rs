//! `cargo xtask soak NAME`: long runs that are kept out of CI, one command each.
//!
//! A soak is a test of the suites, told by its environment for how long to go on and from which
//! seed. It stops by itself, also at the first failure, and its last line says what was done:
//! what the tests tell on lines with `counted: ` in them.

mod mutants;

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::cluster::{Own, Parts};
use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::Project;
use crate::say;
use crate::suites::{Counts, OF_CLUSTERS, TOGETHER};

/// A soak, by the name it has on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Soak {
    /// SIGKILL at 20 random moments of creation and chat: nothing acknowledged is lost.
    Kills,
    /// Streams cut at 1,000 random bytes and more: no word is lost or said twice.
    Cuts,
    /// 100 good and 100 bad live edits of blueprints under load: no request fails.
    Edits,
    /// 10,000 generated bad blueprints: each is refused with a path, none panics.
    Blueprints,
    /// 50,000 generated blueprints: a real API server and Rust's rules refuse the same ones. As root.
    Admission,
    /// Every call of every flow of the operator goes wrong once, in five ways: the same comes out in
    /// the end. As root.
    Broken,
    /// 2,000 generated blueprints: a real API server takes every object that is planned for them, and
    /// finds each pod harmless. As root.
    Admitted,
    /// 5,000 generated bad changes of platforms, each followed by a good one: each bad one is refused
    /// or told with its path, and each good one heals. As root.
    Healing,
    /// 200 times the operator in charge is killed, stopped for a while or told to end, while people
    /// change their platforms: another one goes on soon, and all comes to what was wished. As root.
    Handover,
    /// 20,000 requests over raw sockets whose heads name several platforms: none reaches another than
    /// the one its connection is for.
    Confusion,
    /// 1,000 times a platform that sleeps is woken by four visitors at once, through a real edge: none
    /// fails. As root.
    Wakes,
    /// 1,000,000 requests of every operation of the control plane, with every kind of credential: nobody
    /// hears of what is another organization's.
    Probe,
    /// 10,000 histories of what four do at once to two platforms, cut off and not answered now and then:
    /// each could have been one after the other.
    Histories,
    /// 20 awake platforms for 10 minutes with neither a control plane nor an operator nor an API server: no
    /// request fails.
    DeadControlPlane,
    /// 1,000,000 journals told to the ledger, twice, otherwise and cut off now and then, and 100,000,000
    /// sales, refunds and disputes in memory: it says what it should, to the millionth.
    Ledger,
    /// 2,000 sales with what becomes of them at a Stripe of ours that gets 10,000 things wrong and more, 100
    /// processes killed, 100,000 forged events, a backlog of 1,000 sales: to the cent.
    Stripe,
    /// Up to 150 changes of the code that counts money, a sample by the seed: 9 of 10 are noticed by a test.
    Mutants,
    /// A simulated year of 100,000 names at authorities that count: no limit is broken, and no
    /// certificate ends before its renewal, although one of them is silent for two days.
    Year,
    /// 1,000,000 simulated histories of the operator: whatever goes wrong, the end is the same.
    Operator,
}

/// Which tests, for how long at most, and what they are told.
struct Plan {
    minutes: u64,
    /// The selection of crates, whose features agree with those of the suites.
    crates: &'static [&'static str],
    /// The tests in them.
    tests: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    wants_database: bool,
    /// The database waits for its disk at each commit.
    is_durable: bool,
    wants_cluster: bool,
    /// Lines with `counted: `; fewer mean that a test has another name now.
    counts: usize,
}

/// What most of them are.
const USUAL: Plan = Plan {
    minutes: 20,
    crates: &TOGETHER,
    tests: &[],
    environment: &[],
    wants_database: false,
    is_durable: false,
    wants_cluster: false,
    counts: 1,
};

const COMMAND: [&str; 2] = ["--package", "create-ai-platform"];

/// What came of one.
#[derive(Default)]
struct Done {
    counts: Counts,
    /// In the tests' words.
    counted: Vec<String>,
    seconds: u64,
}

/// Prints which soaks there are.
pub(crate) fn list() {
    for soak in Soak::value_variants() {
        let value = soak.to_possible_value().unwrap_or_default();
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        say::line(&format!("cargo xtask soak {:10}  {help}", value.get_name()));
    }
}

/// Runs it; `seed` repeats an earlier run. True when nothing failed.
pub(crate) fn run(project: &Project, soak: Soak, seed: Option<u64>) -> bool {
    // Short enough to be typed again.
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    let mut done = Done::default();
    if let Err(error) = soak.go_on(project, seed, &mut done) {
        say::error(&error);
        done.counts.failed = done.counts.failed.max(1);
    }
    say::line("");
    say::line(&last_line(&soak.name(), seed, &done));
    done.counts.failed == 0
}

const PROBE: Plan = Plan {
    minutes: 30,
    crates: &OF_CLUSTERS,
    tests: &["--test", "probe"],
    environment: &[("SOULFRA_ROUNDS", "1000000")],
    wants_database: true,
    counts: 3,
    ..USUAL
};

const HISTORIES: Plan = Plan {
    minutes: 40,
    crates: &OF_CLUSTERS,
    tests: &["--test", "histories"],
    environment: &[("SOULFRA_ROUNDS", "10000")],
    wants_database: true,
    ..USUAL
};

/// On a disk that is waited for: what is cut off there is cut off as it would be for customers.
const LEDGER: Plan = Plan {
    minutes: 90,
    crates: &["--package", "billing"],
    tests: &["--test", "ledger", "whatever_"],
    environment: &[("SOULFRA_ROUNDS", "1000000"), ("SOULFRA_OPERATIONS", "100000000")],
    wants_database: true,
    is_durable: true,
    counts: 2,
    ..USUAL
};

const DEAD_CONTROL_PLANE: Plan = Plan {
    minutes: 25,
    crates: &["--package", "create-ai-platform", "--package", "tenant-runtime"],
    tests: &["--test", "program", "without_anybody_who_manages_them"],
    environment: &[("SOULFRA_PLATFORMS", "20"), ("SOULFRA_SECONDS", "600")],
    wants_database: true,
    ..USUAL
};

const STRIPE: Plan = Plan {
    minutes: 60,
    tests: &["--test", "against_sim", "_"],
    environment: &[
        ("SOULFRA_LIVES", "2000"),
        ("SOULFRA_KILLS", "100"),
        ("SOULFRA_MUTATIONS", "100000"),
        ("SOULFRA_BACKLOG", "1000"),
    ],
    wants_database: true,
    counts: 4,
    ..USUAL
};

impl Soak {
    fn plan(self) -> Plan {
        match self {
            Self::Kills => Plan {
                minutes: 30,
                crates: &COMMAND,
                tests: &["--test", "it", "killing::"],
                environment: &[("SOULFRA_MOMENTS", "20")],
                counts: 2,
                ..USUAL
            },
            Self::Cuts => Plan {
                crates: &["--package", "create-ai-platform", "--package", "tenant-runtime"],
                tests: &["--test", "it", "cuts::"],
                wants_database: true,
                ..USUAL
            },
            Self::Edits => {
                Plan { crates: &COMMAND, tests: &["--test", "it", "edits_under_load"], ..USUAL }
            }
            Self::Blueprints => Plan { minutes: 10, tests: &["--test", "bad"], counts: 2, ..USUAL },
            Self::Admission => Plan {
                minutes: 30,
                tests: &["--test", "on_kubernetes", "the_same_is_refused"],
                environment: &[("SOULFRA_ROUNDS", "50000")],
                wants_cluster: true,
                ..USUAL
            },
            Self::Broken => Plan {
                minutes: 60,
                crates: &OF_CLUSTERS,
                tests: &["--test", "on_kubernetes", "broken::soak_"],
                wants_database: true,
                wants_cluster: true,
                counts: 7,
                ..USUAL
            },
            Self::Admitted => Plan {
                crates: &OF_CLUSTERS,
                tests: &["--test", "on_kubernetes", "admitted::soak_"],
                wants_cluster: true,
                ..USUAL
            },
            Self::Ledger => LEDGER,
            // A program of others runs the tests, and says itself which.
            Self::Mutants => Plan { minutes: 6 * 60, ..USUAL },
            Self::Healing => Plan {
                minutes: 60,
                crates: &OF_CLUSTERS,
                tests: &["--test", "on_kubernetes", "healing::soak_"],
                wants_database: true,
                wants_cluster: true,
                ..USUAL
            },
            Self::Handover => Plan {
                minutes: 40,
                crates: &OF_CLUSTERS,
                tests: &["--test", "on_kubernetes", "handover::soak_"],
                environment: &[("SOULFRA_MOMENTS", "200")],
                wants_database: true,
                wants_cluster: true,
                ..USUAL
            },
            Self::Wakes => Plan {
                minutes: 120,
                crates: &OF_CLUSTERS,
                tests: &["--test", "on_kubernetes", "woken::soak_"],
                environment: &[("SOULFRA_WAKES", "1000")],
                wants_database: true,
                wants_cluster: true,
                ..USUAL
            },
            Self::Confusion => Plan {
                crates: &OF_CLUSTERS,
                tests: &["--test", "it", "of_many_confused"],
                environment: &[("SOULFRA_ROUNDS", "20000")],
                wants_database: true,
                ..USUAL
            },
            Self::Probe => PROBE,
            Self::Histories => HISTORIES,
            Self::DeadControlPlane => DEAD_CONTROL_PLANE,
            Self::Stripe => STRIPE,
            Self::Year => Plan { tests: &["--test", "year", "soak_"], counts: 5, ..USUAL },
            Self::Operator => Plan {
                minutes: 12 * 60,
                crates: &OF_CLUSTERS,
                tests: &["--test", "simulated", "whatever_goes_wrong"],
                environment: &[("SOULFRA_SEEDS", "1000000")],
                ..USUAL
            },
        }
    }

    fn go_on(self, project: &Project, seed: u64, done: &mut Done) -> Result<()> {
        let Plan {
            minutes,
            crates,
            tests,
            environment,
            wants_database,
            is_durable,
            wants_cluster,
            counts,
        } = self.plan();
        if let Self::Mutants = self {
            let start = Instant::now();
            let came = mutants::go_on(project, seed, minutes, &mut done.counted);
            done.seconds = start.elapsed().as_secs();
            return came;
        }
        let tests = [crates, tests].concat();
        let mut build = project.cargo(["test", "--release", "--locked", "--no-run"]);
        // The compiler's time is not the soak's.
        process::run(build.args(&tests), Deadline::in_minutes(40))?;
        let cluster = wants_cluster.then(|| Own::start(project, Parts::BARE)).transpose()?;

        let (start, deadline) = (Instant::now(), Deadline::in_minutes(minutes));
        let mut test = project.cargo(["test", "--release", "--locked"]);
        // What is too long for the suites is left out of them by a mark.
        test.args(&tests).args(["--", "--nocapture", "--include-ignored"]);
        test.env("SOULFRA_SEED", seed.to_string()).envs(environment.iter().copied());
        let postgres = match (wants_database, is_durable) {
            (false, _) => None,
            (true, false) => Some(Postgres::start(project, deadline)?),
            (true, true) => Some(Postgres::start_durable(project, deadline)?),
        };
        if let Some(postgres) = &postgres {
            test.env("DATABASE_URL", postgres.url("postgres"));
        }
        if let Some(cluster) = &cluster {
            test.env("SOULFRA_TEST_KUBECONFIG", cluster.kubeconfig());
            test.env("SOULFRA_TEST_KUBECTL", cluster.kubectl());
        }
        let watched = process::watch(&mut test, deadline, |line| {
            done.read(line);
            say::line(line);
        });
        done.seconds = start.elapsed().as_secs();
        let status = watched?;
        if !status.success() {
            bail!("to see it again: cargo xtask soak {} --seed {seed}", self.name());
        }
        if done.counted.len() < counts {
            bail!("{counts} tests should have counted something: one may have another name now");
        }
        Ok(())
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Done {
    /// Takes what a line of the tests tells. `test NAME ... ` may stand before it.
    fn read(&mut self, line: &str) {
        self.counts.read_rust(line);
        if let Some((_, counted)) = line.split_once("counted: ") {
            self.counted.push(counted.to_owned());
        }
    }
}

/// What was done, from which seed, and how it ended.
fn last_line(name: &str, seed: u64, done: &Done) -> String {
    let what = if done.counted.is_empty() {
        "nothing was done to its end".to_owned()
    } else {
        done.counted.join(", ")
    };
    let failures = match done.counts.failed {
        1 => "1 failure".to_owned(),
        n => format!("{n} failures"),
    };
    format!("soak {name}: {what}; seed {seed}; {failures}; {} s", done.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_was_counted_from_which_seed_and_how_it_ended() {
        let mut done = Done { seconds: 7, ..Done::default() };
        for line in [
            "test cuts::a_stream ... counted: 1126 cuts",
            "counted: 30 answers",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            done.read(line);
        }
        let line = last_line("cuts", 42, &done);
        assert_eq!(line, "soak cuts: 1126 cuts, 30 answers; seed 42; 0 failures; 7 s");
    }

    #[test]
    fn a_soak_that_failed_says_so() {
        let mut done = Done { seconds: 7, ..Done::default() };
        done.read("test result: FAILED. 0 passed; 1 failed; 0 ignored");
        let line = last_line("cuts", 42, &done);
        assert_eq!(line, "soak cuts: nothing was done to its end; seed 42; 1 failure; 7 s");
    }
}
