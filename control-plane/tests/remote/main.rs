//! The command's way to a control plane, with a real one at its other end: its database is a real
//! Postgres, its cluster is played.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]
#![allow(dead_code, reason = "what is shared with the tests of the API is not all used here")]

#[path = "../api/browser.rs"]
mod browser;
mod changing;
#[path = "../api/conformance.rs"]
mod conformance;
mod failing;
mod naming;
#[path = "../api/played.rs"]
mod played;
#[path = "../api/rig.rs"]
mod rig;
mod served;
#[path = "../api/tenant.rs"]
mod tenant;
mod waiting;

use rig::Rig;
