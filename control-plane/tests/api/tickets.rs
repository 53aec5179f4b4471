//! Tickets: by the API, on pages, and as those who run the fleet read and answer them.

use blueprint::PlanName;
use control_plane::console::told::Done;
use control_plane::domain::ticket::Text;
use control_plane::tickets::{self, TicketError, told};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::browser::Browser;
use crate::rig::{Caller, written};

fn said(subject: &str, text: &str) -> Value {
    json!({"subject": subject, "urgency": "problem", "text": text})
}

fn asked(subject: &str) -> Value {
    said(subject, "It is slow.\nSince noon.")
}

async fn open(caller: &Caller<'_>, subject: &str) -> Value {
    let made = caller.post("/v1/tickets", &asked(subject)).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body
}

async fn owner<'a>(rig: &'a Rig, slug: &str) -> Browser<'a> {
    let admitted = rig.admitted(slug, PlanName::Starter, Some("owner@acme.test")).await;
    Browser::join(rig, &admitted.invitation.unwrap(), "Olive").await
}

/// As whoever runs the fleet says it.
async fn answered(rig: &Rig, id: &str, text: &str) -> Result<(), TicketError> {
    let text = Text::read(text).unwrap();
    tickets::answer(&rig.db, id.parse().unwrap(), &text, rig.clock.now()).await
}

#[sqlx::test(migrations = false)]
async fn who_asks_is_answered_and_what_is_settled_is_closed(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let made = acme.send("POST", "/v1/platforms", &[], written("harbour", "Harbour")).await;
    let platform = made.body["id"].clone();
    let mut wanted = asked("Slow");
    wanted["platform"] = platform.clone();
    let ticket = acme.post("/v1/tickets", &wanted).await.body;
    assert_eq!((&ticket["state"], &ticket["platform"]), (&json!("open"), &platform));
    let id = ticket["id"].as_str().unwrap();
    let place = format!("/v1/tickets/{id}");

    rig.clock.advance(SignedDuration::from_mins(5));
    answered(&rig, id, "Which page?").await.unwrap();
    assert_eq!(acme.get(&place).await.body["state"], "waiting");
    let said = acme.post(&format!("{place}/messages"), &json!({"text": "All of them."})).await;
    assert_eq!((said.status.as_u16(), &said.body["number"]), (201, &json!(3)));
    let all = acme.get(&format!("{place}/messages")).await.body;
    let by: Vec<_> = all["items"].as_array().unwrap().iter().map(|it| it["by"].clone()).collect();
    assert_eq!((&by[0], &by[1]), (&by[2], &json!("support")));
    assert_eq!(all["items"][0]["text"], "It is slow.\nSince noon.");
    let paged = acme.get(&format!("{place}/messages?limit=2")).await.body;
    let after = format!("{place}/messages?after={}", paged["next"].as_str().unwrap());
    assert_eq!(acme.get(&after).await.body["items"], json!([all["items"][2]]));

    let closed = acme.post(&format!("{place}/close"), &json!({})).await;
    assert_eq!((closed.status.as_u16(), &closed.body["state"]), (200, &json!("closed")));
    let again = acme.post(&format!("{place}/close"), &json!({})).await;
    assert_eq!(again.body, closed.body, "closed again, it stays as it is");
    let audit = acme.get("/v1/audit?limit=100").await.body.to_string();
    for (action, times) in [("ticket.created", 1), ("ticket.answered", 2), ("ticket.closed", 1)] {
        assert_eq!(audit.matches(action).count(), times, "{action}");
    }
    assert!(!audit.contains("slow"), "what is said is in no audit");
}

#[sqlx::test(migrations = false)]
async fn a_message_opens_what_was_closed_again_for_thirty_days(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let ticket = open(&acme, "Slow").await;
    let place = format!("/v1/tickets/{}", ticket["id"].as_str().unwrap());
    let more = json!({"text": "Again."});
    for days in [1, 30] {
        acme.post(&format!("{place}/close"), &json!({})).await;
        rig.clock.advance(SignedDuration::from_hours(24 * days));
        assert_eq!(acme.post(&format!("{place}/messages"), &more).await.status, 201);
        assert_eq!(acme.get(&place).await.body["state"], "open");
    }
    let id = ticket["id"].as_str().unwrap();
    tickets::settle(&rig.db, id.parse().unwrap(), rig.clock.now()).await.unwrap();
    rig.clock.advance(SignedDuration::from_hours(24 * 31));
    let late = acme.post(&format!("{place}/messages"), &more).await;
    assert_eq!(late.code(), (409, "ticket-over"));
    let late = answered(&rig, id, "Still there?").await;
    assert!(matches!(late, Err(TicketError::Refused(_))), "{late:?}");
}

#[sqlx::test(migrations = false)]
async fn the_same_request_asks_once(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let key = [("idempotency-key", "one")];
    let ask = || acme.send("POST", "/v1/tickets", &key, asked("Slow").to_string());
    let answers = futures::future::join_all([ask(), ask(), ask()]).await;
    assert!(answers.iter().all(|it| it.status == 201 && it.body == answers[0].body), "{answers:?}");
    let place = format!("/v1/tickets/{}/messages", answers[0].body["id"].as_str().unwrap());
    let key = [("idempotency-key", "two")];
    let say = || acme.send("POST", &place, &key, json!({"text": "More."}).to_string());
    let said = futures::future::join_all([say(), say()]).await;
    assert!(said.iter().all(|it| it.status == 201 && it.body["number"] == 2), "{said:?}");
    let other = acme.send("POST", &place, &key, json!({"text": "Other."}).to_string()).await;
    assert_eq!(other.code(), (409, "other-request"));
    assert_eq!(acme.get("/v1/tickets").await.body["items"].as_array().unwrap().len(), 1);
}

#[sqlx::test(migrations = false)]
async fn what_cannot_be_asked_is_refused_in_words(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    for (field, wrong) in [
        ("subject", json!("")),
        ("subject", json!("x".repeat(201))),
        ("subject", json!("two\nlines")),
        ("text", json!("\u{1b}[2J")),
        ("text", json!("a\u{0}b")),
        ("text", json!("a\u{202e}b")),
        ("subject", json!("a\u{2028}b")),
        ("text", json!("x".repeat(10_001))),
        ("urgency", json!("panic")),
        ("colour", json!("red")),
    ] {
        let mut wanted = asked("Slow");
        wanted[field] = wrong;
        let refused = acme.post("/v1/tickets", &wanted).await;
        assert_eq!(refused.code(), (400, "unreadable"), "{field}");
        assert!(refused.body["detail"].as_str().unwrap().contains(field), "{refused:?}");
    }
    let other = rig.admit("other", PlanName::Starter).await;
    let made = other.send("POST", "/v1/platforms", &[], written("quay", "Quay")).await;
    for platform in [made.body["id"].as_str().unwrap(), "plt_0192f0c8a1b27cc09d3e5f6a7b8c9d0e"] {
        let mut wanted = asked("Slow");
        wanted["platform"] = json!(platform);
        let refused = acme.post("/v1/tickets", &wanted).await;
        assert_eq!(refused.code(), (404, "not-found"));
    }
    let reads = json!({"name": "reads", "scopes": ["platforms:read"]});
    let key = acme.post("/v1/keys", &reads).await.body["secret"].as_str().unwrap().to_owned();
    let reader = rig.caller(Some(&key));
    assert_eq!(reader.post("/v1/tickets", &asked("Slow")).await.code(), (403, "not-allowed"));
    assert_eq!(reader.get("/v1/tickets").await.status, 200);
}

#[sqlx::test(migrations = false)]
async fn there_are_bounds_of_tickets_and_of_messages(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let first = open(&acme, "Number 0").await;
    let place = format!("/v1/tickets/{}", first["id"].as_str().unwrap());
    for _ in 1..200 {
        let said = acme.post(&format!("{place}/messages"), &json!({"text": "More."})).await;
        assert_eq!(said.status, 201);
    }
    let said = acme.post(&format!("{place}/messages"), &json!({"text": "More."})).await;
    assert_eq!(said.code(), (409, "ticket-full"));
    for number in 1..100 {
        open(&acme, &format!("Number {number}")).await;
    }
    assert_eq!(acme.post("/v1/tickets", &asked("Slow")).await.code(), (409, "too-many-tickets"));
    acme.post(&format!("{place}/close"), &json!({})).await;
    let made = acme.post("/v1/tickets", &asked("Slow")).await;
    assert_eq!(made.code(), (429, "too-many-tickets-made"), "closed ones were made, too");
    rig.clock.advance(SignedDuration::from_hours(24));
    open(&acme, "Slow").await;
    let page = acme.get("/v1/tickets?limit=100").await.body;
    assert_eq!(page["items"][0]["subject"], "Slow", "the latest first");
    let rest = acme.get(&format!("/v1/tickets?after={}", page["next"].as_str().unwrap())).await;
    assert_eq!(rest.body["items"].as_array().unwrap().len(), 1);
}

#[sqlx::test(migrations = false)]
async fn who_runs_the_fleet_reads_what_waits_first(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let other = rig.admit("other", PlanName::Starter).await;
    let wanted = said("Answered", "It is slow.\n2. Support, today");
    let answered_one = acme.post("/v1/tickets", &wanted).await.body;
    open(&acme, "Slow").await;
    let mut outage = asked("Down");
    outage["urgency"] = json!("outage");
    other.post("/v1/tickets", &outage).await;
    let id = answered_one["id"].as_str().unwrap();
    answered(&rig, id, "Done.").await.unwrap();
    let lines = told::list(&rig.db).await.unwrap();
    let at = |word: &str| lines.iter().position(|line| line.ends_with(word)).unwrap();
    assert_eq!((at("Down"), at("Slow"), at("Answered")), (0, 1, 2), "{lines:?}");
    let shown = told::show(&rig.db, id.parse().unwrap()).await.unwrap().join("\n");
    assert!(shown.contains("> It is slow.\n> 2. Support, today"), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.starts_with("2. Support,")).count(), 1, "{shown}");
    let absent = "tkt_0192f0c8a1b27cc09d3e5f6a7b8c9d0e";
    assert!(matches!(answered(&rig, absent, "x").await, Err(TicketError::Nothing)));
}

#[sqlx::test(migrations = false)]
async fn who_asks_much_hides_nobody_from_who_runs_the_fleet(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let other = rig.admit("other", PlanName::Starter).await;
    for number in 0..21 {
        open(&acme, &format!("Number {number}")).await;
    }
    open(&other, "Slow").await;
    let lines = told::list(&rig.db).await.unwrap();
    let of = |slug: &str| {
        let between = format!("  {slug}  ");
        lines.iter().filter(|line| line.contains(&between)).count()
    };
    assert_eq!((of("acme"), of("other")), (20, 1), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("acme may have more"), "{lines:?}");
}

#[sqlx::test(migrations = false)]
async fn on_pages_one_asks_reads_the_answer_and_closes_it(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme").await;
    olive.fill("/o/acme/new", &[("blueprint", &written("harbour", "Harbour"))]).await.is(303);
    let list = "/o/acme/tickets";
    olive.open(list).await.is(200).says("No tickets yet");
    let here = olive.open("/o/acme/platforms/harbour").await;
    let ask = here.says("Ask for help").read_between("/o/acme/tickets/new", "\"");
    let form = olive.open(&format!("{list}/new{ask}")).await;
    form.is(200).says("value=\"harbour\"");
    let new = format!("{list}/new");
    let fields = |text, platform| {
        [("subject", "Slow <b>"), ("urgency", "problem"), ("platform", platform), ("text", text)]
    };
    let empty = olive.fill(&new, &fields(" ", "nobodys")).await;
    empty.is(422).says("This is empty.").says("You have no platform of this name.");
    empty.says("value=\"Slow &lt;b&gt;\"");
    let made = olive.fill(&new, &fields("Since noon.\r\n<script>", "harbour")).await;
    let page = made.is(303).location.clone();
    let shown = olive.open(&page).await;
    shown.says(&Done::TicketMade.flash().text).says("Waits for Support").says("Since noon.");
    shown.says("&lt;script&gt;").says("/o/acme/platforms/harbour");

    let id = page.rsplit('/').next().unwrap();
    answered(&rig, id, "Since a deploy.").await.unwrap();
    olive.open(&page).await.says("Support has answered").says("Since a deploy.");
    let more = format!("{page}/messages");
    olive.fill(&more, &[("text", "")]).await.is(422).says("This is empty.");
    let long = "é".repeat(10_000);
    olive.fill(&more, &[("text", &long)]).await.leads_to(&page);
    olive.open(&format!("{page}/close")).await.is(200).says("Close “Slow");
    olive.fill(&format!("{page}/close"), &[]).await.leads_to(&page);
    olive.open(&page).await.says("Closed").says_nothing_of("Close the ticket");
    rig.clock.advance(SignedDuration::from_hours(24 * 31));
    let right = [("email", "owner@acme.test"), ("password", crate::browser::PASSWORD)];
    olive.fill("/signin", &right).await;
    olive.fill(&more, &[("text", "Late.")]).await.is(409).says("Nothing was said.").says("Late.");
}

#[sqlx::test(migrations = false)]
async fn who_only_looks_reads_tickets_and_writes_none(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme").await;
    let invite = [("email", "vera@acme.test"), ("role", "viewer")];
    let made = olive.fill("/o/acme/people", &invite).await;
    let mut vera = Browser::join(&rig, &made.between("<code>", "</code>"), "Vera").await;
    let fields = [("subject", "Slow"), ("urgency", "problem"), ("platform", ""), ("text", "So.")];
    let page = olive.fill("/o/acme/tickets/new", &fields).await.location;
    vera.open("/o/acme/tickets").await.says("Slow").says_nothing_of("Ask for help");
    vera.open(&page).await.says("So.").says_nothing_of("Say it").says_nothing_of("Close the");
    vera.open("/o/acme/tickets/new").await.is(403);
    vera.fill("/o/acme/tickets/new", &fields).await.is(403);
    vera.fill(&format!("{page}/messages"), &[("text", "x")]).await.is(403);
    vera.fill(&format!("{page}/close"), &[]).await.is(403);
}
