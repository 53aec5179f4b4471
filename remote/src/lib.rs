//! A control plane from afar: what the command asks of it, and what came of it, as data. Nothing here
//! prints, and nothing asks a person.
//!
//! ```text
//! address + kept key -> client (bounds, tries) -> fleet (list, find, delete), difference (diff, preview, apply),
//!                                                 domains (add, remove, recheck), news (wait, listen)
//! ```
//! What a server says is somebody else's text: all of it that people see is [`Plain`].

mod address;
mod client;
mod difference;
mod domains;
mod error;
mod events;
mod fleet;
mod keys;
mod news;
mod plain;
mod preview;
mod views;

pub use address::Address;
pub use client::{Bounds, Client};
pub use difference::{Applied, Difference, Overruled, State};
pub use domains::{Looked, add_domain, recheck, remove_domain, watch_domain};
pub use error::{Error, Kind, Result, Told};
pub use fleet::{admin_link, delete, find, list, operations, organization, undelete};
pub use keys::{Key, Keys};
pub use news::{Standing, listen, wait};
pub use plain::Plain;
pub use preview::{Costs, Effects, Preview};
pub use views::{AdminLink, Condition, Domain, Operation, Organization, Platform, Record};
