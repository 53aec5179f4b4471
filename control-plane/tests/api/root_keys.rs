//! Which root key seals, where several control planes run.

use std::path::Path;

use blueprint::PlanName;
use control_plane::db::root_keys::{self as table, Endpoint};
use control_plane::root_keys::{self, Replica, resealed, told};
use jiff::SignedDuration;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::Rig;
use crate::rig::key_ring;
use crate::webhooks::listens;

/// The byte of the key that seals.
fn seals(rig: &Rig) -> u8 {
    let id = rig.app.root_keys().seals().id();
    (1..100).find(|byte| key_ring(&[*byte]).seals().id() == id).unwrap()
}

fn opens(rig: &Rig, byte: u8) -> bool {
    rig.app.root_keys().opens(key_ring(&[byte]).seals().id())
}

#[sqlx::test(migrations = false)]
async fn a_key_seals_once_all_that_run_open_with_it(db: PgPool) {
    let one = Rig::new(db).await;
    let two = one.beside(key_ring(&[7]));
    let mut first = Replica::join(&one.app).await.unwrap();
    let mut second = Replica::join(&two.app).await.unwrap();
    // Too early: it opens, and that is all.
    first.agree(&one.app, &key_ring(&[8, 7])).await.unwrap();
    assert_eq!((seals(&one), opens(&one, 8)), (7, true));
    second.agree(&two.app, &key_ring(&[7, 8])).await.unwrap();
    assert_eq!((seals(&two), opens(&two, 8)), (7, true));
    first.agree(&one.app, &key_ring(&[8, 7])).await.unwrap();
    assert_eq!((seals(&one), seals(&two)), (8, 7));
    // Where it is not even listed any more it opens on.
    second.agree(&two.app, &key_ring(&[7])).await.unwrap();
    second.agree(&two.app, &key_ring(&[7])).await.unwrap();
    assert!(opens(&two, 8));
    // Who runs no more is not waited for.
    let third = one.beside(key_ring(&[7, 8]));
    Replica::join(&third.app).await.unwrap();
    first.agree(&one.app, &key_ring(&[9, 8, 7])).await.unwrap();
    second.agree(&two.app, &key_ring(&[9, 8, 7])).await.unwrap();
    assert_eq!((seals(&one), seals(&two)), (8, 7));
    one.clock.advance(SignedDuration::from_secs(61));
    second.agree(&two.app, &key_ring(&[9, 8, 7])).await.unwrap();
    first.agree(&one.app, &key_ring(&[9, 8, 7])).await.unwrap();
    assert_eq!((seals(&one), seals(&two)), (9, 9));
}

#[sqlx::test(migrations = false)]
async fn who_cannot_open_what_others_seal_does_not_begin(db: PgPool) {
    let one = Rig::new(db).await;
    let first = Replica::join(&one.app).await.unwrap();
    let stranger = one.beside(key_ring(&[8]));
    let refused = Replica::join(&stranger.app).await.unwrap_err().to_string();
    assert!(refused.contains("otherRootKeys"), "{refused}");
    // It begins where it knows it, and seals as the others do.
    let other = one.beside(key_ring(&[8, 7]));
    Replica::join(&other.app).await.unwrap().leave(&other.app).await.unwrap();
    assert_eq!(seals(&other), 7);
    first.leave(&one.app).await.unwrap();
    Replica::join(&stranger.app).await.unwrap();
    assert_eq!(seals(&stranger), 8);
}

#[sqlx::test(migrations = false)]
async fn a_key_is_kept_until_nothing_is_sealed_under_it(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let (hook, _) = listens(&acme, "http://127.0.0.1:9/hook", &[]).await;
    let renew = format!("/v1/webhooks/{hook}/secret");
    assert_eq!(acme.post(&renew, &serde_json::json!({})).await.status, 200);
    let mut replica = Replica::join(&rig.app).await.unwrap();
    for _ in 0..3 {
        replica.agree(&rig.app, &key_ring(&[8])).await.unwrap();
        assert_eq!((seals(&rig), opens(&rig, 7)), (8, true));
    }
    let lines = async || {
        let mut conn = db.acquire().await.unwrap();
        told::status(&mut conn, &key_ring(&[8]), rig.clock.now()).await.unwrap().join("\n")
    };
    let (told, name) = (lines().await, |byte| key_ring(&[byte]).seals().id());
    let says = |key: u8, what: &str| format!("{}  {what}", name(key));
    let old = "not in the settings; 1 run, 1 open with it, 0 seal with it; 0 second factors, \
               2 secrets of webhooks, 0 of providers";
    assert!(told.contains(&says(7, old)), "{told}");
    assert!(told.contains(&says(8, "rootKey; 1 run, 1 open with it, 1 seal with it;")), "{told}");

    let done = resealed::all(&rig.app).await.unwrap();
    assert_eq!(done, resealed::Done { sealed: 1, refused: 0 });
    assert_eq!(resealed::all(&rig.app).await.unwrap(), resealed::Done::default());
    let nothing = "not in the settings; 1 run, 1 open with it, 0 seal with it; nothing is sealed";
    assert!(lines().await.contains(&says(7, nothing)));
    replica.agree(&rig.app, &key_ring(&[8])).await.unwrap();
    assert!(!opens(&rig, 7));
    assert!(!lines().await.contains(&name(7).to_string()));
}

#[sqlx::test(migrations = false)]
async fn what_was_changed_meanwhile_is_not_sealed_anew_over_it(db: PgPool) {
    let rig = Rig::new(db.clone()).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let (hook, _) = listens(&acme, "http://127.0.0.1:9/hook", &[]).await;
    let mut conn = db.acquire().await.unwrap();
    let read = async |conn: &mut sqlx::PgConnection| {
        let of = key_ring(&[7]);
        let mut all = table::sealed_under(conn, of.ids(), uuid::Uuid::nil(), 10).await.unwrap();
        all.pop().unwrap()
    };
    let was = read(&mut conn).await;
    let renew = format!("/v1/webhooks/{hook}/secret");
    acme.post(&renew, &serde_json::json!({})).await;
    let late = Endpoint { secret: vec![1; 40], ..was.clone() };
    assert!(!table::replace(&mut conn, &was, &late).await.unwrap());
    let now = read(&mut conn).await;
    assert_eq!(now.before.as_ref(), Some(&was.secret));
    assert!(table::replace(&mut conn, &now, &now).await.unwrap());
}

#[sqlx::test(migrations = false)]
async fn the_settings_are_read_again_while_it_runs(db: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let [settings, first, next] =
        ["settings.yaml", "first.key", "next.key"].map(|it| folder.path().join(it));
    let write = |root: &Path, others: &[&Path]| {
        let text = format!(
            "{{database: /d, url: 'http://localhost', rootKey: {root:?}, otherRootKeys: {others:?}}}"
        );
        std::fs::write(&settings, text).unwrap();
    };
    write(&first, &[]);
    let read = || control_plane::settings::Settings::read(&settings).unwrap();
    let keys = read().root_keys().unwrap();
    let old = keys.seals().id();
    let rig = Rig::new(db).await.beside(keys);
    let turn = async || {
        let (replica, stop) = (Replica::join(&rig.app).await.unwrap(), CancellationToken::new());
        stop.cancel();
        root_keys::run(rig.app.clone(), replica, settings.clone(), stop).await;
        rig.app.root_keys().ids().collect::<Vec<_>>()
    };
    // A file that is not there changes nothing, and none is made.
    write(&next, &[&first]);
    assert_eq!((turn().await, next.exists()), (vec![old], false));
    let new = work::sealed::RootKey::read_or_create(&next).unwrap().id();
    write(&first, &[&next]);
    assert_eq!(turn().await, [old, new]);
    write(&next, &[&first]);
    assert_eq!(turn().await, [new, old]);
}
