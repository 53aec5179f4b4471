//! What was used counts once, whatever happens on the way.

use futures::future::join_all;
use sqlx::{Connection as _, PgPool};
use usage::{Event, Micros};

use crate::Rig;
use crate::world::{claim, event, has_budget, lease, model_server, taken, tell, vault};

/// The events that are kept, and what they cost.
async fn kept(rig: &Rig) -> (i64, i64) {
    sqlx::query_as("select count(*), coalesce(sum(cost), 0)::bigint from control.usage_event")
        .fetch_one(&rig.db)
        .await
        .unwrap()
}

#[sqlx::test(migrations = false)]
async fn the_same_batch_twice_counts_once_and_other_content_never(db: PgPool) {
    let rig = Rig::new(db).await;
    let server = model_server(&rig, "gpu-1").await;
    has_budget(&rig, "harbour", Some("1.00 USD"));
    lease(&server, &claim("harbour", 1, 0, 500)).await;
    let now = rig.clock.now();
    let batch = [event(1, "harbour", 100, now), event(2, "harbour", 50, now)];
    assert_eq!(taken(&tell(&server, &batch).await), [2, 0, 0]);
    assert_eq!(taken(&tell(&server, &batch).await), [0, 2, 0]);
    let more = [batch[1].clone(), event(3, "harbour", 7, now), batch[0].clone(), batch[0].clone()];
    assert_eq!(taken(&tell(&server, &more).await), [1, 3, 0]);
    let forged = [event(1, "harbour", 100_000, now), event(2, "quay", 50, now)];
    assert_eq!(taken(&tell(&server, &forged).await), [0, 2, 2]);
    let torn = [event(4, "harbour", 1, now), event(4, "harbour", 9_999, now)];
    assert_eq!(taken(&tell(&server, &torn).await), [1, 1, 1]);
    assert_eq!(kept(&rig).await, (4, 158));
    let vault = vault(&rig, "harbour").await;
    assert_eq!((vault.billed(), vault.held()), (Micros::new(158), Micros::new(342)));
}

#[sqlx::test(migrations = false)]
async fn what_nobodys_tenants_used_is_kept(db: PgPool) {
    let rig = Rig::new(db).await;
    let server = model_server(&rig, "gpu-1").await;
    let told = [event(1, "No Name", 5, rig.clock.now()), event(2, "nobody", 5, rig.clock.now())];
    assert_eq!(taken(&tell(&server, &told).await), [2, 0, 0]);
    assert_eq!(kept(&rig).await, (2, 10));
    assert_eq!(vault(&rig, "nobody").await.billed(), Micros::new(5));
}

#[sqlx::test(migrations = false)]
async fn what_cannot_be_kept_is_counted_and_stops_nothing_behind_it(db: PgPool) {
    let rig = Rig::new(db).await;
    let server = model_server(&rig, "gpu-1").await;
    let of_1970 = Event {
        started_at: jiff::Timestamp::UNIX_EPOCH,
        ended_at: jiff::Timestamp::UNIX_EPOCH,
        ..event(1, "harbour", 5, rig.clock.now())
    };
    let batch = [
        of_1970,
        event(2, "har\u{7}bour", 5, rig.clock.now()),
        event(3, "quay", 5, rig.clock.now()),
    ];
    for wanted in [[1, 0, 0], [0, 1, 0]] {
        let told = tell(&server, &batch).await;
        assert_eq!((taken(&told), &told.body["refused"]), (wanted, &serde_json::json!(2)));
    }
    assert_eq!(kept(&rig).await, (1, 5));
}

/// Two control planes and four who tell the same, in other orders, all at once.
#[sqlx::test(migrations = false)]
async fn batches_that_overlap_wait_for_each_other_and_count_once(db: PgPool) {
    let rig = Rig::new(db).await;
    let beside = rig.beside(crate::rig::key_ring(&[7]));
    let server = model_server(&rig, "gpu-1").await;
    let tenants: Vec<_> = (0..20).map(|number| format!("harbour-{number}")).collect();
    for tenant in &tenants {
        has_budget(&rig, tenant, None);
    }
    let now = rig.clock.now();
    let all: Vec<_> = (0..400_u128)
        .map(|id| event(id, &tenants[usize::try_from(id).unwrap() % 20], 3, now))
        .collect();
    for round in 0..4 {
        let asked = (0..4).map(async |who| {
            let mut batch: Vec<Event> = all[round * 100..(round + 1) * 100].to_vec();
            if who % 2 == 1 {
                batch.reverse();
            }
            let server = if who < 2 { server.clone() } else { server.at(&beside) };
            taken(&tell(&server, &batch).await)
        });
        let new: u64 = join_all(asked).await.iter().map(|[new, ..]| new).sum();
        assert_eq!(new, 100);
    }
    assert_eq!(kept(&rig).await, (400, 1_200));
    for tenant in &tenants {
        assert_eq!(vault(&rig, tenant).await.billed(), Micros::new(60), "{tenant}");
    }
}

/// The connection dies when the batch is stored and its cost is not.
#[sqlx::test(migrations = false)]
async fn a_batch_that_is_cut_off_is_taken_in_whole_or_not_at_all(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let server = model_server(&rig, "gpu-1").await;
    has_budget(&rig, "harbour", Some("1.00 USD"));
    lease(&server, &claim("harbour", 1, 0, 500)).await;
    let batch = [event(1, "harbour", 100, rig.clock.now())];
    let mut holder = db.acquire().await.unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("select 1 from control.treasury for update").execute(&mut *held).await.unwrap();
    // Outside the transaction: in it Postgres shows those who wait as they were at its first look.
    let killed = async {
        let waits = "select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock'";
        loop {
            let ended = sqlx::query(waits).execute(&db).await.unwrap();
            if ended.rows_affected() > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let (told, ()) = futures::future::join(tell(&server, &batch), killed).await;
    held.rollback().await.unwrap();
    assert_eq!(told.status, 503, "{told:?}");
    assert_eq!(kept(&rig).await, (0, 0));
    assert_eq!(vault(&rig, "harbour").await.billed(), Micros::ZERO);
    assert_eq!(taken(&tell(&server, &batch).await), [1, 0, 0]);
    // The answer was lost.
    assert_eq!(taken(&tell(&server, &batch).await), [0, 1, 0]);
    assert_eq!(vault(&rig, "harbour").await.billed(), Micros::new(100));
}
