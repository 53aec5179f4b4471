//! A person's conversations: found again, one's own only, and gone when deleted.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{Simulator, TestPlatform};

#[tokio::test]
async fn search_finds_the_words_of_questions_and_answers() {
    let platform = TestPlatform::new(Simulator::saying("A xylophone is struck.")).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "Which instrument has bars of wood?\nMarimba aside").await;
    chat.hear().await;
    let bob = platform.person("bob").await;
    bob.asks("guide", "Something else").await.hear().await;

    for words in ["wood", "XYLOPHONE", "marimba", "\"is struck\"", "bars -piano"] {
        ada.get(&search(words)).await.expect(200).with(&chat.path());
    }
    for words in ["piano", "wooden", "bars -wood", "'\":&|!(", "\0", "\\", &"x".repeat(5000)] {
        ada.get(&search(words)).await.expect(200).with("Nothing found");
    }
    // Nobody finds what another wrote.
    bob.get("/conversations?q=wood").await.expect(200).with("Nothing found");
    bob.get("/conversations?q=xylophone").await.expect(200).without(&chat.path());
    bob.get("/conversations").await.expect(200).without(&chat.path()).with("Something else");
}

fn search(words: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new("/conversations?".to_owned());
    query.append_pair("q", words).finish()
}

#[tokio::test]
async fn the_newest_conversation_stands_first_and_older_ones_on_the_next_page() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let first = ada.asks("guide", "number 1").await;
    for number in 2..=51 {
        platform.clock.advance(SignedDuration::from_mins(1));
        ada.asks("guide", &format!("number {number}")).await.hear().await;
    }
    let page = ada.get("/conversations").await.expect(200).without(&first.path());
    let (newest, older) = (page.body.find("number 51"), page.body.find("number 50"));
    assert!(newest < older && newest.is_some());
    let next = page.body.split("href=\"/conversations?before&#x3D;").nth(1).unwrap();
    let next = next.split('"').next().unwrap();
    let page = ada.get(&format!("/conversations?before={next}")).await.expect(200);
    page.with(&first.path()).without("number 51");
    ada.get("/conversations?before=nonsense").await.expect(200).with("number 51");

    platform.clock.advance(SignedDuration::from_mins(1));
    first.say("and back").await.expect(303);
    ada.get("/conversations").await.expect(200).with(&first.path());
}

#[tokio::test]
async fn what_is_another_persons_is_not_there() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "mine").await;
    chat.hear().await;
    let [question, answer] = chat.messages().await.try_into().unwrap();
    // Not even for those who run the platform.
    for other in [platform.person("bob").await, platform.owned().await] {
        for path in [chat.path(), format!("{}/live", chat.path())] {
            other.get(&path).await.expect(404).without("mine");
        }
        other.get(&format!("/messages/{answer}/stream")).await.expect(404).without("mine");
        let text = [("text", "hi")];
        other.post(&format!("{}/messages", chat.path()), &text).await.expect(404);
        other.post(&format!("{}/delete", chat.path()), &[]).await.expect(404);
        other.post(&format!("/messages/{question}/edit"), &text).await.expect(404);
        for what in ["stop", "again", "show"] {
            other.post(&format!("/messages/{answer}/{what}"), &[]).await.expect(404);
        }
    }
    assert_eq!(chat.messages().await, [question, answer]);
}

#[tokio::test]
async fn a_deleted_conversation_is_gone() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "forget this").await;
    chat.hear().await;
    let answer = chat.answer_id().await;
    ada.post(&format!("/messages/{answer}/again"), &[]).await.expect(303);
    chat.hear().await;
    // The button that deletes stands behind one that asks.
    let asks = "<summary class=\"button button--quiet button--small\">Delete this chat</summary>";
    chat.page().await.with(asks).with("Yes, delete it");
    let sent = ada.post(&format!("{}/delete", chat.path()), &[]).await.expect(303);
    assert_eq!(sent.location(), "/conversations");
    ada.get(&chat.path()).await.expect(404);
    ada.get(&format!("/messages/{answer}/stream")).await.expect(404);
    ada.get("/conversations?q=forget").await.expect(200).with("Nothing found");
    ada.post(&format!("{}/delete", chat.path()), &[]).await.expect(404);
}

#[tokio::test]
async fn deleting_a_conversation_stops_the_answer_in_it() {
    let engine = Simulator::saying("word ".repeat(400)).with_pace(Duration::from_millis(20));
    let platform = TestPlatform::new(engine).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "go on").await;
    let mut open = chat.listen().await;
    open.next().await;
    ada.post(&format!("{}/delete", chat.path()), &[]).await.expect(303);
    while open.next().await {}
    assert_eq!(open.heard.state(), "stopped");
    assert_eq!(platform.app.answers().running(), 0);
}
