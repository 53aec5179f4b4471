//! The model server as a program of its own, for pods; and the choice of engine, which local mode
//! shares.
//!
//! Reading order: [`config`] is the file it is told everything by; [`engines`] opens a model with
//! the engine that suits it, [`shelf`] finds the model's file, [`routes`] adds the servers of
//! others; [`server`] puts them together.

pub mod config;

pub mod engines;
pub mod routes;
pub mod shelf;

pub mod server;
