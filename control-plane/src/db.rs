//! What the database holds. Functions on a connection: whoever begins a transaction ends it.

pub mod answers;
pub mod audit;
pub mod deletions;
pub mod deliveries;
pub mod found;
pub mod invitations;
pub mod keys;
pub mod members;
pub mod model_servers;
pub mod names;
pub mod operations;
pub mod organizations;
pub mod platforms;
pub mod revisions;
pub mod root_keys;
pub mod sign_on;
pub mod signing_keys;
pub mod tickets;
pub mod treasury;
pub mod usage;
pub mod webhooks;
