//! Answers that do not end well: what was said is kept, what happened is told, and there is a
//! way on.

use std::time::Duration;

use crate::{Simulator, TestPlatform};

#[tokio::test]
async fn an_engine_that_breaks_leaves_its_words_and_a_note() {
    let platform = TestPlatform::new(Simulator::breaking_after(2)).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "one two three").await;
    let heard = chat.hear().await;
    heard.expect("one two ");
    assert_eq!(heard.state(), "failed");
    assert!(heard.note().contains("Regenerate"), "{}", heard.note());
    chat.page().await.with("one two").with("Regenerate to try again.");
}

#[tokio::test]
async fn a_model_server_that_is_away_is_told_as_that() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    platform.lose_the_model_server();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let chat = ada.asks("guide", "hello").await;
    let heard = chat.hear().await;
    assert_eq!(heard.state(), "failed");
    assert!(heard.note().starts_with("The model cannot be reached"), "{}", heard.note());
    chat.page().await.with("The model cannot be reached");
}

#[tokio::test]
async fn an_answer_that_a_crash_cut_off_keeps_its_words_and_says_so() {
    let engine = Simulator::saying("word ".repeat(400)).with_pace(Duration::from_millis(20));
    let platform = TestPlatform::new(engine).await;
    let before = platform.person("ada").await;
    let cut = before.asks("guide", "go on").await;
    let answer = cut.answer_id().await;
    // Words so far are kept twice a second.
    tokio::time::sleep(Duration::from_millis(700)).await;

    let app = platform.started_again().await;
    let after = before.at(&app);
    let page = after.get(&cut.path()).await.expect(200);
    let page = page.with("The server restarted while this was being written.").with("word word");
    page.without("chat-stream data-src").with(&format!("/messages/{answer}/again"));
    // Who was listening comes back and hears the end.
    let events = after.get(&format!("/messages/{answer}/stream")).await.expect(200);
    events.with("event: done").with("\"state\":\"interrupted\"").without("event: delta");
    // The way on is open.
    after.post(&format!("/messages/{answer}/again"), &[]).await.expect(303);
    after.get(&cut.path()).await.expect(200).with("2 of 2").with("chat-stream data-src");
}

#[tokio::test]
async fn a_platform_that_stops_stores_what_is_being_said() {
    let engine = Simulator::saying("word ".repeat(400)).with_pace(Duration::from_millis(10));
    let platform = TestPlatform::new(engine).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "go on").await;
    let mut open = chat.listen().await;
    while open.heard.said.is_empty() {
        open.next().await;
    }
    platform.app.stop().await;
    while open.next().await {}
    assert_eq!(open.heard.state(), "interrupted");

    let app = platform.started_again().await;
    let said = open.heard.said.trim();
    ada.at(&app).get(&chat.path()).await.expect(200).with(said).without("chat-stream data-src");
}

#[tokio::test]
async fn older_turns_that_do_not_fit_the_model_are_left_out() {
    let platform = TestPlatform::new(Simulator::echo().with_context(200)).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", &"old ".repeat(100)).await;
    assert_eq!(chat.hear().await.state(), "done");
    chat.say("and the last word?").await.expect(303);
    let heard = chat.hear().await;
    heard.expect("and the last word?");
    assert_eq!(heard.state(), "done");
}

#[tokio::test]
async fn a_message_that_does_not_fit_the_model_is_told_as_that() {
    let platform = TestPlatform::new(Simulator::echo().with_context(200)).await;
    let ada = platform.person("ada").await;
    let heard = ada.asks("guide", &"long ".repeat(201)).await.hear().await;
    assert_eq!(heard.state(), "failed");
    assert!(heard.note().contains("Send a shorter one"), "{}", heard.note());
}
