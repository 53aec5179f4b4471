//! Model servers at a control plane: money is leased from a real Postgres and usage is told to it, by the
//! API and by the client that model servers have. The cluster is played.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

#[path = "../api/browser.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod browser;
#[path = "../api/conformance.rs"]
mod conformance;
mod histories;
mod keys;
mod leases;
#[path = "../api/played.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod played;
mod records;
#[path = "../api/rig.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod rig;
mod seen;
mod tills;
mod world;

use rig::Rig;
