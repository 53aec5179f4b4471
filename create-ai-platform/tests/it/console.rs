//! The console over the platforms of one machine.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::door::Ground;
use crate::visitor::{Page, Visitor};

/// A platform starts, or stops, within this time on a slow machine.
const SOON: Duration = Duration::from_mins(1);

/// Asks until it answers so.
async fn until(visitor: &Visitor, path: &str, is_so: impl Fn(&Page) -> bool) -> Page {
    let asked = Instant::now();
    loop {
        let page = visitor.get(path).await;
        if is_so(&page) {
            return page;
        }
        assert!(asked.elapsed() < SOON, "{path}: {} {}", page.status, page.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Where the console is, once it is open, and the link for its owner.
async fn link(ground: &Ground) -> String {
    let asked = Instant::now();
    loop {
        let told = ground.run(&["console", "--email", "ada@example.com", "--json"]).await;
        if told.code == Some(0) {
            return told.json()["joinLink"].as_str().unwrap().to_owned();
        }
        assert!(asked.elapsed() < SOON, "{}", told.stderr);
    }
}

/// Where the host's Postgres is, by its own word.
async fn database(ground: &Ground) -> String {
    let stream = UnixStream::connect(ground.home().join("run/host.sock")).await.unwrap();
    let (read, mut write) = stream.into_split();
    write.write_all(b"{\"ask\":\"database\"}\n").await.unwrap();
    let mut told = String::new();
    BufReader::new(read).read_line(&mut told).await.unwrap();
    serde_json::from_str::<serde_json::Value>(&told).unwrap()["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn platforms_of_this_machine_are_made_changed_deleted_and_brought_back_in_the_console() {
    let ground = Ground::new();
    let host = ground.start("acme").await;
    let link = link(&ground).await;
    let place = host.site().replace("acme", "console");
    assert!(link.starts_with(&place), "{link}");
    let ann = Visitor::of(&place).join(&link).await;

    // What the command made is there.
    until(&ann, "/o/local", |page| page.body.contains("/o/local/platforms/acme")).await;
    let acme = Visitor::of(host.site());
    until(&ann, "/o/local/platforms/acme", |page| page.body.contains("Ready")).await;

    // What the console makes runs in the same process.
    let written = "apiVersion: soulfra.io/v1alpha1\nkind: PlatformBlueprint\nmetadata:\n  name: school\n\
                   spec:\n  identity:\n    displayName: Night School\n";
    let made = ann.post("/o/local/new", &[("blueprint", written)]).await.unwrap();
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let school = Visitor::of(&host.site().replace("acme", "school"));
    let page = until(&school, "/", |page| page.status == StatusCode::OK).await;
    assert!(page.body.contains("Night School"), "{}", page.body);

    // An edit of its file is a change like any other.
    let file = ground.home().join("folders/school/blueprint.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("Night School", "Day School")).unwrap();
    until(&school, "/", |page| page.body.contains("Day School")).await;
    until(&ann, "/o/local/platforms/school", |page| page.body.contains("Day School")).await;

    // Suspended and resumed, whoever made it.
    for name in ["acme", "school"] {
        let visitor = if name == "acme" { &acme } else { &school };
        let suspend = format!("/o/local/platforms/{name}/suspend");
        assert_eq!(ann.post(&suspend, &[]).await.unwrap().status, StatusCode::SEE_OTHER);
        until(visitor, "/", |page| page.status == StatusCode::NOT_FOUND).await;
        let resume = format!("/o/local/platforms/{name}/resume");
        assert_eq!(ann.post(&resume, &[]).await.unwrap().status, StatusCode::SEE_OTHER);
        until(visitor, "/", |page| page.status == StatusCode::OK).await;
    }

    // Deleted, it is stopped and kept; a command does not start it; brought back, it is as it was.
    let deleted = ann.post("/o/local/platforms/school/delete", &[("name", "school")]).await;
    assert_eq!(deleted.unwrap().status, StatusCode::SEE_OTHER);
    until(&school, "/", |page| page.status == StatusCode::NOT_FOUND).await;
    let refused = ground.run(&["school"]).await.expect(3).stderr;
    assert!(refused.contains("deleted in the console"), "{refused}");
    let back = ann.post("/o/local/platforms/school/undelete", &[]).await.unwrap();
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.body);
    until(&school, "/", |page| page.body.contains("Day School")).await;
}

#[tokio::test]
async fn no_platform_may_look_into_the_consoles_database_and_a_stranger_sees_nothing_of_it() {
    let ground = Ground::new();
    let host = ground.start("acme").await;
    link(&ground).await;
    let stranger = Visitor::of(&host.site().replace("acme", "console"));
    let page = stranger.get("/o/local").await;
    assert!(
        page.status.is_redirection() || page.status == StatusCode::NOT_FOUND,
        "{}",
        page.status
    );
    let whose = "select bool_or(has_database_privilege(rolname, datname, 'connect')) \
                 from pg_roles, pg_database \
                 where rolname like 't\\_%' and datname like 'soulfra\\_control\\_%'";
    let mut conn = PgConnection::connect(&database(&ground).await).await.unwrap();
    let may = sqlx::query_scalar::<_, Option<bool>>(whose).fetch_one(&mut conn).await.unwrap();
    assert_eq!(may, Some(false), "there are such roles, and none may");
}
