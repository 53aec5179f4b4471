//! A plan becomes objects: one file for each kind, or for kinds that belong together.

mod account;
mod config;
mod database;
mod gateway;
mod inference;
mod labels;
mod limits;
mod namespace;
mod network;
mod pod;
mod runtime;
mod scale;
mod secret;

pub use labels::{ORGANIZATION, OWNER, PART, TENANT};
pub use runtime::SETTINGS_HASH;

use crate::decide::Plan;
use crate::object::Objects;

/// Largest length of a name of ours.
pub const MAX_NAME: usize = 63;

impl Plan<'_> {
    /// Everything the platform is made of. The same plan gives the same objects, to the byte.
    pub fn objects(&self) -> Objects {
        let objects = [
            vec![namespace::namespace(self)],
            // Before any pod: those made earlier would not be counted.
            limits::limits(self),
            network::policies(self),
            account::accounts(self),
            secret::secrets(self),
            config::configs(self),
            database::cluster(self).into_iter().collect(),
            inference::server(self),
            vec![runtime::deployment(self), runtime::service(self)],
            scale::scale(self),
            gateway::objects(self),
        ];
        Objects::new(objects.into_iter().flatten())
    }
}
