//! A conversation is a tree: another answer, another question, and the way between them.

use crate::{Simulator, TestPlatform};

#[tokio::test]
async fn another_answer_stands_beside_the_first_and_both_can_be_shown() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "again").await;
    chat.hear().await;
    let first = chat.answer_id().await;
    ada.post(&format!("/messages/{first}/again"), &[]).await.expect(303);
    chat.hear().await.expect("again");
    let second = chat.answer_id().await;
    assert_ne!(first, second);
    assert_eq!(chat.messages().await.len(), 2);
    chat.page().await.with("2 of 2").with(&format!("/messages/{first}/show"));

    ada.post(&format!("/messages/{first}/show"), &[]).await.expect(303);
    assert_eq!(chat.answer_id().await, first);
    chat.page().await.with("1 of 2").with(&format!("/messages/{second}/show"));
    // What is said next goes on from the one that is shown.
    chat.say("more").await.expect(303);
    chat.hear().await;
    assert!(chat.messages().await.contains(&first));
}

#[tokio::test]
async fn another_question_begins_a_branch_of_its_own() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "first thing").await;
    chat.hear().await;
    chat.say("then this").await.expect(303);
    chat.hear().await;
    let old = chat.messages().await;

    ada.post(&format!("/messages/{}/edit", old[0]), &[("text", "another thing")]).await.expect(303);
    chat.hear().await.expect("another thing");
    let new = chat.messages().await;
    assert_eq!(new.len(), 2);
    let page = chat.page().await.with("another thing").with("2 of 2");
    page.with("<h1>first thing</h1>").without("then this");

    // Showing the old question shows all that came of it.
    ada.post(&format!("/messages/{}/show", old[0]), &[]).await.expect(303);
    assert_eq!(chat.messages().await, old);
    chat.page().await.with("then this").with("1 of 2");

    // In the middle, too: what stands above stays.
    ada.post(&format!("/messages/{}/edit", old[2]), &[("text", "or that")]).await.expect(303);
    chat.hear().await.expect("or that");
    assert_eq!(chat.messages().await[..2], old[..2]);
}

#[tokio::test]
async fn only_questions_are_edited_and_only_answers_made_again() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "hi").await;
    chat.hear().await;
    let [question, answer] = chat.messages().await.try_into().unwrap();
    ada.post(&format!("/messages/{answer}/edit"), &[("text", "x")]).await.expect(422);
    ada.post(&format!("/messages/{question}/again"), &[]).await.expect(422);
    ada.post(&format!("/messages/{question}/edit"), &[("text", " ")]).await.expect(422);
    assert_eq!(chat.messages().await, [question, answer]);
}
