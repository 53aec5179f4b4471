//! Prints what it costs to ask the queue, and how fairly it shares in virtual time: a row each, with tabs between name, value, unit, N, spread and seeds.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use inference::admission::{
    Admission, Charge, Classes, Clock, Cost, Place, Places, Policy, Requester,
};
use inference::virtual_time::{self, Row, percentile};
use web::token::Caller;

/// Tenants that wait at once.
const TENANTS: usize = 10_000;
const PEOPLE: usize = 4;
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

fn main() -> io::Result<()> {
    // Tests of all targets run benches too, but without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    for row in costs()? {
        writeln!(out, "{row}")?;
    }
    let mut told = Ok(());
    virtual_time::rows(&SEEDS, |row| {
        let written = writeln!(out, "{row}");
        told = std::mem::replace(&mut told, Ok(())).and(written);
    });
    told
}

fn person(tenant: usize, user: usize) -> Requester {
    let caller = Caller::new(format!("tenant-{tenant}"), format!("person-{user}"), "agent");
    let classes = Classes::default();
    let class = ["enterprise", "business", "starter"][tenant % 3];
    let class = classes.find(class).unwrap_or(classes.lowest());
    Requester { caller, class, paying: user.is_multiple_of(2) }
}

/// What the queue needs for many tenants, all with jobs of several people that wait.
fn costs() -> io::Result<Vec<Row>> {
    let places = Places { waiting: usize::MAX, ..Places::default() };
    let policy = Policy { places, ..Policy::default() };
    let queue = Admission::with(policy, 8, Clock::default());
    let cost = Cost { prompt_tokens: 200, max_tokens: 200 };
    let before = resident()?;
    let mut entering = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    for user in 0..PEOPLE {
        for tenant in 0..TENANTS {
            let who = person(tenant, user);
            let begun = Instant::now();
            let place = queue.enter(&who, cost);
            entering.push(begun.elapsed());
            places.extend(place);
        }
    }
    let bytes = u32::try_from((resident()? - before) / TENANTS).unwrap_or(u32::MAX);

    // One runs to its end and the next is picked, again and again.
    let (mut picking, mut charging) = (Vec::new(), Vec::new());
    let mut running: Vec<(Place, Charge)> = Vec::new();
    while picking.len() < 20_000 {
        for at in (0..places.len()).rev() {
            if places[at].position() == 0 {
                let place = places.swap_remove(at);
                let charge = place.charge();
                running.push((place, charge));
            }
        }
        for (_, charge) in &running {
            for _ in 0..20 {
                let begun = Instant::now();
                charge.made(1);
                charging.push(begun.elapsed());
            }
        }
        for (place, _) in running.drain(..) {
            let begun = Instant::now();
            drop(place);
            picking.push(begun.elapsed());
        }
    }
    Ok(vec![
        single("memory for each tenant with 4 people waiting", bytes.into(), "bytes", TENANTS),
        timed("place given back and next one picked, 10,000 tenants", 99, &picking),
        timed("the same, longest", 100, &picking),
        timed("place taken, 10,000 tenants", 99, &entering),
        timed("token counted, 10,000 tenants", 99, &charging),
    ])
}

fn timed(name: &str, percent: usize, times: &[Duration]) -> Row {
    let micros = |percent| percentile(times, percent).as_secs_f64() * 1e6;
    let mut row = single(name, micros(percent), "us", times.len());
    row.spread = (micros(50), micros(100));
    row
}

fn single(name: &str, value: f64, unit: &'static str, many: usize) -> Row {
    Row { many, ..Row::over(name, unit, &[(0, value, many)]) }
}

/// Bytes of memory that this process has now.
fn resident() -> io::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next());
    let kib = kib.and_then(|kib| kib.parse::<usize>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("the system does not tell VmRSS"))
}
