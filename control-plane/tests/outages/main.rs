//! What the control plane needs is slow, gone, full or only to be read: whoever asks is answered soon, what
//! was said to be done is done, and once all is well again, it is so for everybody.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

#[path = "../api/browser.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod browser;
#[path = "../api/conformance.rs"]
mod conformance;
mod database;
#[path = "../api/played.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod played;
#[path = "../api/rig.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod rig;
mod world;

use rig::Rig;
