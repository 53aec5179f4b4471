//! What all our HTTP servers do alike.
//!
//! Reading order: [`problem`] is the answer to whatever went wrong, [`host`] says whom a request
//! was meant for, [`security`] what every answer carries, [`token`] who calls whom inside,
//! [`grant`] what a control plane grants at a platform,
//! [`serve`] the accept loop, [`open_files`] how much it has room for, [`stop`] its end, [`client`] our
//! own calls among ourselves, [`egress`] those to addresses that people named.

pub mod client;
pub mod egress;
mod for_ever;
pub mod grant;
pub mod host;
pub mod next;
pub mod open_files;
pub mod problem;
pub mod security;
pub mod serve;
pub mod stop;
pub mod token;

pub use for_ever::for_ever;
pub use problem::Problem;
