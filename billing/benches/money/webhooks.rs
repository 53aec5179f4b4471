//! Webhooks, signed and of the size that Stripe sends: how many are stored for good in a second, a third of them
//! told before. Those who tell at once share a commit; beside them, by turns, one commit for each.

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::hmac;
use billing::rail::webhook::{Delivery, Intake, Secrets, intake, store};
use futures::future::join_all;
use jiff::Timestamp;
use work::Clock;

use super::place::{Place, Room};
use super::played::stripe;
use super::{Chance, tell, tell_count};

const SECRET: &str = "whsec_bench";
const ROUNDS: usize = 7;
/// Events of a round that share commits; three tenths more of them are told twice.
const TOGETHER: usize = 20_000;
/// Those of a round that have a commit each.
const ALONE: usize = 2_000;
/// So many tell at once: a rail waits for each answer.
const AT_ONCE: usize = 256;

/// A request, as it comes.
#[derive(Clone)]
pub(crate) struct Told {
    signature: String,
    body: Vec<u8>,
}

pub(crate) async fn measure(place: &Place) {
    let room = place.empty("bench_webhooks").await;
    let (mut together, mut alone, mut events) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let told = doubled(round, TOGETHER);
        events += TOGETHER;
        together.push(rate(told.len(), in_commits_of_many(&room, told)).await);
        let told = doubled(ROUNDS + round, ALONE);
        events += ALONE;
        alone.push(rate(told.len(), in_commits_of_their_own(&room, told)).await);
    }
    let kept = room.count("select count(*) from billing.webhook").await;
    assert_eq!(kept, i64::try_from(events).unwrap());
    let asked = room.count("select sum(asked)::bigint from billing.told").await;
    assert_eq!(asked, kept, "each event has its object looked at once");
    tell("webhooks stored a second", "/s", 0, together);
    tell("webhooks stored a second, a commit for each", "/s", 0, alone);
    tell_count("events that were stored twice, or not", kept - asked, 2 * ROUNDS);
    room.db.close().await;
    place.remove("bench_webhooks").await;
}

async fn rate(count: usize, telling: impl Future<Output = ()>) -> f64 {
    let begun = Instant::now();
    Box::pin(telling).await;
    f64::from(u32::try_from(count).unwrap()) / begun.elapsed().as_secs_f64()
}

/// So many events of this round, three in ten of them told twice, in any order.
fn doubled(round: usize, count: usize) -> Vec<Told> {
    let mut chance = Chance(u64::try_from(round).unwrap());
    let event = |number: usize| signed(&format!("evt_{round}_{number}"), number / 3);
    let mut told: Vec<_> = (0..count).map(event).collect();
    let again: Vec<_> = told.iter().take(count * 3 / 10).cloned().collect();
    told.extend(again);
    chance.shuffle(&mut told);
    told
}

/// An event of an object, signed now.
pub(crate) fn signed(event: &str, object: usize) -> Told {
    let object = format!("in_{object}");
    // As long as an invoice is there.
    let rest = "a line of an invoice, ".repeat(90);
    let body = format!(
        r#"{{"id":"{event}","object":"event","type":"invoice.paid","created":1790000000,"livemode":true,
            "api_version":"2026-09-30.endive","data":{{"object":{{"id":"{object}","object":"invoice",
            "description":"{rest}"}}}}}}"#
    );
    let at = Clock::System.now().as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, &[format!("{at}.").as_bytes(), body.as_bytes()].concat());
    Told { signature: format!("t={at},v1={}", hex::encode(tag)), body: body.into_bytes() }
}

async fn in_commits_of_many(room: &Room, told: Vec<Told>) {
    let (intake, storing) = intake(room.db.clone(), stripe(), Clock::System);
    let storing = tokio::spawn(storing);
    hand_in(intake, told).await;
    storing.await.unwrap();
}

/// Many hand in at once, each the next one when the last was acknowledged.
pub(crate) async fn hand_in(intake: Intake, told: Vec<Told>) {
    let secrets = Arc::new(Secrets::new(SECRET, None));
    let each = told.len().div_ceil(AT_ONCE);
    let telling = told.chunks(each).map(|some| {
        let (intake, secrets, some) = (intake.clone(), secrets.clone(), some.to_vec());
        tokio::spawn(async move {
            for Told { signature, body } in some {
                intake.take(&secrets, &signature, body).await.unwrap();
            }
        })
    });
    let telling: Vec<_> = telling.collect();
    drop(intake);
    for done in join_all(telling).await {
        done.unwrap();
    }
}

async fn in_commits_of_their_own(room: &Room, told: Vec<Told>) {
    let secrets = Secrets::new(SECRET, None);
    let tell = async |some: &[Told]| {
        for Told { signature, body } in some {
            let now: Timestamp = Clock::System.now();
            secrets.check(signature, body, now).unwrap();
            let mut tx = room.db.begin().await.unwrap();
            store(&mut tx, &stripe(), &[Delivery::new(body.clone())], now).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    join_all(told.chunks(told.len().div_ceil(16)).map(tell)).await;
}
