//! An operator that starts where a fleet is already there.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::times::row;
use crate::world::{client, operator};

pub(crate) fn in_another_process() {
    let program = std::env::current_exe().unwrap();
    let ended = std::process::Command::new(program).arg("restart").status().unwrap();
    assert!(ended.success(), "{ended}");
}

pub(crate) async fn measure() {
    let begun = Instant::now();
    let client = client().await;
    let (driver, _, fleet) = operator(&client);
    let stop = CancellationToken::new();
    tokio::spawn(fleet.clone().watch(client, stop.clone()));
    let ms = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
    while !driver.seen.are_blueprints_known() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    row("restart: blueprints listed", ms(begun), "ms", driver.seen.names().len(), "");
    while !driver.seen.is_known() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    row("restart: everything listed", ms(begun), "ms", driver.seen.names().len(), "");
    row("resident when all is listed", resident(), "MiB", 1, "");
    let passed = Instant::now();
    for name in driver.seen.names() {
        driver.reconcile(&name).await.unwrap();
    }
    row("first pass", ms(passed), "ms", driver.seen.names().len(), "");
    row("resident after the first pass", resident(), "MiB", 1, "");
    stop.cancel();
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes / 1024.0
}
