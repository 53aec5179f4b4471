//! Events that Stripe did not send as they come, or not now: none is taken.

use std::sync::Arc;

use billing::rail::webhook::{Secrets, WINDOW};
use jiff::Timestamp;
use sqlx::PgPool;
use stripe_sim::sign;

use crate::rig::{Rig, from_environment};
use crate::shop::{Shop, usd};
use crate::storm::Chance;

/// An event as it comes.
#[derive(Clone)]
struct Parcel {
    header: String,
    body: String,
}

/// An event of each sort that Stripe signs by itself in a sale, with the secret it does it with.
async fn parcels(db: &PgPool) -> (Rig, Vec<Parcel>) {
    let rig = Rig::start(db, 20).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let (sale, _) = shop.sale(&rig, "one", (&who, "pm_card_createDispute"), usd("10.00"));
    rig.decide(std::slice::from_ref(&sale)).await;
    rig.drain().await;
    let at = rig.clock.now().as_second();
    let events = rig.all("/v1/events", None).await;
    let parcel = |event: &serde_json::Value| {
        let body = event.to_string();
        Parcel { header: sign(at, &body, std::slice::from_ref(&rig.secrets[0])), body }
    };
    let parcels = events.iter().map(parcel).collect();
    (rig, parcels)
}

/// The parcel with something about it changed: a byte of its body or header, its time, its secret, what signs.
fn changed(chance: &mut Chance, parcel: &Parcel, (secret, now): (&str, i64)) -> (String, String) {
    let Parcel { header, body } = parcel.clone();
    let other = |chance: &mut Chance| format!("whsec_{:032x}", chance.below(u64::MAX >> 34));
    match chance.below(8) {
        0 | 1 => (header, mutated(chance, body)),
        2 | 3 => (mutated(chance, header), body),
        // Signed rightly, too long ago or for later.
        4 => {
            let far = WINDOW.as_secs() + 1 + i64::try_from(chance.below(4_000_000)).unwrap();
            let at = if chance.below(2) == 0 { now - far } else { now + far };
            (sign(at, &body, &[secret.to_owned()]), body)
        }
        // The right time and signature, each of another.
        5 => {
            let at = now - 1 - i64::try_from(chance.below(200)).unwrap();
            (header.replacen(&now.to_string(), &at.to_string(), 1), body)
        }
        // Somebody else's secret, or ours without its last letter.
        6 => (sign(now, &body, &[other(chance)]), body),
        _ => {
            let cut = &secret[..secret.len() - 1 - usize::try_from(chance.below(8)).unwrap()];
            // Signatures of a kind that is not trusted stand beside.
            let right = sign(now, &body, &[secret.to_owned()]).replace("v1=", "v0=");
            let wrong = sign(now, &body, &[cut.to_owned()]);
            (format!("{wrong},{}", right.split_once(',').unwrap().1), body)
        }
    }
}

/// With one byte changed, taken out or put in, or cut off.
fn mutated(chance: &mut Chance, text: String) -> String {
    let mut bytes = text.into_bytes();
    let place = usize::try_from(chance.below(bytes.len() as u64)).unwrap();
    match chance.below(4) {
        0 => bytes[place] ^= 1 << chance.below(7),
        1 => drop(bytes.remove(place)),
        2 => bytes.insert(place, b"0af,=v1t"[usize::try_from(chance.below(8)).unwrap()]),
        _ => bytes.truncate(place),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[sqlx::test(migrations = false)]
async fn whatever_is_changed_of_an_event_it_is_not_taken(db: PgPool) {
    let seed = from_environment("SOULFRA_SEED", 20_261_123);
    let mutations = from_environment("SOULFRA_MUTATIONS", 5_000);
    let (rig, parcels) = Box::pin(parcels(&db)).await;
    let (secret, now) = (rig.secrets[0].as_str(), rig.clock.now());
    let secrets = Secrets::new(secret, Some("whsec_before"));
    let (mut chance, mut tried, mut taken) = (Chance(seed), 0, Vec::new());
    while tried < mutations {
        let place = usize::try_from(chance.below(parcels.len() as u64)).unwrap();
        let parcel = &parcels[place];
        assert_eq!(secrets.check(&parcel.header, parcel.body.as_bytes(), now), Ok(()));
        let (header, body) = changed(&mut chance, parcel, (secret, now.as_second()));
        // Hexadecimal digits are the same in capitals.
        if body == parcel.body && header.eq_ignore_ascii_case(&parcel.header) {
            continue;
        }
        tried += 1;
        if secrets.check(&header, body.as_bytes(), now).is_ok() {
            taken.push((header, parcel.header.clone()));
        }
    }
    println!(
        "counted: {} of {mutations} mutated events of {} taken, seed {seed}",
        taken.len(),
        parcels.len()
    );
    assert!(taken.is_empty(), "{taken:#?}");
}

#[sqlx::test(migrations = false)]
async fn what_is_forged_or_stale_is_not_stored_and_what_is_replayed_does_nothing(db: PgPool) {
    let (rig, parcels) = Box::pin(parcels(&db)).await;
    let count = "select (select count(*) from billing.webhook) * 1000000
                      + (select count(*) from billing.journal) * 1000 + (select count(*) from billing.told)";
    let count = async || sqlx::query_scalar::<_, i64>(count).fetch_one(&db).await.unwrap();
    let before = count().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let tell = async |header: &str, body: &str| {
        let request = client.post(format!("{}/hooks/own", rig.hooks)).body(body.to_owned());
        let answer = request.header("stripe-signature", header).send().await.unwrap();
        answer.status().as_u16()
    };
    let (secret, now) = (rig.secrets[0].as_str(), rig.clock.now().as_second());
    let mut chance = Chance(7);
    for parcel in parcels.iter().cycle().take(200) {
        let (header, body) = changed(&mut chance, parcel, (secret, now));
        // What no header can hold, nobody can send.
        let can_be_sent = header.is_ascii() && !header.contains(char::is_control);
        let is_same = body == parcel.body && header.eq_ignore_ascii_case(&parcel.header);
        if can_be_sent && !is_same {
            assert_eq!(tell(&header, &body).await, 400, "{header}");
        }
        // What is meant for our other address is not believed at this one.
        let other = sign(now, &parcel.body, std::slice::from_ref(&rig.secrets[1]));
        assert_eq!(tell(&other, &parcel.body).await, 400);
    }
    assert_eq!(count().await, before, "nothing was stored");
    let listened = |parcel: &&Parcel| {
        let kind = serde_json::from_str::<serde_json::Value>(&parcel.body).unwrap()["type"].clone();
        billing_stripe::EVENTS.iter().any(|event| kind == *event)
    };
    let known: Vec<_> = parcels.iter().filter(listened).collect();
    for parcel in known.iter().cycle().take(3 * known.len()) {
        assert_eq!(tell(&parcel.header, &parcel.body).await, 200);
    }
    assert_eq!(count().await, before, "{} known events were told three times more", known.len());
    rig.agrees().await;
    rig.wait(WINDOW.as_secs() + 1);
    for parcel in &known {
        assert_eq!(tell(&parcel.header, &parcel.body).await, 400, "it is too old now");
    }
}

#[sqlx::test(migrations = false)]
async fn while_a_secret_is_changed_both_are_believed_and_then_only_the_new_one(db: PgPool) {
    let (rig, parcels) = Box::pin(parcels(&db)).await;
    let (parcel, old) = (&parcels[0], rig.secrets[0].clone());
    let now = Timestamp::from_second(rig.clock.now().as_second()).unwrap();
    let new = rig.sim.roll_secret(&rig.endpoints[0], 86_400);
    let by = |secret: &str| sign(now.as_second(), &parcel.body, &[secret.to_owned()]);
    let both = Secrets::new(&new, Some(&old));
    for secret in [&old, &new] {
        assert_eq!(both.check(&by(secret), parcel.body.as_bytes(), now), Ok(()));
    }
    // Stripe signs with both for a day: whoever has only one of them yet believes it all the same.
    for secrets in [Secrets::new(&old, None), both, Secrets::new(&new, None)] {
        rig.believed.lock().unwrap().insert("own".to_owned(), Arc::new(secrets));
        rig.ask("POST", "/v1/customers", &[], None).await;
        let charge = [("amount", "500"), ("currency", "usd"), ("confirm", "true")];
        let card = [("payment_method", "pm_card_visa"), ("payment_method_types[]", "card")];
        rig.ask("POST", "/v1/payment_intents", &[charge.as_slice(), &card].concat(), None).await;
        let tried = rig.sim.deliver().await;
        assert!(!tried.is_empty() && tried.iter().all(|one| one.status == Some(200)), "{tried:?}");
    }
    // After it only the new one signs, and the old one is nobody's.
    rig.wait(86_401);
    let only_new = Secrets::new(&new, None);
    let at = rig.clock.now();
    let late = sign(at.as_second(), &parcel.body, &[old]);
    assert!(only_new.check(&late, parcel.body.as_bytes(), at).is_err());
    let late = sign(at.as_second(), &parcel.body, &[new]);
    assert_eq!(only_new.check(&late, parcel.body.as_bytes(), at), Ok(()));
}
