//! The driver that makes platforms true on Kubernetes.
//!
//! ```text
//! watches -> Seen -> Queue -> a turn: fetch -> plan -> build -> apply -> status
//!              ^                                  |
//!              +---------- answers to writes -----+
//! ```
//! Reading order: [`seen`] is what is known, [`queue`] whose turn it is, [`reconcile`] what a turn
//! does; [`cluster`], [`databases`] and [`domains`] are the ports through which it does that, and
//! [`run`] sets all of it going. [`vitals`] and [`health`] tell others how it goes, and [`ask`] answers who wants
//! to know why, or what if.

pub mod ask;
pub mod cluster;
pub mod databases;
pub mod domains;
pub mod health;
pub mod kind;
pub mod lease;
pub mod printer;
pub mod queue;
pub mod reconcile;
pub mod run;
pub mod seen;
pub mod settings;
pub mod vitals;
pub mod waves;
