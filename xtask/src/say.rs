//! The only printer of these tasks. Everything goes to stdout, so that a log keeps its order;
//! but for tasks whose stdout is read by a program, which gets nothing but their data.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one module that prints")]

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether stdout is for data alone.
static ASIDE: AtomicBool = AtomicBool::new(false);

/// From now on talk goes to stderr.
pub(crate) fn aside() {
    ASIDE.store(true, Ordering::Relaxed);
}

/// One line.
pub(crate) fn line(text: &str) {
    if ASIDE.load(Ordering::Relaxed) {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
}

/// One line for the program that reads stdout.
pub(crate) fn data(text: &str) {
    println!("{text}");
}

/// The head of a suite or a task.
pub(crate) fn head(text: &str) {
    line(&format!("\n== {text}"));
}

/// What went wrong, with everything that led to it.
pub(crate) fn error(error: &anyhow::Error) {
    line(&format!("error: {error:#}"));
}
