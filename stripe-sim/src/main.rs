//! The simulator as a program: the API and its pages on a port, by the machine's clock.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use stripe_sim::{Settings, Sim};
use tokio::net::TcpListener;

/// A Stripe for local work. No money that moves in it is real.
#[derive(Parser)]
struct Config {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:12111", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The only secret key it knows.
    #[arg(long, default_value = "sk_test_simulated", value_name = "KEY")]
    secret_key: String,
    /// The same seed gives the same ids for the same calls.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Config { listen, secret_key, seed } = Config::parse();
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("listen at {listen}"))?;
    let pages = format!("http://{}", listener.local_addr()?);
    let start = machine_time()?;
    let sim = Sim::new(Settings { seed, secret_key, start, pages, ..Settings::default() });
    tokio::spawn(follow(sim.clone()));
    match sim.serve(listener).await? {}
}

/// Goes with the machine's clock, and delivers what is due.
async fn follow(sim: Sim) {
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tick.tick().await;
        if let Ok(now) = machine_time() {
            sim.advance((now - sim.now()).max(0));
        }
        sim.deliver().await;
    }
}

fn machine_time() -> anyhow::Result<i64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_secs())?)
}
