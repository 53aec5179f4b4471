//! Talking: a question, its answer as it is spoken, and what can be done meanwhile.

use std::time::Duration;

use crate::{Simulator, TestPlatform};

/// So slow that a test can do something meanwhile.
fn slowly() -> Simulator {
    Simulator::saying("word ".repeat(400)).with_pace(Duration::from_millis(10))
}

#[tokio::test]
async fn a_question_leads_to_a_page_on_which_the_answer_streams() {
    let platform = TestPlatform::new(Simulator::echo().with_pace(Duration::from_millis(20))).await;
    let ada = platform.person("ada").await;
    let asked = "Tell me **two** things:\n\n1. one\n2. <two>\n\nand the end 🎉";
    let chat = ada.asks("guide", &format!("  {asked}\r\n")).await;
    let page = chat.page().await.with("<h1>Tell me two things:</h1>").with("&lt;two&gt;");
    let stream = format!("data-src=\"/messages/{}/stream\"", chat.answer_id().await);
    page.with(&stream).with("aria-busy=\"true\"");

    let heard = chat.hear().await;
    heard.expect(asked);
    assert_eq!(heard.state(), "done");
    assert!(heard.blocks >= 1, "no block was finished before the end");
    chat.page().await.with("<strong>two</strong>").without("chat-stream data-src");
    assert_eq!(platform.engine.record().started, [asked]);
}

#[tokio::test]
async fn without_scripts_the_page_grows_until_it_holds_the_whole_answer() {
    let said = "First <b> of it.\n\n- and\n- more [[the answer grows here]] & the end";
    let engine = Simulator::saying(said).with_pace(Duration::from_millis(5));
    let platform = TestPlatform::new(engine).await;
    let ada = platform.person("ada").await;
    let sent = ada.post("/agents/guide/talk", &[("text", "hi"), ("live", "1")]).await.expect(303);
    let live = sent.location().to_owned();
    assert!(live.ends_with("/live"), "{live}");
    let page = ada.get(&live).await.expect(200);
    let page = page.with(&pages::Html::text(said).into_string()).with("/stop\"").with("</html>");
    // What hides the Stop button, and leads on, comes once the answer has ended.
    let whole = page.body;
    let place = |words: &str| whole.find(words).unwrap_or_else(|| panic!("no {words} in {whole}"));
    assert!(place("live__stop") < place("First &lt;b&gt;"));
    assert!(place("the end") < place("live__end"));
    assert!(place("live__end") < place("Show the finished answer"));
    // Afterwards the page itself has it.
    let page = ada.get(&live).await.expect(303);
    assert_eq!(page.location(), live.strip_suffix("/live").unwrap());
}

#[tokio::test]
async fn more_is_said_in_the_same_conversation() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "one").await;
    chat.hear().await.expect("one");
    assert_eq!(chat.say("two").await.expect(303).location(), format!("{}#end", chat.path()));
    chat.hear().await.expect("two");
    assert_eq!(chat.messages().await.len(), 4);

    // With scripts the new messages come as HTML, to be put at the end of the list.
    let path = format!("{}/messages", chat.path());
    let sent = ada.post_by_script(&path, &[("text", "thr<e>")]).await.expect(200);
    let html: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
    let html = html["html"].as_str().unwrap();
    assert_eq!(html.matches("<li class=\"message").count(), 2, "{html}");
    assert!(html.contains("thr&lt;e&gt;") && html.contains("data-src"), "{html}");
    assert_eq!(pages::markup::problems(html), Vec::<String>::new());
    chat.hear().await.expect("thr<e>");
    assert_eq!(chat.messages().await.len(), 6);
}

#[tokio::test]
async fn what_cannot_be_said_is_refused() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    for text in ["  \n ", &"x".repeat(16_001), "a\0b"] {
        ada.post("/agents/guide/talk", &[("text", text)]).await.expect(422);
    }
    ada.post("/agents/nobody/talk", &[("text", "hi")]).await.expect(404);
    ada.asks("guide", &"ä".repeat(16_000)).await.hear().await;
}

#[tokio::test]
async fn stopping_keeps_the_words_so_far() {
    let platform = TestPlatform::new(slowly()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "go on").await;
    let mut open = chat.listen().await;
    while open.heard.said.is_empty() {
        open.next().await;
    }
    let stop = format!("/messages/{}/stop", chat.answer_id().await);
    ada.post_by_script(&stop, &[]).await.expect(200);
    while open.next().await {}
    let heard = open.heard;
    assert_eq!((heard.state(), heard.note()), ("stopped", "You stopped this answer."));
    assert!(heard.said.starts_with("word ") && heard.said.len() < 1000, "{}", heard.said);
    chat.page().await.with(heard.said.trim()).with("You stopped this answer.").with("Regenerate");

    // Stopped for good, at the engine too; and a second time changes nothing.
    assert_eq!(ada.post(&stop, &[]).await.expect(303).location(), format!("{}#end", chat.path()));
    tokio::time::timeout(Duration::from_secs(5), async {
        while platform.engine.record().running > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(platform.engine.record().cancelled, 1);
    chat.hear().await.expect(&heard.said);
}

#[tokio::test]
async fn who_waits_for_an_answer_is_told_how_many_come_first() {
    let platform = TestPlatform::new(slowly()).await;
    let people =
        [platform.person("ada").await, platform.person("bob").await, platform.person("eve").await];
    let ada = people[0].asks("guide", "one").await;
    let mut speaking = ada.listen().await;
    while speaking.heard.said.is_empty() {
        speaking.next().await;
    }
    assert_eq!(speaking.heard.waits, Vec::<String>::new());
    let bob = people[1].asks("guide", "two").await;
    let mut next = bob.listen().await;
    while next.heard.waits.is_empty() {
        next.next().await;
    }
    let eve = people[2].asks("guide", "three").await;
    let mut last = eve.listen().await;
    while last.heard.waits.is_empty() {
        last.next().await;
    }
    let stop = async |person: usize, chat: &crate::browser::Chat<'_>| {
        let stop = format!("/messages/{}/stop", chat.answer_id().await);
        people[person].post(&stop, &[]).await.expect(303);
    };
    stop(0, &ada).await;
    while next.heard.said.is_empty() {
        next.next().await;
    }
    stop(1, &bob).await;
    while last.heard.said.is_empty() {
        last.next().await;
    }
    stop(2, &eve).await;
    while last.next().await {}
    let own = "Your answer is the next to begin.";
    assert_eq!(next.heard.waits, [own]);
    assert_eq!(last.heard.waits, ["1 answer begins before yours.", own]);
    assert_eq!(last.heard.state(), "stopped");
}

#[tokio::test]
async fn while_an_answer_is_spoken_nothing_else_is_asked() {
    let platform = TestPlatform::new(slowly()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "one").await;
    let [question, answer] = chat.messages().await.try_into().unwrap();
    let refused = chat.say("two").await.expect(409);
    refused.with("An answer is still being written.");
    ada.post(&format!("/messages/{answer}/again"), &[]).await.expect(409);
    ada.post(&format!("/messages/{question}/edit"), &[("text", "three")]).await.expect(409);
    // Nothing of it was kept, and another conversation is free.
    assert_eq!(chat.messages().await.len(), 2);
    ada.asks("guide", "elsewhere").await;

    ada.post(&format!("/messages/{answer}/stop"), &[]).await.expect(303);
    assert_eq!(chat.hear().await.state(), "stopped");
    chat.say("two").await.expect(303);
}

#[tokio::test]
async fn two_messages_at_once_are_one_too_many() {
    let platform = TestPlatform::new(slowly()).await;
    let ada = platform.person("ada").await;
    let chat = ada.asks("guide", "one").await;
    ada.post(&format!("/messages/{}/stop", chat.answer_id().await), &[]).await.expect(303);
    chat.hear().await;
    let (a, b) = tokio::join!(chat.say("two"), chat.say("three"));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
    assert_eq!(chat.messages().await.len(), 4);
}

#[tokio::test]
async fn an_answer_can_be_found_before_anybody_can_see_its_question() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let mut server = platform.as_administrator().await;
    // From now on a message is stored once this lock is free.
    let wait = "create function public.wait() returns trigger language plpgsql as
                    'begin perform pg_advisory_xact_lock(7); return null; end';
                create constraint trigger wait after insert on tenant.message
                    deferrable initially deferred for each row execute function public.wait();
                select pg_advisory_lock(7)";
    sqlx::raw_sql(wait).execute(&mut server).await.unwrap();
    let held = async {
        let waiting = "select count(*) from pg_locks join pg_database d on d.oid = database
                       where locktype = 'advisory' and not granted
                         and d.datname = current_database()";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut server).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(platform.app.answers().running(), 1);
        sqlx::raw_sql("select pg_advisory_unlock(7)").execute(&mut server).await.unwrap();
    };
    let (chat, ()) = tokio::join!(ada.asks("guide", "hello"), held);
    chat.hear().await.expect("hello");
}

#[tokio::test]
async fn a_question_that_is_not_stored_leaves_no_answer_behind() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let mut server = platform.as_administrator().await;
    let refuse = "create function public.refuse() returns trigger language plpgsql as
                      'begin raise exception ''the disk is full''; end';
                  create constraint trigger refuse after insert on tenant.message
                      deferrable initially deferred for each row execute function public.refuse()";
    sqlx::raw_sql(refuse).execute(&mut server).await.unwrap();
    ada.post("/agents/guide/talk", &[("text", "hello")]).await.expect(500);
    assert_eq!(platform.app.answers().running(), 0);
}

#[tokio::test]
async fn an_answer_does_not_outlive_its_conversation() {
    let platform = TestPlatform::new(slowly()).await;
    let ada = platform.person("ada").await;
    for _ in 0..5 {
        let chat = ada.asks("guide", "one").await;
        ada.post(&format!("/messages/{}/stop", chat.answer_id().await), &[]).await.expect(303);
        chat.hear().await;
        // Whichever comes first: either nothing more is asked, or the answer is stopped.
        let delete = format!("{}/delete", chat.path());
        let (said, deleted) = tokio::join!(chat.say("two"), ada.post(&delete, &[]));
        assert!([303, 404].contains(&said.status.as_u16()), "{}", said.body);
        deleted.expect(303);
    }
    tokio::time::timeout(Duration::from_secs(2), async {
        while platform.engine.record().running > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("an answer is spoken that nobody can hear");
}
