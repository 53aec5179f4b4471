//! The program as a pod runs it: files that somebody else writes, an edge before it, a real
//! Postgres, a model server with a pretended engine, an end in order.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

#[path = "../common/mod.rs"]
mod common;
mod dead_control_plane;
mod running;

use std::time::Duration;

use inference::simulator::Simulator;
use secrecy::ExposeSecret as _;
use web::grant::{Kind, SigningKey, Wanted, audience, sign};
use work::Clock;

use running::{HOST, House};

#[tokio::test]
async fn it_serves_a_platform_from_its_admin_link_to_a_streamed_answer() {
    let house = House::new(Simulator::saying("Good morning to you.")).await;
    let runtime = house.start();
    runtime.becomes_ready().await;
    let owner = runtime.visitor();
    let link = house.admin_link().await;
    let form = [("name", "Olive"), ("email", "olive@example.com"), ("password", "horse staple b")];
    let welcomed = owner.post(&link, &form).await;
    assert_eq!((welcomed.status, welcomed.location()), (303, "/admin"));
    // The line to people is encrypted, though the one from the edge is not.
    let cookie = welcomed.cookie();
    assert!(cookie.starts_with("__Host-") && cookie.contains("Secure"), "{cookie}");
    // A second use is told as that.
    let again = runtime.visitor().post(&link, &form).await;
    assert_eq!(again.status, 410);

    let owner = owner.with(&cookie);
    let sent = owner.post("/agents/guide/talk", &[("text", "hello")]).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    let page = owner.get(sent.location().split('#').next().unwrap()).await.body;
    let path = page.split("data-src=\"").nth(1).unwrap().split('"').next().unwrap();
    let answer = owner.get(path).await.body;
    assert!(answer.contains("Good morning to you."), "{answer}");
    // Whom the edge saw is who is shown, and not the edge.
    assert!(owner.get("/account").await.body.contains("203.0.113.7"));
    assert!(runtime.end().success());
}

#[tokio::test]
async fn a_changed_blueprint_is_in_effect_without_a_new_start_and_a_bad_one_changes_nothing() {
    let house = House::new(Simulator::echo()).await;
    let runtime = house.start();
    runtime.becomes_ready().await;
    let visitor = runtime.visitor();
    house.declare(|blueprint| blueprint.spec.identity.display_name = "The New Name".to_owned());
    runtime.comes_to(|| async { visitor.get("/").await.body.contains("The New Name") }).await;
    house.write_blueprint("kind: Nonsense");
    runtime.comes_to(|| async { runtime.logged("changes nothing") }).await;
    house.declare(|blueprint| blueprint.spec.identity.display_name = "A Later Name".to_owned());
    runtime.comes_to(|| async { visitor.get("/").await.body.contains("A Later Name") }).await;
}

#[tokio::test]
async fn it_takes_grants_of_the_control_plane_that_lies_beside_its_blueprint() {
    let house = House::new(Simulator::echo()).await;
    let runtime = house.start();
    runtime.becomes_ready().await;
    let (key, _) = SigningKey::random().unwrap();
    let grant = || {
        let (issuer, audience) = ("https://console.example", &*audience("acme", "0192f0c8"));
        let wanted = Wanted { issuer, audience, host: HOST, kind: Kind::AdminLink };
        sign(&key, wanted, Clock::System.now()).unwrap().expose_secret().to_owned()
    };
    let visitor = runtime.visitor();
    assert_eq!(visitor.brings(&grant()).await.status, 404);
    // What cannot be read is told, and changes nothing else.
    house.write_control_plane("{\"keys\": []}");
    runtime.comes_to(|| async { runtime.logged("no grants are taken") }).await;
    assert_eq!(visitor.get("/").await.status, 200);
    let known = serde_json::json!({
        "issuer": "https://console.example", "platform": "0192f0c8", "keys": [key.public()],
    });
    house.write_control_plane(&known.to_string());
    runtime.comes_to(|| async { visitor.brings(&grant()).await.status == 200 }).await;
    let once = grant();
    let told = visitor.brings(&once).await;
    let told: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    let link = told["path"].as_str().unwrap();
    assert_eq!(visitor.get(link).await.status, 200);
    assert_eq!(visitor.brings(&once).await.status, 403);
    let token = link.strip_prefix("/welcome/").unwrap();
    // What it writes comes through a pipe, which may be behind its answer.
    runtime.comes_to(|| async { runtime.logged("was taken before") }).await;
    assert!(!runtime.logged(token));
}

#[tokio::test]
async fn it_is_alive_and_not_ready_until_its_tables_are_there() {
    let house = House::without_database(Simulator::echo()).await;
    let runtime = house.start();
    let prober = runtime.prober();
    runtime.comes_to(|| async { prober.get("/healthz").await.status == 200 }).await;
    let ready = prober.get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    let early = runtime.visitor().get("/").await;
    assert_eq!((early.status, early.header("retry-after")), (503, Some("5")));
    house.make_database().await;
    runtime.becomes_ready().await;
    assert_eq!(runtime.visitor().get("/").await.status, 200);
}

#[tokio::test]
async fn who_comes_under_another_name_is_not_answered() {
    let house = House::new(Simulator::echo()).await;
    let runtime = house.start();
    runtime.becomes_ready().await;
    for other in ["other.platforms.example", "evil.example", "platforms.example"] {
        assert_eq!(runtime.visitor().of(other).get("/").await.status, 421, "{other}");
    }
    assert_eq!(runtime.visitor().of(&HOST.to_uppercase()).get("/").await.status, 200);
}

// The model server speaks on while the test waits for the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_under_way_comes_to_its_end_before_the_process_does() {
    let words = "word ".repeat(60);
    let engine = Simulator::saying(&words).with_pace(Duration::from_millis(25));
    let house = House::new(engine).await;
    let runtime = house.start();
    runtime.becomes_ready().await;
    let ada = runtime.visitor();
    let form = [("name", "ada"), ("email", "ada@example.com"), ("password", "horse staple b")];
    let cookie = ada.post("/signup", &form).await.cookie();
    let ada = ada.with(&cookie);
    let sent = ada.post("/agents/guide/talk", &[("text", "speak")]).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert!(runtime.end().success());
    let said: (String, String) =
        sqlx::query_as("select body, state from tenant.message where role = 'assistant'")
            .fetch_one(&house.rows())
            .await
            .unwrap();
    assert_eq!((said.0.trim(), said.1.as_str()), (words.trim(), "done"));
}

#[tokio::test]
async fn what_it_cannot_begin_with_is_told_by_its_file() {
    let house = House::new(Simulator::echo()).await;
    house.write_blueprint("kind: Nonsense");
    let (status, log) = house.start().ended();
    assert!(!status.success() && log.contains("blueprint.yaml cannot be used"), "{log}");
    house.declare(|_| {});
    house.write_database_url("mysql://root:hunter2@db/x");
    let (status, log) = house.start().ended();
    assert!(!status.success() && log.contains("database-url holds no database URL"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}
