//! The only printer of these tasks. Everything goes to stdout, so that a log keeps its order.
#![expect(clippy::print_stdout, reason = "the one module that prints")]

/// One line.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// The head of a suite or a task.
pub(crate) fn head(text: &str) {
    println!("\n== {text}");
}

/// What went wrong, with everything that led to it.
pub(crate) fn error(error: &anyhow::Error) {
    println!("error: {error:#}");
}
