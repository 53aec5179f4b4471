//! The spool in processes that die.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a child tells its parent what it acknowledged")]

mod killed;

use std::hash::{BuildHasher, RandomState};
use std::process::Command;

const KILLS: usize = 20;

#[test]
fn a_process_that_is_killed_loses_nothing_it_acknowledged_and_counts_nothing_twice() {
    let seed = RandomState::new().hash_one(0);
    let told = killed::many_times(KILLS, seed, |folder| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        // The folder goes by an argument that the test program takes for a filter.
        child.args(["--exact", "appends_until_it_is_killed", "--nocapture", "--skip"]).arg(folder);
        child
    });
    println!("seed {seed}: {} acknowledged, {} came again", told.acknowledged, told.again);
    assert!(told.acknowledged > 0);
    assert_eq!((told.lost, told.doubled), (0, 0));
}

/// What the test above runs in another process; alone it does nothing.
#[test]
fn appends_until_it_is_killed() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--skip");
    if let Some(folder) = arguments.nth(1) {
        killed::append_until_killed(folder.as_ref());
    }
}
