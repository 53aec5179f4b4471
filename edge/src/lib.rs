//! What the Internet meets: TLS by the name that is asked for, and each request to the platform it
//! is for, and to no other.
//!
//! ```text
//! database `fleet` --follow--> table (all names, in memory) and disk (sealed)
//! visitor --tls (keys: memory, disk, database)--> door --(assets) forward--> the platform's pods
//!                                                                     |--waking--> API server
//! uses: who was used when --> database `fleet`
//! ```
//! With Postgres and the API server gone all of it goes on, after a restart too: names,
//! platforms and certificates are on this machine's disk.

pub mod challenges;
pub mod cluster;
pub mod disk;
pub mod door;
pub mod follow;
pub mod health;
pub mod keys;
pub mod room;
pub mod settings;
pub mod table;
pub mod tls;
pub mod uses;
pub mod waking;

mod arriving;
mod assets;
mod forward;
mod headers;
mod lent;
mod pages;
