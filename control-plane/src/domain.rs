//! Nouns and rules, without a database and without HTTP.

pub mod audit;
pub mod breaker;
pub mod id;
pub mod key;
pub mod operation;
pub mod page;
pub mod policy;
pub mod preview;
pub mod role;
pub mod scope;
pub mod sign_on;
pub mod ticket;
pub mod treasury;
pub mod usage;
pub mod webhook;
