//! In how long an answer comes, nobody hears whether something is there.

use std::time::Instant;

use faults::chance::Chance;
use sqlx::PgPool;

use crate::api::{absent, operations};
use crate::asked::Asked;
use crate::below;
use crate::console::routes;
use crate::world::{World, written};

/// Pairs of one operation in a round.
const PAIRS: usize = 300;
/// What a machine does beside is in one round and not in the next; what we tell is in each.
const ROUNDS: usize = 5;
/// Beyond it two kinds of answers take differently long.
const TOLD: f64 = 4.5;
/// Of a hundred, so many are as usual: the slowest ones say what else the machine does.
const USUAL: usize = 90;

/// Two requests: for what is another organization's, and for what is nowhere.
struct Pair {
    what: String,
    there: Asked,
    /// Each time another one, as nobody knows one that is not there.
    absent: Box<dyn Fn(&mut Chance) -> Asked + Send + Sync>,
}

/// By how much the means of two kinds differ, in what chance alone would have them differ by.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let of = |all: &[f64]| {
        let count = f64::from(u32::try_from(all.len()).unwrap());
        let mean = all.iter().sum::<f64>() / count;
        let spread = all.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, spread / count)
    };
    let ((one, one_spread), (other, other_spread)) = (of(one), of(other));
    (one - other) / (one_spread + other_spread).sqrt()
}

/// The same, where a pause of the machine is no more than the slowest that is usual.
fn told(times: &[(bool, f64)]) -> f64 {
    let mut sorted: Vec<f64> = times.iter().map(|it| it.1).collect();
    sorted.sort_by(f64::total_cmp);
    let longest = sorted[sorted.len() * USUAL / 100];
    let of = |is: bool| -> Vec<f64> {
        times.iter().filter(|it| it.0 == is).map(|it| it.1.min(longest)).collect()
    };
    welch(&of(true), &of(false)).abs()
}

async fn round(world: &World, pair: &Pair, chance: &mut Chance) -> f64 {
    let (mut times, mut left) = (Vec::new(), [PAIRS; 2]);
    while left != [0, 0] {
        let mut kind = below(chance, 2);
        if left[kind] == 0 {
            kind = 1 - kind;
        }
        left[kind] -= 1;
        let asked = if kind == 0 { pair.there.clone() } else { (pair.absent)(chance) };
        // What the one before left to be done is done.
        tokio::task::yield_now().await;
        let begun = Instant::now();
        asked.send(&world.rig).await;
        times.push((kind == 0, begun.elapsed().as_secs_f64()));
    }
    told(&times)
}

fn pairs(world: &World) -> Vec<Pair> {
    let (own, other) = (&world.organizations[0], &world.organizations[1]);
    let of_api = operations().into_iter().filter(|it| it.path.contains("{id}")).map(|operation| {
        let kind = match operation.path.split('/').nth(2).unwrap() {
            "platforms" => &other.platforms.kept,
            "keys" => &other.keys.kept,
            "invitations" => &other.invitations.kept,
            "webhooks" => &other.webhooks.kept,
            "tickets" => &other.tickets.kept,
            _ => &other.people.kept,
        };
        let body = match operation.path.as_str() {
            "/v1/members/{id}/role" => "{\"role\": \"developer\"}".to_owned(),
            "/v1/tickets/{id}/messages" => "{\"text\": \"Said.\"}".to_owned(),
            _ => written(&other.names.kept, &own.canary),
        };
        let query = if operation.method == "DELETE" {
            format!("?name={}", other.names.kept)
        } else {
            String::new()
        };
        let there = Asked {
            path: format!(
                "{}{query}",
                operation.path.replace("{id}", kind).replace("{delivery}", &other.delivery)
            ),
            headers: vec![
                ("authorization", format!("Bearer {}", own.secrets.all)),
                ("if-match", other.tag.clone()),
            ],
            body: if operation.method == "GET" { String::new() } else { body },
            method: operation.method.clone(),
        };
        let (like, asked) = (kind.clone(), there.clone());
        let absent =
            move |chance: &mut Chance| asked.with(&[(like.clone(), absent(&like, chance))]);
        Pair {
            what: format!("{} {}", operation.method, operation.path),
            there,
            absent: Box::new(absent),
        }
    });
    let of_console = routes().into_iter().filter(|it| it.0 == "GET").flat_map(|(method, path)| {
        let of = |slug: &str, name: &str| Asked {
            method: method.to_owned(),
            path: path.replace("{slug}", slug).replace("{name}", name),
            headers: vec![
                ("accept", "text/html".to_owned()),
                ("cookie", format!("__Host-session={}", own.cookies.owner)),
            ],
            body: String::new(),
        };
        let mut pairs = Vec::new();
        let mut add = |what: &str, there: Asked, named: &str| {
            let (asked, named) = (there.clone(), named.to_owned());
            let absent = move |chance: &mut Chance| {
                let mut other = format!("no-{:016x}", chance.number());
                other.truncate(named.len());
                asked.with(&[(named.clone(), other)])
            };
            pairs.push(Pair { what: format!("{what} of {path}"), there, absent: Box::new(absent) });
        };
        if path.contains("{slug}") {
            add("organization", of(&other.slug, &own.names.kept), &other.slug);
        }
        if path.contains("{name}") {
            add("platform", of(&own.slug, &other.names.kept), &other.names.kept);
        }
        pairs
    });
    of_api.chain(of_console).collect()
}

#[sqlx::test(migrations = false)]
async fn what_is_anothers_and_what_is_nowhere_take_equally_long(db: PgPool) {
    let seed = crate::number("SOULFRA_SEED", 1);
    println!("SOULFRA_SEED={seed}");
    let world = Box::pin(World::new(db)).await;
    let mut chance = Chance::new(seed);
    let (pairs, mut most, mut wrong) = (pairs(&world), 0.0_f64, Vec::new());
    for pair in &pairs {
        let mut least = f64::INFINITY;
        for _ in 0..ROUNDS {
            least = least.min(round(&world, pair, &mut chance).await);
            if least < TOLD {
                break;
            }
        }
        most = most.max(least);
        if least >= TOLD {
            wrong.push(format!("{}: {least:.1}", pair.what));
        }
    }
    println!("counted: {} pairs in time, |t| {most:.1} at most", pairs.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_tenth_more_is_found_and_nothing_is_not() {
    let mut chance = Chance::new(7);
    let mut times = |more: f64| -> Vec<(bool, f64)> {
        let time = |number: usize, chance: &mut Chance| {
            let is_there = number.is_multiple_of(2);
            let noise = f64::from(u32::try_from(below(chance, 1_000)).unwrap()) / 2_000.0;
            (is_there, 1.0 + noise + if is_there { more } else { 0.0 })
        };
        (0..2 * PAIRS).map(|number| time(number, &mut chance)).collect()
    };
    assert!(told(&times(0.1)) > TOLD);
    assert!(told(&times(0.0)) < TOLD);
}
