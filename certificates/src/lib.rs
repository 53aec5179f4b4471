//! Certificates. For now those of local mode: an authority of this machine alone, which signs
//! certificates for names under `.localhost` as they are asked for.

pub mod local;

pub use local::{LocalAuthority, LocalError};
