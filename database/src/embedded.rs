//! A Postgres of our own: fetched once, kept beside the data, alive as long as we are.
//!
//! ```text
//! HOME/lock          held while a server runs here
//! HOME/password      the superuser's, 0600, ours
//! HOME/data/         the cluster; appears whole or not at all
//! HOME/run/          the socket, 0700 (elsewhere where the path would be too long)
//! HOME/postgres.log  what Postgres says, at most 8 MB and one older file
//! ```
//! Started as root, Postgres and its guardian run as an unprivileged user, because Postgres
//! refuses root; then every folder above must let that user pass.

mod cluster;
mod home;
mod installation;
mod owner;
mod postmaster;
mod process;
mod server;

pub use cluster::ClusterError;
pub use home::{HomeError, default_cache_home, default_data_home};
pub use installation::{FetchError, Installation, Phase, VERSION};
pub use server::{Durability, Options, Server, StartError, State, StopError};

/// The major version whose data folders we can open.
pub const MAJOR: &str = "17";
/// The superuser of an embedded server.
pub const SUPERUSER: &str = "soulfra";
