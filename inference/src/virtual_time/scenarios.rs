//! What the queue promises, each as traffic and one number.

use std::time::Duration;

use super::{Arrivals, Machine, Record, Row, Source, jain, percentile, run};
use crate::admission::{Class, ClassId, Classes, Policy};

const HOUR: Duration = Duration::from_hours(1);

/// What a scenario says for one seed, and how many were counted.
pub type Measured = (f64, usize);

/// A tenant of ten people who ask now and then, one question in ten seconds together.
fn victim(class: ClassId) -> Vec<Source> {
    (0..10).map(|user| Source::person(class, "victim", user, Arrivals::PerSecond(0.01))).collect()
}

fn first_tokens(records: &[Record]) -> Vec<Duration> {
    records.iter().flat_map(|record| record.first_tokens.iter().copied()).collect()
}

/// How much longer the 99th of a hundred first tokens takes for these sources with the others
/// about than without.
fn slowed(
    machine: Machine,
    policy: &Policy,
    mine: &[Source],
    others: &[Source],
    long: Duration,
    seed: u64,
) -> Measured {
    let alone = first_tokens(&run(machine, policy, mine, long, seed));
    let all = [mine, others].concat();
    let beside = first_tokens(&run(machine, policy, &all, long, seed)[..mine.len()]);
    let p99 = |times: &[Duration]| percentile(times, 99).as_secs_f64();
    (p99(&beside) / p99(&alone), beside.len())
}

/// A tenant beside another of the same class that sends ten times as much, twice what the engine
/// can do: how much later the tenant's 99th percentile of first tokens is than alone. `prompt` is
/// the longest of the tenant's prompts.
pub fn flooded(
    machine: Machine,
    policy: &Policy,
    prompt: usize,
    long: Duration,
    seed: u64,
) -> Measured {
    let class = policy.classes.lowest();
    let mut mine = victim(class);
    for source in &mut mine {
        source.prompt = 50.min(prompt)..=prompt;
    }
    let flood: Vec<_> = (0..20)
        .map(|user| Source::person(class, "flood", user, Arrivals::PerSecond(0.05)))
        .collect();
    slowed(machine, policy, &mine, &flood, long, seed)
}

/// The same beside a tenant that sends ten thousand requests as fast as a hundred people can, of
/// ten tokens to read and five to make.
pub fn tiny(machine: Machine, policy: &Policy, long: Duration, seed: u64) -> Measured {
    let class = policy.classes.lowest();
    let rate = 10_000.0 / 100.0 / long.as_secs_f64();
    let mut flood: Vec<_> = (0..100)
        .map(|user| Source::person(class, "flood", user, Arrivals::PerSecond(rate)))
        .collect();
    for source in &mut flood {
        (source.prompt, source.answer) = (10..=10, 5..=5);
    }
    slowed(machine, policy, &victim(class), &flood, long, seed)
}

/// A person beside another of the same tenant who always has as many jobs as are let in.
pub fn greedy_person(machine: Machine, policy: &Policy, long: Duration, seed: u64) -> Measured {
    let class = policy.classes.lowest();
    let mine = [Source::person(class, "tenant", 0, Arrivals::PerSecond(0.02))];
    let kept = policy.places.running_per_person + policy.places.waiting_per_person;
    let other = [Source::person(class, "tenant", 1, Arrivals::Kept(kept))];
    slowed(machine, policy, &mine, &other, long, seed)
}

/// Always busy: a tenant of so many people with two jobs each.
fn busy(class: ClassId, tenant: &str, people: usize) -> Vec<Source> {
    (0..people).map(|user| Source::person(class, tenant, user, Arrivals::Kept(2))).collect()
}

/// What a tenant's people got in the windows from the third on, the last left out.
fn windows(records: &[Record]) -> Vec<u64> {
    let many = records.iter().map(|record| record.served.len()).max().unwrap_or_default();
    let in_window = |at: usize| {
        records.iter().map(|record| record.served.get(at).copied().unwrap_or_default()).sum()
    };
    (2..many.saturating_sub(1)).map(in_window).collect()
}

/// Two equal tenants that are always busy: the largest difference of what they got in a window,
/// in percent of what each should get.
#[allow(clippy::cast_precision_loss)] // tokens of an hour
pub fn equals(machine: Machine, policy: &Policy, long: Duration, seed: u64) -> Measured {
    let class = policy.classes.lowest();
    let records = run(
        machine,
        policy,
        &[busy(class, "one", 8), busy(class, "other", 8)].concat(),
        long,
        seed,
    );
    let (one, other) = (windows(&records[..8]), windows(&records[8..]));
    let gaps = one
        .iter()
        .zip(&other)
        .map(|(one, other)| one.abs_diff(*other) as f64 * 200.0 / (one + other) as f64);
    (gaps.fold(0.0, f64::max), one.len())
}

/// A hundred tenants of classes that weigh 1, 2 and 4, all always busy: how even the service is,
/// divided by the weights.
#[allow(clippy::cast_precision_loss)] // tokens of an hour
pub fn jain_of_classes(machine: Machine, policy: &Policy, long: Duration, seed: u64) -> Measured {
    let class = |weight: u32| Class { name: weight.to_string(), weight, guaranteed_bp: 500 };
    let classes = Classes::new([4, 2, 1].map(class).into()).unwrap_or_default();
    let weights = ["4", "2", "1"].map(|name| classes.find(name).unwrap_or(classes.lowest()));
    let mut policy = policy.clone();
    policy.classes = classes;
    let sources: Vec<Source> =
        (0..100).flat_map(|tenant| busy(weights[tenant % 3], &tenant.to_string(), 2)).collect();
    let records = run(machine, &policy, &sources, long, seed);
    let shares: Vec<f64> = records
        .chunks(2)
        .enumerate()
        .map(|(tenant, records)| {
            let service: u64 = windows(records).iter().sum();
            service as f64 * [0.25, 0.5, 1.0][tenant % 3]
        })
        .collect();
    (jain(&shares), shares.len())
}

/// A starter tenant that is always busy beside thirty enterprise tenants that are too: its part of
/// the service in percent. By the weights alone it would get 0.4.
#[allow(clippy::cast_precision_loss)] // tokens of an hour
pub fn guaranteed(machine: Machine, policy: &Policy, long: Duration, seed: u64) -> Measured {
    let best = policy.classes.find("enterprise").unwrap_or(policy.classes.lowest());
    let mut sources = busy(policy.classes.lowest(), "starter", 4);
    for tenant in 0..30 {
        sources.extend(busy(best, &format!("enterprise {tenant}"), 4));
    }
    let records = run(machine, policy, &sources, long, seed);
    let sum = |records: &[Record]| windows(records).iter().sum::<u64>() as f64;
    (sum(&records[..4]) * 100.0 / sum(&records), windows(&records).len())
}

/// A tenant that was not about for long, beside one that has all places: the 99th percentile of
/// the first tokens of its questions, in seconds. Until one of the others' answers ends there is
/// no place.
pub fn unexpected(machine: Machine, policy: &Policy, long: Duration, seed: u64) -> Measured {
    let class = policy.classes.lowest();
    let mut sources = vec![Source::person(class, "rare", 0, Arrivals::PerSecond(0.001))];
    sources.extend(busy(class, "flood", 20));
    let records = run(machine, policy, &sources, long, seed);
    (percentile(&records[0].first_tokens, 99).as_secs_f64(), records[0].first_tokens.len())
}

/// Every scenario for each of the seeds, told as soon as it is known. Takes some ten seconds for
/// each seed.
pub fn rows(seeds: &[u64], mut tell: impl FnMut(Row)) {
    let policy = &Policy::default();
    let plain = &Policy { credit: 0, ..Policy::default() };
    let machine = Machine::default();
    let fine = Machine { chunk: 32, ..machine };
    let coarse = Machine { chunk: 128, ..machine };
    let mut each = |name: &str, unit: &'static str, measure: &dyn Fn(u64) -> Measured| {
        let measure = |&seed: &u64| {
            let (value, many) = measure(seed);
            (seed, value, many)
        };
        tell(Row::over(name, unit, &seeds.iter().map(measure).collect::<Vec<_>>()));
    };
    for (name, machine, policy, prompt) in [
        ("prompts of 50 to 800 read in pieces of 64", machine, policy, 800),
        ("pieces of 32", fine, policy, 800),
        ("pieces of 128", coarse, policy, 800),
        ("pieces of 64, no credit", machine, plain, 800),
        ("prompts of 50 to 61, pieces of 64", machine, policy, 61),
        ("prompts of 50 to 61, pieces of 32", fine, policy, 61),
        ("prompts of 50 to 61, pieces of 128", coarse, policy, 61),
    ] {
        let name = format!("first token p99 under a tenfold flood, {name}");
        each(&name, "times alone", &|seed| flooded(machine, policy, prompt, 3 * HOUR, seed));
    }
    each("first token p99, not expected, others have all places", "s", &|seed| {
        unexpected(machine, policy, 12 * HOUR, seed)
    });
    each("largest gap of two equals in 30 s", "%", &|seed| equals(machine, policy, 3 * HOUR, seed));
    each("Jain index, 100 tenants 1:2:4", "of 1", &|seed| {
        jain_of_classes(machine, policy, 2 * HOUR, seed)
    });
    each("a starter beside 30 enterprises", "% of service", &|seed| {
        guaranteed(machine, policy, 2 * HOUR, seed)
    });
    each("first token p99 under 10,000 tiny requests", "times alone", &|seed| {
        tiny(machine, policy, 2 * HOUR, seed)
    });
    each("first token p99 beside a greedy person", "times alone", &|seed| {
        greedy_person(machine, policy, 6 * HOUR, seed)
    });
}

#[cfg(test)]
mod tests;
