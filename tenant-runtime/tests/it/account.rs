//! A person's own account.

use crate::browser::Answer;
use crate::{Browser, Simulator, TestPlatform};

async fn changes(ada: &Browser, current: &str, new: &str) -> Answer {
    ada.post("/account/password", &[("current", current), ("new", new)]).await
}

#[tokio::test]
async fn a_person_changes_the_password_and_is_signed_out_elsewhere() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let (ada, elsewhere) = (platform.person("ada").await, platform.visitor());
    elsewhere.sign_in("ada").await.expect(303);
    let wrong = changes(&ada, "not the right one", "correct battery horse").await.expect(422);
    wrong.with("This is not the password you have now.").without("correct battery horse");
    let short = changes(&ada, "horse staple battery", "short").await.expect(422);
    short.with("too short");
    elsewhere.get("/account").await.expect(200);

    let done = changes(&ada, "horse staple battery", "correct battery horse").await.expect(303);
    assert_eq!(done.location(), "/account");
    ada.get("/account").await.expect(200).with("Your password is changed.");
    elsewhere.get("/account").await.expect(303);
    elsewhere.sign_in("ada").await.expect(422);
    let new = [("email", "ada@example.com"), ("password", "correct battery horse")];
    elsewhere.post("/signin", &new).await.expect(303);
}

#[tokio::test]
async fn who_guesses_the_password_at_an_open_session_has_to_wait() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    for _ in 0..5 {
        changes(&ada, "a guess at it", "correct battery horse").await.expect(422);
    }
    let slowed = changes(&ada, "horse staple battery", "correct battery horse").await.expect(429);
    slowed.with("please wait");
}

#[tokio::test]
async fn who_finds_the_queue_full_has_not_guessed() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    // One place is left, and changing a password takes two.
    let mut held: Vec<_> = std::iter::from_fn(|| platform.app.passwords().turn().ok()).collect();
    drop(held.pop());
    for _ in 0..6 {
        changes(&ada, "horse staple battery", "correct battery horse").await.expect(503);
    }
    drop(held);
    changes(&ada, "horse staple battery", "correct battery horse").await.expect(303);
}

#[tokio::test]
async fn a_person_signs_out_everywhere_else_at_once() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    ada.get("/account").await.expect(200).without("end-others");
    let elsewhere = [platform.visitor(), platform.visitor()];
    for browser in &elsewhere {
        browser.sign_in("ada").await.expect(303);
    }
    ada.get("/account").await.expect(200).with("action=\"/account/sessions/end-others\"");
    ada.post("/account/sessions/end-others", &[]).await.expect(303);
    for browser in &elsewhere {
        browser.get("/account").await.expect(303);
    }
    ada.get("/account").await.expect(200).with("All other devices are signed out.");
}

#[tokio::test]
async fn who_has_a_second_factor_is_not_let_in_by_a_password_alone() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    platform.person("ada").await;
    let mut db = platform.app.db().acquire().await.unwrap();
    sqlx::query(
        "insert into accounts.totp
         select id, '\\x00', gen_random_uuid(), now(), now(), 0 from accounts.person",
    )
    .execute(&mut *db)
    .await
    .unwrap();
    drop(db);
    let ada = platform.visitor();
    ada.sign_in("ada").await.expect(422).with("this site cannot ask for it");
    assert_eq!(ada.cookie(), None);
    ada.get("/account").await.expect(303);
}
