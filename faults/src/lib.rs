//! What goes wrong between a program and those it depends on, made to happen. For tests only.
//!
//! [`api::Proxy`] stands before a Kubernetes API server and [`postgres::Proxy`] before a Postgres.
//! Each hands every call to a script, which says what becomes of it, and notes every call; so a
//! test first learns how many calls a flow makes, and then lets any one of them fail:
//!
//! ```text
//! let proxy = api::Proxy::before(Upstream::of_kubeconfig(&file)?).await?;
//! the_flow(proxy.url()).await;
//! for n in 0..proxy.count(Call::has_effect) {
//!     proxy.follow(script::dead_from(n, Call::has_effect, Fault::ResetAfter, || Fault::ResetBefore));
//!     select! { () = the_flow(proxy.url()) => {}, () = proxy.struck(1) => {} }
//!     proxy.follow(script::nothing());
//!     the_flow(proxy.url()).await;
//! }
//! ```
//!
//! Reading order: [`script`] decides, [`api`] and [`postgres`] carry out, [`chance`] is repeatable.

pub mod api;
pub mod chance;
mod listen;
pub mod postgres;
pub mod script;
mod tally;

/// Proxies listen where nobody else does, and where only this machine reaches them.
const ANY_PORT: (std::net::Ipv4Addr, u16) = (std::net::Ipv4Addr::LOCALHOST, 0);
