//! Several copies of the runtime serve one platform: whichever somebody comes to, they meet the
//! same answers.

use std::time::Duration;

use crate::browser::Chat;
use crate::stream::Listener;
use crate::{Simulator, TestPlatform};

/// So slow that it is still being spoken when something is done about it.
fn slow() -> Simulator {
    Simulator::saying("word ".repeat(2_000)).with_pace(Duration::from_millis(20))
}

/// Hears a few words.
async fn some_words(chat: &Chat<'_>) -> Listener {
    let mut open = chat.listen().await;
    while open.heard.said.is_empty() {
        assert!(open.next().await, "it ended");
    }
    open.heard
}

#[tokio::test]
async fn an_answer_is_heard_at_whichever_copy_one_comes_to_each_byte_once() {
    let speech = "# A part\n\nWörds *and* more.\n\n- one\n- two\n\n".repeat(25);
    let engine = Simulator::saying(&speech).with_pace(Duration::from_millis(8));
    let platform = TestPlatform::new(engine).await;
    let (here, other) = (platform.person("ada").await, platform.beside().await);
    let there = here.at(&other);
    let spoken = here.asks("guide", "speak").await;
    let echoed = there.chat(&spoken.id);

    // From copy to copy after each few events, always where the last line was cut.
    let (mut heard, mut lines) = (Listener::default(), 0);
    while heard.done.is_none() {
        let chat = if lines % 2 == 0 { &echoed } else { &spoken };
        let mut open = chat.listen_on(heard).await;
        for _ in 0..3 {
            if !open.next().await {
                break;
            }
        }
        (heard, lines) = (open.heard, lines + 1);
    }
    assert!(lines > 3, "{lines}");
    // Who comes after its end gets it whole, and no more words.
    assert!(speech.starts_with(&heard.said) && heard.said.len() * 2 > speech.len(), "{heard:?}");
    heard.said.clone_from(&speech);
    heard.expect(&speech);
    assert_eq!(heard.state(), "done");
}

#[tokio::test]
async fn who_stops_an_answer_at_one_copy_stops_it_at_all() {
    let platform = TestPlatform::new(slow()).await;
    let (here, other) = (platform.person("ada").await, platform.beside().await);
    let there = here.at(&other);
    let spoken = here.asks("guide", "go on").await;
    let mut open = spoken.listen().await;
    while open.heard.said.is_empty() {
        open.next().await;
    }
    let stop = format!("/messages/{}/stop", spoken.answer_id().await);
    there.post(&stop, &[]).await.expect(303);
    while open.next().await {}
    assert_eq!((open.heard.state(), open.heard.note()), ("stopped", "You stopped this answer."));
    // The way on is open at both.
    there.chat(&spoken.id).say("and now?").await.expect(303);
}

#[tokio::test]
async fn an_answer_that_nobody_can_read_any_more_is_not_spoken_to_its_end() {
    let platform = TestPlatform::new(slow()).await;
    let (here, other) = (platform.person("ada").await, platform.beside().await);
    let spoken = here.asks("guide", "go on").await;
    let mut open = spoken.listen().await;
    while open.heard.said.is_empty() {
        open.next().await;
    }
    let there = here.at(&other);
    there.post(&format!("{}/delete", spoken.path()), &[]).await.expect(303);
    while open.next().await {}
    assert_eq!(open.heard.state(), "stopped");
}

#[tokio::test]
async fn a_copy_that_starts_leaves_alone_what_others_speak() {
    let platform = TestPlatform::new(slow()).await;
    let here = platform.person("ada").await;
    let spoken = here.asks("guide", "go on").await;
    some_words(&spoken).await;
    let other = platform.beside().await;
    let there = here.at(&other);
    there.chat(&spoken.id).page().await.without("The server restarted");
    let more = some_words(&there.chat(&spoken.id)).await;
    assert!(more.done.is_none());
    // One answer at a time, wherever it is spoken.
    there.chat(&spoken.id).say("and now?").await.expect(409);
}

#[tokio::test]
async fn an_answer_whose_copy_died_is_over_for_who_listens_elsewhere_and_the_way_on_is_open() {
    let platform = TestPlatform::new(slow()).await;
    let here = platform.person("ada").await;
    let other = platform.beside().await;
    let there = here.at(&other);
    for come_by in ["listens", "asks"] {
        let cut = here.asks("guide", "go on").await;
        some_words(&cut).await;
        // As long ago as if its copy had died.
        let mut db = platform.as_administrator().await;
        let long_ago = "alter table tenant.message disable trigger all; \
            create or replace function tenant.died() returns trigger language plpgsql as \
            $$ begin new.spoken_at := now() - interval '31 seconds'; return new; end $$; \
            create or replace trigger died before update on tenant.message \
            for each row execute function tenant.died(); \
            update tenant.message set body = body where state = 'streaming'";
        sqlx::raw_sql(long_ago).execute(&mut db).await.unwrap();
        let chat = there.chat(&cut.id);
        if come_by == "listens" {
            let mut open = chat.listen().await;
            while open.next().await {}
            assert_eq!(open.heard.state(), "interrupted");
            assert!(open.heard.note().contains("Regenerate"), "{}", open.heard.note());
        } else {
            chat.say("and now?").await.expect(303);
            chat.page().await.with("The server restarted while this was being written.");
        }
        sqlx::raw_sql("drop trigger died on tenant.message").execute(&mut db).await.unwrap();
    }
}
