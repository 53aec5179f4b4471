//! One file a command; `archive` is the file that `backup` writes and `restore` reads.

mod archive;
pub mod blueprints;
pub mod console;
pub mod create;
pub mod data;
pub mod domains;
pub mod logs;
pub mod models;
pub mod remote;
pub mod shell;
pub mod state;
pub mod trust;
