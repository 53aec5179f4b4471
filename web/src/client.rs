//! Our own calls to our own servers: bounded in every direction.

use std::time::Duration;

/// A client for calls between our servers. Answers may stream for long, so only the connection,
/// the silence between two reads and idle sockets are bounded, not the whole answer.
pub fn internal() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_mins(2))
        .pool_idle_timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .build()
}
