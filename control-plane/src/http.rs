//! What is asked, and answered: no SQL here.

pub mod audit;
pub mod caller;
pub mod catalogue;
pub mod events;
pub mod inference;
pub mod invitations;
pub mod keys;
pub mod members;
pub mod once;
pub mod operations;
pub mod organization;
pub mod platforms;
pub mod policy;
pub mod preview;
pub mod sent;
pub mod signing_keys;
pub mod single_sign_on;
pub mod tickets;
pub mod usage;
pub mod webhooks;
