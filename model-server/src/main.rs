//! `model-server --config FILE`: serves models until it is told to stop.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use model_server::config::Config;
use model_server::server::{self, Addresses};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// What engines tell about themselves is for those who work on engines.
const LOG: &str = "info,mistralrs=warn,mistralrs_core=warn,llama-cpp-2=error,llama_cpp_2=error";

/// Serves models to tenants over the OpenAI API.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Ports, models and tenants, as YAML.
    #[arg(long, env = "SOULFRA_MODEL_SERVER_CONFIG")]
    config: PathBuf,
    /// What is logged, like `info` or `inference=debug`.
    #[arg(long, env = "SOULFRA_LOG", default_value = LOG)]
    log: String,
}

fn main() -> ExitCode {
    let Arguments { config, log } = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let outcome = engine_mistralrs::cpu::built_for_this_cpu()
        .map_err(|error| error.to_string())
        .and_then(|()| Config::read(&config).map_err(|error| error.to_string()))
        .and_then(serve);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("could not serve: {why}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let served = runtime.block_on(async {
        let stop = CancellationToken::new();
        let asked = stop.clone();
        let hears = |kind| signal(kind).map_err(|error| error.to_string());
        let mut told = hears(SignalKind::terminate())?;
        // Nothing is read anew while it runs, so this ends it too, but in order.
        let mut hung_up = hears(SignalKind::hangup())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = told.recv() => {}
                _ = hung_up.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            asked.cancel();
        });
        server::run(config, stop, announce).await.map_err(|error| error.to_string())
    });
    // The engine's threads end with the process.
    runtime.shutdown_background();
    served
}

/// One line that a program can read: the ports may have been chosen by the system.
fn announce(Addresses { tenants, operators }: Addresses) {
    let line = format!("{{\"tenants\":\"{tenants}\",\"operators\":\"{operators}\"}}\n");
    let mut out = std::io::stdout();
    if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads where the ports are");
    }
}
