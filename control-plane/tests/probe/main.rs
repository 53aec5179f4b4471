//! Whoever asks for whatever, with whatever credential: of what is another organization's nothing is
//! told, not even that it is there.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod api;
mod asked;
#[path = "../api/browser.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod browser;
#[path = "../api/conformance.rs"]
mod conformance;
mod console;
#[path = "../api/played.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod played;
#[path = "../api/rig.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod rig;
mod time;
mod world;

use faults::chance::Chance;
use rig::Rig;

/// What the environment says, or this.
#[expect(clippy::disallowed_methods, reason = "whoever repeats a failure, or goes on for long")]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |number| number.parse().unwrap())
}

/// One of these.
fn one<'a, T: ?Sized>(chance: &mut Chance, of: &[&'a T]) -> &'a T {
    of[below(chance, of.len())]
}

/// A number from 0 to one below this.
fn below(chance: &mut Chance, end: usize) -> usize {
    usize::try_from(chance.number() % u64::try_from(end).unwrap()).unwrap()
}
