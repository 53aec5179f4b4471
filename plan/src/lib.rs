//! What a platform needs on Kubernetes. Pure: no I/O, no async, no clock, no chance.
//!
//! ```text
//! blueprint + installation + what was seen -> Plan -> Objects -> (with secrets) -> the API server
//!                                              two of them -> Difference -> words
//! ```
//! Reading order: [`installation`] and [`fleet`] are what a plan is made of beside the blueprint,
//! [`decide`] decides all that may differ between two platforms, `build` makes objects of it, one
//! file for each kind, [`origin`] says of each value where it comes from, and [`mod@difference`]
//! what a change would do.
//!
//! ```
//! use plan::{Installation, Plan, Seen, difference};
//! # const INSTALLATION: &str =
//! #     include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/installation.json"));
//! # const BLUEPRINT: &str =
//! #     include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../blueprint/fixtures/small.yaml"));
//!
//! let installation: Installation = serde_json::from_str(INSTALLATION)?;
//! let before = blueprint::read(BLUEPRINT).unwrap();
//! let mut after = before.clone();
//! after.spec.runtime.replicas.min = 2;
//!
//! let now = Plan::new(&before, &installation, Seen::default()).unwrap();
//! let next = Plan::new(&after, &installation, Seen::default()).unwrap();
//! let objects = next.objects();
//! let deployment = objects.find("Deployment", "runtime").unwrap();
//! assert_eq!(
//!     deployment.explain(".spec.replicas")[0].to_string(),
//!     "spec.replicas = 2: the blueprint's spec.runtime.replicas.min"
//! );
//! let preview = difference(&now, &next);
//! assert!(preview.restarts.is_empty());
//! assert!(preview.to_string().contains(
//!     "spec.replicas: 1 -> 2 (the blueprint's spec.runtime.replicas.min)"
//! ));
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod allowance;
pub mod decide;
pub mod difference;
pub mod fleet;
pub mod installation;
pub mod object;
pub mod origin;
pub mod secrets;

mod build;
mod node;

pub use build::{MAX_NAME, ORGANIZATION, OWNER, PART, SETTINGS_HASH, TENANT};
pub use decide::{Notice, Plan};
pub use difference::{Difference, FleetDifference, difference};
pub use fleet::Fleet;
pub use installation::{Installation, PasswordTimes, Seen};
pub use node::{HIDDEN, Leaf};
pub use object::{Object, ObjectId, Objects};
pub use origin::{Origin, Sourced};
pub use secrets::{MissingSecret, SecretKey, Secrets};
