//! What the server adds to a request: over an engine that answers at once, against a server that
//! does nothing, both on one core, in turns.
//!
//! Prints rows `name`, `value`, `unit`, `N`, `spread`. This program starts itself as each of the
//! two servers, tied to the first core, and asks from the second.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, not a product")]

#[path = "latency/asking.rs"]
mod asking;
#[path = "latency/serving.rs"]
mod serving;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const RATE: u32 = 2_500;
const ROUND: Duration = Duration::from_secs(4);
const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => serving::serve(&arguments[1]),
        Some("ask") => asking::ask(arguments[1].parse().unwrap(), RATE, ROUND),
        _ => measure(),
    }
}

/// A server on the first core. Ends when its standard input does.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(kind: &str) -> Self {
        let mut child = on_core(0, &["serve", kind]).stdin(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    /// Milliseconds of a round's requests: the middle and the 99th of a hundred.
    fn ask(&self) -> (f64, f64) {
        let output = on_core(1, &["ask", &self.address.to_string()]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut numbers = text.split_whitespace().map(|number| number.parse::<f64>().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn on_core(core: usize, arguments: &[&str]) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(std::env::current_exe().unwrap());
    command.args(arguments).stdout(Stdio::piped());
    command
}

fn measure() {
    let (nothing, ours) = (Server::start("nothing"), Server::start("ours"));
    // The first round of each warms up.
    let _ = (nothing.ask(), ours.ask());
    let (mut middle, mut slow, mut alone, mut all) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (without, with) = (nothing.ask(), ours.ask());
        middle.push(with.0 - without.0);
        slow.push(with.1 - without.1);
        alone.push(without.1);
        all.push(with.1);
    }
    let requests = ROUNDS as u64 * u64::from(RATE) * ROUND.as_secs();
    row("latency added, p50", middle, requests);
    row("latency added, p99", slow, requests);
    row("p99 of the server", all, requests);
    row("p99 of a server that does nothing", alone, requests);
}

fn row(name: &str, mut rounds: Vec<f64>, requests: u64) {
    rounds.sort_by(f64::total_cmp);
    let [low, median, high] = [0, ROUNDS / 2, ROUNDS - 1].map(|at| rounds[at]);
    println!(
        "{name}\t{median:.3}\tms\t{requests} requests in {ROUNDS} rounds\t{low:.3} to {high:.3}"
    );
}
