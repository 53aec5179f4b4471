//! The tills of model servers, over HTTP, with a control plane at the other end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use blueprint::{Currency, PlanName};
use control_plane::router;
use faults::chance::Chance;
use futures::future::join_all;
use inference::budget::{Refused as NoMoney, Remote};
use inference::prices::{Micros, Price, Prices, Tokens};
use inference::server::Now;
use inference::spool::Outcome;
use inference::till::{Keeper, Refused, Till};
use jiff::SignedDuration;
use serde_json::Value;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use usage::{GRACE, LIFE, WIND_DOWN};
use web::serve::{Limits, Places, Transport, serve};
use web::token::Caller;

use crate::Rig;
use crate::rig::{self, written};
use crate::world::key;

/// A control plane on a port, which is gone now and then.
struct Served {
    url: url::Url,
    is_gone: Arc<AtomicBool>,
    _stop: DropGuard,
}

impl Served {
    async fn new(rig: &Rig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let (stop, is_gone) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let gone = is_gone.clone();
        let answers = move |request: Request, next: Next| {
            let is_gone = gone.load(Ordering::Relaxed);
            async move {
                if is_gone {
                    StatusCode::BAD_GATEWAY.into_response()
                } else {
                    next.run(request).await
                }
            }
        };
        let router = router(rig.app.clone()).layer(from_fn(answers));
        let places = Places::new(Limits::default());
        tokio::spawn(serve(listener, Transport::Plain, router, stop.clone(), places));
        Self { url, is_gone, _stop: stop.drop_guard() }
    }

    fn is_gone(&self, is: bool) {
        self.is_gone.store(is, Ordering::Relaxed);
    }

    fn till(&self, rig: &Rig, folder: &Path, key: &str) -> (Till, Keeper) {
        let remote = Remote::new(&self.url, &key.to_owned().into()).unwrap();
        let clock = rig.clock.clone();
        let now: Now = Arc::new(move || clock.now());
        Till::open_remote(folder, remote, prices(), now).unwrap()
    }
}

/// Each token made costs a millionth.
fn prices() -> Prices {
    let mut prices = Prices::default();
    let free = Price::free(Currency::USD);
    prices.set("small", Price { completion: Micros::new(1_000_000), ..free });
    prices
}

async fn harbour(rig: &Rig) -> (rig::Caller<'_>, String) {
    let acme = rig.admit("acme", PlanName::Starter).await;
    let budget = "  ai:\n    monthlyBudget: {amount: 100, currency: USD}\n";
    let text = format!("{}{budget}", written("harbour", "Harbour"));
    let made = acme.send("POST", "/v1/platforms", &[], text).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/v1/platforms/{}/usage", made.body["id"].as_str().unwrap());
    (acme, path)
}

async fn sell(till: &Till, most: u64, used: u64) -> Result<u64, Refused> {
    let caller = Caller::new("harbour", "ann", "tutor");
    let tab = till.open(&caller, "r", "small", Tokens::at_most(0, most)).await?;
    tokio::task::yield_now().await;
    let receipt = tab.close(Tokens::at_most(0, used), Outcome::Finished).await.unwrap();
    Ok(receipt.cost.get())
}

fn budget(body: &Value) -> [u64; 2] {
    ["spentMicros", "heldMicros"].map(|what| body["budgets"][0][what].as_u64().unwrap())
}

#[sqlx::test(migrations = false)]
async fn two_replicas_never_spend_more_together_than_there_is_and_settle_exactly(db: PgPool) {
    let rig = Rig::new(db).await;
    let beside = rig.beside(rig::key_ring(&[7]));
    let (acme, path) = harbour(&rig).await;
    let served = [Served::new(&rig).await, Served::new(&beside).await];
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut tills = Vec::new();
    for (served, (name, folder)) in served.iter().zip(["gpu-1", "gpu-2"].iter().zip(&folders)) {
        tills.push(served.till(&rig, folder.path(), &key(&rig, name).await));
    }
    let mut sellers = Vec::new();
    for number in 0..16_u64 {
        let till = tills[usize::try_from(number % 2).unwrap()].0.clone();
        let clock = rig.clock.clone();
        sellers.push(tokio::spawn(async move {
            let (mut chance, mut spent) = (Chance::new(number), 0);
            for _ in 0..12 {
                // Whoever was told that nothing is left asks again when it is time.
                clock.advance(SignedDuration::from_millis(500));
                let most = 1_000 + chance.number() % 30_000;
                match sell(&till, most, chance.number() % (most + 1)).await {
                    Ok(cost) => spent += cost,
                    Err(Refused::Budget(
                        NoMoney::BudgetSpent { .. }
                        | NoMoney::BudgetHeld
                        | NoMoney::LeaseUnavailable { .. },
                    )) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            spent
        }));
    }
    let spent: u64 = join_all(sellers).await.into_iter().map(Result::unwrap).sum();
    join_all(tills.into_iter().map(|(_, keeper)| keeper.close())).await;
    println!("spent {spent} of 1000000");
    assert!(spent > 300_000 && spent <= 1_000_000, "{spent}");
    // What a claim under way held at the end is free again by then.
    rig.clock.advance(SignedDuration::from_hours(2));
    let seen = acme.get(&path).await.body;
    assert_eq!(budget(&seen), [spent, 0], "settled exactly, and nothing is kept");
    assert_eq!(seen["totals"][0]["costMicros"].as_u64(), Some(spent));
}

#[sqlx::test(migrations = false)]
async fn answers_go_on_while_the_control_plane_is_gone_until_grace_ends_and_count_when_it_is_back(
    db: PgPool,
) {
    let rig = Rig::new(db).await;
    let (acme, path) = harbour(&rig).await;
    let (folder, key) = (tempfile::tempdir().unwrap(), key(&rig, "gpu-1").await);
    let served = Served::new(&rig).await;
    let (till, keeper) = served.till(&rig, folder.path(), &key);
    assert_eq!(sell(&till, 100, 60).await.unwrap(), 60);
    served.is_gone(true);
    let ends = (LIFE + GRACE).saturating_sub(WIND_DOWN).as_secs();
    rig.clock.advance(SignedDuration::from_secs(i64::try_from(ends).unwrap() - 1));
    assert_eq!(sell(&till, 100, 40).await.unwrap(), 40);
    rig.clock.advance(SignedDuration::from_secs(1));
    let refused = sell(&till, 100, 1).await.err().unwrap();
    assert!(matches!(refused, Refused::Budget(NoMoney::LeaseUnavailable { .. })), "{refused}");
    keeper.close().await;
    drop(till);

    // It is back, and so is the model server: as another holding.
    served.is_gone(false);
    let (till, keeper) = served.till(&rig, folder.path(), &key);
    assert_eq!(sell(&till, 100, 7).await.unwrap(), 7);
    keeper.close().await;
    drop(till);
    let seen = acme.get(&path).await.body;
    assert_eq!(seen["totals"][0]["costMicros"].as_u64(), Some(107));
    assert_eq!(budget(&seen)[0], 107);
}
