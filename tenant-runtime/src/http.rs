//! What people and their browsers ask for: one file for each kind of page.

pub mod account;
pub mod admin;
pub mod conversations;
pub mod grants;
pub mod listen;
pub mod send;
pub mod session;
pub mod site;
pub mod told;
pub mod visitor;
pub mod welcome;
