//! SQL, nothing else: plain functions on a connection. Who begins a transaction ends it, and that
//! is never here.

pub mod agents;
pub mod conversations;
pub mod facts;
pub mod messages;
