//! The real program, run as a person runs it, each test on ground of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]
#![expect(clippy::print_stdout, reason = "who repeats a failure needs to know what was done")]

mod chance;
mod door;
mod visitor;

mod blueprints;
mod console;
mod creating;
mod external;
mod keeping;
mod killing;
mod printing;
mod refusing;
mod stopping;
mod storing;
