//! Platforms that are deleted, brought back, and not deleted by the hundred.

use blueprint::PlanName;
use futures::future::join_all;
use jiff::SignedDuration;
use sqlx::PgPool;

use crate::Rig;
use crate::played::Silent;
use crate::rig::{Caller, written};

async fn made(caller: &Caller<'_>, name: &str) -> String {
    let made = caller.send("POST", "/v1/platforms", &[], written(name, "Harbour")).await;
    assert_eq!(made.status, 201, "{made:?}");
    format!("/v1/platforms/{}", made.body["id"].as_str().unwrap())
}

#[sqlx::test(migrations = false)]
async fn what_was_deleted_is_brought_back_as_it_was(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let harbour = made(&acme, "harbour").await;
    let undelete = format!("{harbour}/undelete");
    let untouched = acme.send("POST", &undelete, &[], String::new()).await;
    assert_eq!((untouched.status.as_u16(), rig.cluster.undeletes("harbour")), (200, false));
    for _ in 0..2 {
        let deleted = acme.delete(&format!("{harbour}?name=harbour")).await;
        assert_eq!((deleted.status.as_u16(), &deleted.body["phase"]), (202, &"Deleted".into()));
    }
    assert_eq!(acme.get(&harbour).await.body["phase"], "Deleted");
    assert_eq!(acme.get("/v1/platforms").await.body["items"][0]["phase"], "Deleted");
    // Made anew, it would be another one beside its own data.
    let anew = acme.send("POST", "/v1/platforms", &[], written("harbour", "Anew")).await;
    assert_eq!(anew.code(), (409, "is-deleted"));
    assert!(anew.body["detail"].as_str().unwrap().contains(&undelete), "{anew:?}");

    rig.cluster.be(Silent::Dead);
    assert_eq!(acme.send("POST", &undelete, &[], String::new()).await.code(), (503, "no-cluster"));
    rig.cluster.be(Silent::Mute);
    assert_eq!(acme.send("POST", &undelete, &[], String::new()).await.code(), (503, "no-cluster"));
    rig.cluster.be(Silent::No);
    for _ in 0..2 {
        let back = acme.send("POST", &undelete, &[], String::new()).await;
        assert_eq!((back.status.as_u16(), &back.body["displayName"]), (200, &"Harbour".into()));
    }
    assert!(rig.cluster.undeletes("harbour"));
    assert_eq!(acme.get(&harbour).await.body["phase"], "Pending");
    let audit = acme.get("/v1/audit").await.body;
    let count = |action: &str| {
        audit["items"].as_array().unwrap().iter().filter(|line| line["action"] == action).count()
    };
    assert_eq!(count("platform.delete"), 1);
}

#[sqlx::test(migrations = false)]
async fn of_a_hundred_deletions_at_once_a_few_are_done(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Enterprise).await;
    let mut platforms = Vec::new();
    for number in 0..100 {
        platforms.push((made(&acme, &format!("p-{number}")).await, format!("p-{number}")));
    }
    let delete = platforms.iter().map(async |(path, name)| {
        let answer = acme.delete(&format!("{path}?name={name}")).await;
        match answer.code() {
            (202, _) => true,
            (429, "mass-deletion") => {
                assert_eq!(answer.header("retry-after"), "3600");
                false
            }
            _ => panic!("{answer:?}"),
        }
    });
    let done = join_all(delete).await;
    assert_eq!(done.iter().filter(|done| **done).count(), 5, "five in a hundred");
    let there = (0..100).filter(|number| rig.cluster.of(&format!("p-{number}")).is_some());
    assert_eq!(there.count(), 95);
    // What is brought back counts no more, and an hour later nothing does.
    let (path, name) = &platforms[done.iter().position(|done| *done).unwrap()];
    let delete = async || acme.delete(&format!("{path}?name={name}")).await.status.as_u16();
    let back = acme.send("POST", &format!("{path}/undelete"), &[], String::new()).await;
    assert_eq!((back.status.as_u16(), delete().await), (200, 202));
    acme.send("POST", &format!("{path}/undelete"), &[], String::new()).await;
    let (other, other_name) = &platforms[done.iter().position(|done| !done).unwrap()];
    let other = async || acme.delete(&format!("{other}?name={other_name}")).await.status.as_u16();
    assert_eq!((other().await, delete().await), (202, 429));
    rig.clock.advance(SignedDuration::from_mins(61));
    assert_eq!(delete().await, 202);
}
