//! A platform as its people meet it: the real router over a real database of its own, and the
//! real model server with a pretended engine behind a real listener.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod browser;
#[path = "../common/mod.rs"]
mod common;
mod platform;
mod stream;

mod account;
mod coming;
mod grants;
mod places;
mod roles;
mod safety;
mod staff;

mod branches;
mod copies;
mod cuts;
mod ends;
mod history;
mod talking;
mod told;

mod agents;
mod brand;

use browser::Browser;
use inference::simulator::Simulator;
use platform::TestPlatform;
