//! The driver against a real API server and a real Postgres. `cargo xtask test --suite cluster`
//! brings both; what would run pods is played by the tests where it matters.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "the helpers here are no tests, but only tests call them"
)]

mod admitted;
mod asked;
mod broken;
#[path = "../../../plan/tests/it/chance.rs"]
mod chance;
mod charge;
mod chart;
mod flows;
mod gateway;
#[path = "../../../plan/tests/it/generate.rs"]
#[expect(dead_code, reason = "the tests of plans use the rest")]
mod generate;
mod gpu;
mod handover;
mod healing;
mod house;
mod kubectl;
mod life;
mod named;
mod own_server;
mod passwords;
mod pod;
mod policies;
mod purging;
mod repair;
mod rights;
mod served;
mod sleeping;
mod woken;

use house::House;
