//! The host dies by SIGKILL at random moments; nothing that was acknowledged is lost.
//!
//! `SOULFRA_MOMENTS` says at how many, 5 unless told.

use std::time::Duration;

use reqwest::StatusCode;

use crate::chance::{Chance, number};
use crate::door::{Ground, Host, names};
use crate::visitor::Visitor;

/// Half as long again as a start takes on two slow cores.
const CREATED_WITHIN: u64 = 3_000;
/// Long enough for answers to be under way.
const TALKED_FOR: u64 = 2_000;

#[tokio::test]
async fn a_host_killed_while_it_creates_serves_at_the_next_start() {
    let mut chance = Chance::new();
    let moments = moments() / 2;
    for _ in 0..moments {
        let ground = Ground::new();
        let host = ground.spawn("acme");
        let after = moment(&mut chance, CREATED_WITHIN);
        tokio::time::sleep(after).await;
        host.kill().await;
        println!("killed after {after:?}: {:?}", names(&ground.folder()));
        let host = ground.start("acme").await;
        serves(&ground, &host).await;
        assert_eq!(names(&ground.folder()), ["acme"]);
    }
    println!("counted: {moments} moments of creation");
}

#[tokio::test]
async fn a_host_killed_while_people_talk_keeps_what_it_acknowledged() {
    let mut chance = Chance::new();
    let ground = Ground::new();
    let mut host = ground.start("acme").await;
    let owner = Visitor::of(host.site());
    let mut owner = owner.claim(host.ready["adminLink"].as_str().unwrap()).await;
    let mut said = Vec::new();
    let moments = moments().div_ceil(2);
    for number in 0..moments {
        let killed = async {
            tokio::time::sleep(moment(&mut chance, TALKED_FOR)).await;
            host.kill().await;
        };
        let ((), acknowledged) = tokio::join!(killed, talk_on(&owner, number));
        said.extend(acknowledged);
        host = ground.start("acme").await;
        serves(&ground, &host).await;
        owner = owner.again(host.site());
        for (conversation, text) in &said {
            let history = owner.history(conversation).await;
            let bubble = format!("<div class=\"bubble\">{text}</div>");
            assert_eq!(history.matches(&bubble).count(), 1, "{text} in {history}");
        }
    }
    assert!(!said.is_empty(), "something was acknowledged");
    println!("counted: {moments} moments of chat, {} acknowledged messages kept", said.len());
    let conversation = owner.talk("Are you still there?").await.unwrap();
    assert!(owner.history(&conversation).await.contains("class=\"prose\""));
}

/// Says one thing after another until the host is gone. Gives what was acknowledged, and where.
async fn talk_on(owner: &Visitor, moment: usize) -> Vec<(String, String)> {
    let mut said = Vec::new();
    loop {
        let text = format!("Words {} of moment {moment}.", said.len());
        match owner.talk(&text).await {
            Ok(conversation) => said.push((conversation, text)),
            Err(_) => return said,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn serves(ground: &Ground, host: &Host) {
    assert_eq!(Visitor::of(host.site()).get("/").await.status, StatusCode::OK);
    assert_eq!(ground.postmasters(), 1, "{:?}", ground.processes());
}

fn moments() -> usize {
    number("SOULFRA_MOMENTS").unwrap_or(5)
}

/// A moment within so many milliseconds.
fn moment(chance: &mut Chance, within: u64) -> Duration {
    Duration::from_millis(chance.below(within))
}
