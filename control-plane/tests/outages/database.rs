//! One thing that is wrong, each.

use faults::postgres::{Fault, Trip};
use faults::script;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::played::Silent;
use crate::world::World;

/// Connections that the database takes, where it does not take many.
const MOST: usize = 20;

/// Many look and write while it is so; then all is well again. How many were put off.
#[expect(clippy::print_stdout, reason = "what it came to, for who wants to know")]
async fn lived(world: &World, what: &str, mend: impl AsyncFnOnce()) -> usize {
    let (looked, wrote) = futures::join!(world.many_look(), world.many_write(what));
    mend().await;
    let well = world.is_well().await;
    println!("{what}: {looked:?} {wrote:?}, {} made, well after {well:?}", world.made());
    looked.put_off + wrote.put_off
}

#[sqlx::test(migrations = false)]
async fn a_database_that_is_gone(_: PgPoolOptions, database: PgConnectOptions) {
    let world = Box::pin(World::new(database)).await;
    world.proxy.refuse(true);
    world.proxy.cut();
    let put_off = lived(&world, "gone", async || world.proxy.refuse(false)).await;
    assert!(put_off > 0, "it was so");
}

#[sqlx::test(migrations = false)]
async fn a_database_that_does_not_answer(_: PgPoolOptions, database: PgConnectOptions) {
    let world = Box::pin(World::new(database)).await;
    world.proxy.follow(|_: &Trip| Fault::HangBefore);
    let put_off = lived(&world, "silent", async || world.proxy.follow(script::nothing())).await;
    assert!(put_off > 0, "it was so");
}

#[sqlx::test(migrations = false)]
async fn a_database_whose_answers_do_not_arrive(_: PgPoolOptions, database: PgConnectOptions) {
    let world = Box::pin(World::new(database)).await;
    world.proxy.follow(|_: &Trip| Fault::HangAfter);
    let put_off = lived(&world, "mute", async || world.proxy.follow(script::nothing())).await;
    assert!(put_off > 0, "it was so");
}

#[sqlx::test(migrations = false)]
async fn connections_that_break_one_by_one(_: PgPoolOptions, database: PgConnectOptions) {
    let world = Box::pin(World::new(database)).await;
    let faults = |_: &Trip, chance: &mut faults::chance::Chance| {
        let all = [Fault::CutBefore, Fault::CutAfter, Fault::HangBefore, Fault::HangAfter];
        all[usize::try_from(chance.number() % 4).unwrap()]
    };
    world.proxy.follow(script::by_chance(7, 24, faults));
    let put_off = lived(&world, "broken", async || world.proxy.follow(script::nothing())).await;
    assert!(world.made() + put_off > 0, "all of them were answered");
}

#[sqlx::test(migrations = false)]
async fn a_database_that_is_slow(_: PgPoolOptions, database: PgConnectOptions) {
    let world = Box::pin(World::new(database)).await;
    let mut tx = world.direct.begin().await.unwrap();
    let lock = "lock table control.api_key, control.organization in access exclusive mode";
    sqlx::query(lock).execute(&mut *tx).await.unwrap();
    lived(&world, "slow", async || tx.rollback().await.unwrap()).await;
}

#[sqlx::test(migrations = false)]
async fn a_database_that_can_only_be_read(_: PgPoolOptions, database: PgConnectOptions) {
    let name = database.get_database().unwrap().to_owned();
    let world = Box::pin(World::new(database)).await;
    let all = async |wish: &str| {
        let wish = format!("alter database \"{name}\" {wish}");
        sqlx::query(sqlx::AssertSqlSafe(wish)).execute(&world.direct).await.unwrap();
        world.proxy.cut();
    };
    all("set default_transaction_read_only = on").await;
    world.later();
    // Those that were cut are found.
    world.is_well().await;
    let (looked, wrote) = (world.many_look().await, world.many_write("read only").await);
    assert_eq!((looked.put_off, wrote.answered), (0, 0), "who looks is shown, who writes put off");
    lived(&world, "read only", async || all("reset default_transaction_read_only").await).await;
    assert_eq!(world.many_write("again").await.put_off, 0);
}

#[sqlx::test(migrations = false)]
async fn a_database_that_takes_no_more_connections(_: PgPoolOptions, database: PgConnectOptions) {
    let name = database.get_database().unwrap().to_owned();
    let direct = sqlx::PgPool::connect_with(database.clone()).await.unwrap();
    control_plane::migrate(&mut direct.acquire().await.unwrap()).await.unwrap();
    let role = format!("few_{name}");
    let run = async |wish: String| {
        sqlx::query(sqlx::AssertSqlSafe(wish)).execute(&direct).await.unwrap();
    };
    run(format!("create role \"{role}\" login password 'few' connection limit {MOST}")).await;
    run(format!("grant all on database \"{name}\" to \"{role}\"")).await;
    for kind in ["", "all tables in ", "all sequences in "] {
        run(format!("grant all on {kind}schema control, accounts, work to \"{role}\"")).await;
    }
    let few = database.username(&role).password("few");
    let world = Box::pin(World::of(few.clone(), direct.clone())).await;
    world.proxy.cut();
    let mut all = Vec::new();
    while all.len() < MOST {
        // Those that were cut go one by one.
        all.extend(few.connect().await.ok());
    }
    lived(&world, "full", async || {
        for one in all {
            one.close().await.unwrap();
        }
    })
    .await;
    drop(world);
    for wish in ["drop owned by", "drop role"] {
        run(format!("{wish} \"{role}\"")).await;
    }
}

#[sqlx::test(migrations = false)]
async fn a_cluster_that_is_gone(_: PgPoolOptions, database: PgConnectOptions) {
    let world = Box::pin(World::new(database)).await;
    world.cluster_is(Silent::Dead);
    assert_eq!(world.many_look().await.put_off, 0, "who looks is shown what was seen last");
    lived(&world, "no cluster", async || world.cluster_is(Silent::No)).await;
    assert!(world.made() > 0, "what needs no cluster is done");
}

#[sqlx::test(migrations = false)]
async fn a_cluster_that_hangs_does_not_keep_those_who_ask_it_nothing_waiting(
    _: PgPoolOptions,
    database: PgConnectOptions,
) {
    let world = Box::pin(World::new(database)).await;
    world.cluster_is(Silent::Hung);
    let mut looked = Vec::new();
    let looks = async {
        loop {
            looked.push(world.many_look().await);
        }
    };
    tokio::select! {
        () = world.many_make() => {}
        () = looks => {}
    }
    let put_off: usize = looked.iter().map(|looked| looked.put_off).sum();
    assert!(looked.len() > 1 && put_off == 0, "{looked:?}");
    world.cluster_is(Silent::No);
    world.is_well().await;
}
