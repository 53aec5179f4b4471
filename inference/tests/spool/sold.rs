//! A child with a whole till, in which each answer costs one millionth.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blueprint::Currency;
use inference::budget::Local;
use inference::prices::{Micros, Price, Prices, Tokens};
use inference::server::Now;
use inference::spool::Outcome;
use inference::till::{Keeper, Till};
use uuid::Uuid;
use web::token::Caller;

use crate::killed::{WRITERS, kill_children, runtime};

/// What was counted after all kills.
#[derive(Debug, Clone, Copy)]
pub struct Sold {
    /// Answers whose record was acknowledged.
    pub acknowledged: u64,
    /// What the book says was spent, in millionths: answers.
    pub counted: u64,
    /// Answers whose record a kill may have left unacknowledged.
    pub in_doubt: u64,
    /// What is kept for nobody.
    pub held: u64,
}

/// Kills a till again and again, and looks into its book.
pub fn many_times(kills: usize, seed: u64, child: impl Fn(&Path) -> Command) -> Sold {
    let place = tempfile::tempdir().unwrap();
    let acknowledged: BTreeSet<_> = kill_children(place.path(), kills, seed, child);
    let standing = runtime().block_on(async {
        let (_, local, keeper) = open(place.path()).await;
        keeper.close().await;
        local.standing("acme", Currency::USD)
    });
    let count = |number: usize| u64::try_from(number).unwrap();
    Sold {
        acknowledged: count(acknowledged.len()),
        counted: standing.spent.get(),
        in_doubt: count(kills * WRITERS),
        held: standing.held.get(),
    }
}

/// What a child does: says `acknowledged REQUEST` for each answer once its record is written.
pub fn sell_until_killed(place: &Path) {
    let began = Instant::now();
    runtime().block_on(async {
        let (till, _local, _keeper) = open(place).await;
        let writers = (0..WRITERS).map(|_| tokio::spawn(sell(till.clone(), began)));
        futures::future::join_all(writers).await;
    });
}

async fn open(place: &Path) -> (Till, Local, Keeper) {
    let now: Now = Arc::new(|| "2026-03-09T10:00:00Z".parse().unwrap());
    let mut prices = Prices::default();
    let each = Price { completion: Micros::new(1_000_000), ..Price::free(Currency::USD) };
    prices.set("small", each);
    let opened = Till::open_local(place, prices, now).await.unwrap();
    opened.1.set_budget("acme", Some("1000.00 USD".parse().unwrap()));
    opened
}

async fn sell(till: Till, began: Instant) {
    let [tenant, user, agent] = ["acme", "ann", "tutor"].map(str::to_owned);
    let caller = Caller::new(tenant, user, agent);
    // Nobody killed it: an end of its own.
    while began.elapsed() < Duration::from_secs(20) {
        let request = Uuid::now_v7().to_string();
        let tab = till.open(&caller, &request, "small", Tokens::at_most(9, 30)).await.unwrap();
        tab.close(Tokens::at_most(9, 1), Outcome::Finished).await.unwrap();
        println!("acknowledged {request}");
        tokio::task::yield_now().await;
    }
}
