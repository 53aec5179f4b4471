//! Plans and their objects, over fixed and generated blueprints.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(clippy::print_stdout, reason = "who repeats a failure needs to know the seed")]

mod chance;
mod explain;
mod gateway;
mod generate;
mod golden;
mod network;
mod objects;
mod placement;
mod preview;
mod restarts;
mod restricted;
mod shapes;
