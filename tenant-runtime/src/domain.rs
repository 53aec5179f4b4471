//! The nouns of a tenant and their rules; no I/O.

pub mod agent;
pub mod conversation;
