//! Every call of an issuance goes wrong once.

use certificates::orders::{self, Issuer};
use sqlx::PgPool;
use work::Clock;

use crate::answers::Answers;
use crate::proxy::{Fault, Proxy};
use crate::rig::{Looks, Rig};
use crate::{root_key, settings};

/// Calls of one issuance, its account included, and some more should there be others one day.
const CALLS: usize = 14;
/// Tries until a certificate is there, whatever went wrong before.
const TRIES: usize = 5;

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn whichever_call_goes_wrong_there_is_one_certificate_in_the_end(db: PgPool) {
    let answers = Answers::from(&db).await;
    // A refused nonce would be one call more.
    let rig = Rig::start(Looks::at(answers.port), &[("PEBBLE_WFE_NONCEREJECT", "0")]).await;
    let proxy = Proxy::before(&rig).await;
    let faults = [
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::Answer(503),
        Fault::KillBefore,
        Fault::KillAfter,
    ];
    let mut struck = 0;
    for fault in faults {
        for n in 0..CALLS {
            let name = format!("{n}-{}.example.com", struck + n);
            struck += usize::from(one(&db, &proxy, &name, n, fault).await);
        }
    }
    assert!(struck >= faults.len() * 7, "only {struck} calls went wrong");
}

/// Orders one certificate while the `n`-th call goes wrong. True where there were so many calls.
async fn one(db: &PgPool, proxy: &Proxy, name: &str, n: usize, fault: Fault) -> bool {
    let mut conn = db.acquire().await.unwrap();
    // Each time as the first time: the account is made anew too.
    sqlx::query("delete from certificates.account").execute(&mut *conn).await.unwrap();
    orders::want(&mut conn, &root_key(), name, Clock::System.now()).await.unwrap();
    proxy.forget();
    let (said, told) = std::sync::mpsc::channel();
    let mut calls = 0;
    proxy.follow(move |_| {
        calls += 1;
        if calls == n + 1 {
            let _ = said.send(());
            return fault;
        }
        Fault::None
    });
    for _ in 0..TRIES {
        let Some(order) = orders::open(&mut conn, name).await.unwrap() else { break };
        let settings = settings(vec![proxy.authority("pebble")]);
        let issuer = Issuer::new(db.clone(), root_key(), settings, Clock::System);
        tokio::select! {
            _ = issuer.one(&order) => {}
            () = proxy.killed() => {}
        }
    }
    let left = orders::open(&mut conn, name).await.unwrap();
    assert!(left.is_none(), "{fault:?} at call {n}: {left:?}");
    assert!(orders::current(&mut conn, name).await.unwrap().is_some());
    let finalized = proxy.done("/finalize-order/");
    assert_eq!(finalized, 1, "{fault:?} at call {n}: so many certificates were ordered");
    told.try_recv().is_ok()
}
