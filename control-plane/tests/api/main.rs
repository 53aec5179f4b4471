//! The API over a real Postgres. The cluster is played here; that it is played as the API server is,
//! the same conformance suite says of both (`tests/on_kubernetes`).
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod audit;
mod browser;
mod claiming;
mod conformance;
mod console;
mod console_history;
mod deletions;
#[path = "../../../accounts/tests/it/device.rs"]
mod device;
mod events;
mod fleet_news;
mod foreign;
mod grants;
mod history;
mod keys;
mod members;
mod operations;
mod passkeys;
mod platforms;
mod played;
mod policy;
mod preview;
mod provider;
mod rig;
mod root_keys;
mod rotated;
mod second_factor;
mod single_sign_on;
mod tenant;
mod tickets;
mod told;
mod webhooks;

use rig::Rig;
