//! `tenant-runtime`: serves one platform until it is told to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use tenant_runtime::program::{self, Settings};
use tracing_subscriber::EnvFilter;

/// Serves one platform, whose blueprint and secrets are files, behind an edge that ends TLS.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    /// What is logged, like `info` or `tenant_runtime=debug`.
    #[arg(long, env = "SOULFRA_LOG", default_value = "info")]
    log: String,
}

fn main() -> ExitCode {
    let Arguments { settings, log } = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match serve(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("could not serve: {why}");
            ExitCode::FAILURE
        }
    }
}

fn serve(settings: Settings) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let stop = web::stop::when_told().map_err(|error| error.to_string())?;
        program::run(settings, stop, announce).await.map_err(|error| error.to_string())
    })
}

/// One line that a program can read: the port may have been chosen by the system.
fn announce(address: SocketAddr) {
    let line = format!("{{\"listen\":\"{address}\"}}\n");
    let mut out = std::io::stdout();
    if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads where the port is");
    }
}
