//! For tests only: the guardian, and a process that hosts a server until it is killed.
#![expect(clippy::print_stdout, reason = "the test waits for these lines")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use database::embedded::{Durability, Installation, Options, Server};
use database::guard;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|first| first == guard::SUBCOMMAND) {
        return guard::run(args.into_iter().skip(1));
    }
    match host(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn host(args: Vec<OsString>) -> Result<(), Box<dyn std::error::Error>> {
    let [home, cache] = args.try_into().map_err(|_| "usage: HOME CACHE")?;
    let installation = Installation::fetch(&PathBuf::from(cache), |_| {}).await?;
    let options = Options { durability: Durability::ForTests, ..Options::new(PathBuf::from(home)) };
    let server = Server::start(&installation, options).await?;
    println!("serving");
    std::future::pending::<()>().await;
    server.stop().await?;
    Ok(())
}
