//! The spool, and the till before it, in processes that die.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a child tells its parent what it acknowledged")]

mod killed;
mod sold;

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::Command;

const KILLS: usize = 20;

#[test]
fn a_process_that_is_killed_loses_nothing_it_acknowledged_and_counts_nothing_twice() {
    let seed = RandomState::new().hash_one(0);
    let told = killed::many_times(KILLS, seed, |folder| run("appends_until_it_is_killed", folder));
    println!("seed {seed}: {} acknowledged, {} came again", told.acknowledged, told.again);
    assert!(told.acknowledged > 0);
    assert_eq!((told.lost, told.doubled), (0, 0));
}

#[test]
fn a_till_that_is_killed_has_each_answer_in_its_book_once() {
    let seed = RandomState::new().hash_one(0);
    let sold = sold::many_times(KILLS, seed, |folder| run("sells_until_it_is_killed", folder));
    println!("seed {seed}: {sold:?}");
    assert!(sold.acknowledged > 0);
    assert!(sold.counted >= sold.acknowledged, "{sold:?}");
    assert!(sold.counted <= sold.acknowledged + sold.in_doubt, "{sold:?}");
    assert_eq!(sold.held, 0);
}

/// What the tests above run in other processes; alone they do nothing.
#[test]
fn appends_until_it_is_killed() {
    if let Some(folder) = told_folder() {
        killed::append_until_killed(folder.as_ref());
    }
}

#[test]
fn sells_until_it_is_killed() {
    if let Some(folder) = told_folder() {
        sold::sell_until_killed(folder.as_ref());
    }
}

/// This program with one test. The folder goes by an argument that it takes for a filter.
fn run(test: &str, folder: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture", "--skip"]).arg(folder);
    child
}

fn told_folder() -> Option<String> {
    // Whoever runs all tests may skip some too.
    let told = std::env::args().skip_while(|argument| argument != "--skip").nth(1);
    told.filter(|folder| Path::new(folder).is_dir())
}
