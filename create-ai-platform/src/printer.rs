//! The only printer. Data goes to standard output, talk to standard error; with `--json` each
//! event is one object a line on standard output.

#![expect(clippy::print_stderr, reason = "this is the printer")]

use std::io::{BufRead, IsTerminal, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;
use crate::program;

/// The longest secret that is read, in bytes.
const LONGEST_SECRET: u64 = 4096;

/// Prints for a person at a terminal, for a log, or for a program.
#[derive(Clone)]
pub struct Printer(Arc<Inner>);

struct Inner {
    mode: Mode,
    /// One for each phase under way: several are, side by side.
    bars: MultiProgress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Terminal,
    Lines,
    Json,
    Silent,
}

/// What is told while a platform comes up.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event<'a> {
    /// A phase ended.
    Phase {
        /// Its name.
        name: &'a str,
        /// `done` or `failed`.
        state: &'a str,
        /// How long it took.
        seconds: f64,
        /// What came of it.
        detail: &'a str,
    },
    /// The platform answers.
    Ready {
        /// Its name.
        name: &'a str,
        /// Its address.
        site: &'a str,
        /// Its address over HTTPS, where that was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        secure_site: Option<&'a str>,
        /// The one-time link that makes the first person its owner; none once there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        admin_link: Option<&'a str>,
        /// The folder that describes it.
        folder: &'a str,
        /// Whether it runs in a host process that an earlier command started.
        joined: bool,
    },
    /// The platform answers, but something in its blueprint is not shown as it is written.
    Warning {
        /// The platform's name.
        name: &'a str,
        /// What, why, and what is shown instead.
        text: &'a str,
    },
    /// The platform was stopped by a command; the host process goes on.
    Stopped {
        /// Its name.
        name: &'a str,
    },
    /// The blueprint was edited while the platform runs.
    Blueprint {
        /// The platform's name.
        name: &'a str,
        /// Whether the edit is in effect.
        applied: bool,
        /// What changed, or what is wrong; nothing where a refused file is as it was before.
        lines: &'a [String],
        /// What is not shown as it is written.
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        warnings: &'a [String],
    },
    /// A platform on a control plane stands so from now on.
    Stands {
        /// Its name.
        name: &'a str,
        /// In a word.
        phase: &'a str,
        /// What it waits for, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        waits_for: Option<&'a str>,
    },
    /// Something worth knowing.
    Note {
        /// The words.
        text: &'a str,
    },
}

impl Printer {
    /// Chooses how to talk.
    pub fn new(json: bool) -> Self {
        let mode = if json {
            Mode::Json
        } else if std::io::stderr().is_terminal() {
            Mode::Terminal
        } else {
            Mode::Lines
        };
        Self(Arc::new(Inner { mode, bars: MultiProgress::new() }))
    }

    /// One that says nothing, for a step within another command.
    pub fn silent() -> Self {
        Self(Arc::new(Inner { mode: Mode::Silent, bars: MultiProgress::new() }))
    }

    /// Whether a program listens.
    pub fn is_json(&self) -> bool {
        self.0.mode == Mode::Json
    }

    /// Begins a phase; it is told when it is done.
    pub fn phase(&self, name: &'static str) -> Phase {
        let bar = (self.0.mode == Mode::Terminal).then(|| {
            let bar = self.0.bars.add(ProgressBar::new_spinner().with_style(spinner()));
            bar.set_message(name);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Phase { printer: self.clone(), name, began: Instant::now(), bar }
    }

    /// Tells an event.
    pub fn tell(&self, event: &Event<'_>) {
        match self.0.mode {
            Mode::Silent => return,
            Mode::Json => return self.json(event),
            Mode::Terminal | Mode::Lines => {}
        }
        self.0.bars.suspend(|| words(event));
    }

    /// Prints data.
    pub fn data(&self, text: &str) {
        if self.0.mode != Mode::Silent {
            self.0.bars.suspend(|| out(text));
        }
    }

    /// Prints data as JSON, whatever the mode.
    pub fn json<T: Serialize>(&self, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.data(&text);
        }
    }

    /// Says something to a person.
    pub fn note(&self, text: &str) {
        self.tell(&Event::Note { text: &program::in_words(text) });
    }

    /// Asks a question on standard error and reads a line. `None` when nobody can answer.
    pub fn ask(&self, question: &str) -> Option<String> {
        if self.is_json() || !std::io::stdin().is_terminal() {
            return None;
        }
        eprint!("{question} ");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }

    /// Asks for a secret, which is not shown while it is typed; where nobody sits at a terminal, its
    /// first line of standard input is it.
    pub fn ask_secret(&self, question: &str) -> std::io::Result<String> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            let mut line = String::new();
            stdin.lock().take(LONGEST_SECRET).read_line(&mut line)?;
            return Ok(line);
        }
        self.0.bars.suspend(|| eprint!("{question} "));
        console::Term::stderr().read_secure_line()
    }

    /// Says how it failed, and what to do next.
    pub fn failure(&self, failure: &Failure) {
        let hint = program::in_words(&failure.hint);
        if self.is_json() {
            let error = serde_json::json!({
                "event": "error",
                "code": failure.kind as u8,
                "error": failure.what,
                "hint": hint,
            });
            self.data(&error.to_string());
        }
        self.0.bars.suspend(|| {
            eprintln!("error: {}", failure.what);
            eprintln!("hint: {hint}");
        });
    }
}

/// Tells an event to a person.
fn words(event: &Event<'_>) {
    match event {
        Event::Phase { name, state, seconds, detail } => {
            let mark = if *state == "done" { "✓" } else { "✗" };
            eprintln!("{mark} {name:<9} {detail} ({seconds:.1} s)");
        }
        Event::Ready { name, site, secure_site, admin_link, folder, joined } => {
            let program = program::called();
            eprintln!();
            out(&format!("Site        {site}"));
            if let Some(secure) = secure_site {
                out(&format!("HTTPS       {secure}"));
                eprintln!("            (browsers warn of it until they trust this machine's own");
                eprintln!("            certificates: {program} trust)");
            }
            if let Some(link) = admin_link {
                out(&format!("Admin link  {link}"));
                eprintln!("            (makes you the owner; works once, for 24 hours)");
            } else {
                out(&format!("Sign in     {site}/signin"));
            }
            out(&format!("Blueprint   {folder}/blueprint.yaml"));
            let stop = if *joined {
                "It runs in the host process that was started first. To stop it:"
            } else {
                "To stop: Ctrl-C, or"
            };
            eprintln!("\nEdit the blueprint while it runs. {stop}");
            eprintln!("  {program} stop {name}");
        }
        Event::Warning { text, .. } => eprintln!("warning: {text}"),
        Event::Stopped { name } => eprintln!("\n{name} is stopped"),
        Event::Blueprint { name, applied, lines, warnings } => {
            let outcome = match (*applied, lines.is_empty()) {
                (true, true) => "is good again",
                (true, false) => "applied",
                (false, _) => "refused, the old one serves",
            };
            eprintln!("\n{name}: blueprint.yaml {outcome}");
            for line in *lines {
                eprintln!("  {line}");
            }
            for warning in *warnings {
                eprintln!("  warning: {warning}");
            }
        }
        Event::Stands { name, phase, waits_for: None } => eprintln!("{name}: {phase}"),
        Event::Stands { name, phase, waits_for: Some(waits_for) } => {
            eprintln!("{name}: {phase} ({waits_for})");
        }
        Event::Note { text } => eprintln!("{text}"),
    }
}

fn out(text: &str) {
    // A closed pipe is the reader's choice, not our failure.
    let mut out = std::io::stdout().lock();
    _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A phase that is under way.
pub struct Phase {
    printer: Printer,
    name: &'static str,
    began: Instant,
    bar: Option<ProgressBar>,
}

impl Phase {
    /// Shows how far a download or the like has come, where somebody watches.
    pub fn progress(&self, done: u64, all: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        if let Some(all) = all {
            bar.set_style(download());
            bar.set_length(all);
        }
        bar.set_position(done);
    }

    /// Tells that it is done, and what came of it.
    pub fn done(self, detail: &str) {
        self.end("done", detail);
    }

    /// Tells that it failed.
    pub fn failed(self, detail: &str) {
        self.end("failed", detail);
    }

    fn end(&self, state: &str, detail: &str) {
        self.clear();
        let seconds = self.began.elapsed().as_secs_f64();
        self.printer.tell(&Event::Phase { name: self.name, state, seconds, detail });
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        // One that is left by a failure is told by that.
        self.clear();
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn download() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {bar:30} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressDrawTarget;

    use super::*;

    #[test]
    fn a_phase_that_ends_leaves_the_bar_of_another() {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let printer = Printer(Arc::new(Inner { mode: Mode::Terminal, bars }));
        let (model, database) = (printer.phase("model"), printer.phase("database"));
        let bars = [&model, &database].map(|phase| phase.bar.clone().unwrap());
        model.progress(3, Some(10));
        assert_eq!(bars.each_ref().map(ProgressBar::position), [3, 0]);
        database.done("is up");
        assert_eq!(bars.each_ref().map(ProgressBar::is_finished), [false, true]);
        model.progress(4, Some(10));
        assert_eq!(bars[0].position(), 4);
        drop(model);
        assert!(bars[0].is_finished(), "a phase that failed leaves no bar");
    }
}
