//! One file a command.

pub mod blueprints;
pub mod create;
pub mod data;
pub mod models;
pub mod shell;
pub mod state;
pub mod trust;
