//! A database of the person's own: what is in it stays known to be there.

use std::os::unix::fs::PermissionsExt;

use database::embedded::{Durability, Installation, Options, Server, default_cache_home};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::door::{Ground, Host, names};
use crate::visitor::Visitor;

#[tokio::test]
async fn data_in_a_database_of_ones_own_stays_known_to_be_there() {
    let own = Own::start().await;
    let ground = Ground::new();
    let host = own.host(&ground, "acme").await;
    let owner = Visitor::of(host.site());
    let owner = owner.claim(host.ready["adminLink"].as_str().unwrap()).await;
    let conversation = owner.talk("Remember the word marigold.").await.unwrap();
    ground.run(&["backup", "acme", "-o", "acme.soulfra"]).await.expect(0);
    ground.run(&["restore", "acme.soulfra", "--name", "twin"]).await.expect(0);
    ground.run(&["stop", "--all"]).await.expect(0);
    assert_eq!(host.ended().await, Some(0));

    // Stopped, nobody takes the embedded database for the one that holds them.
    for name in ["acme", "twin"] {
        let refused = ground.run(&[name, "--port", "0", "--json"]).await.expect(6);
        assert!(refused.stderr.contains("--database-url"), "{refused:?}");
        assert_eq!(kept(&ground, name).await, (true, false));
    }
    assert!(!ground.home().join("postgres").exists(), "no server was started for that");
    for command in [&["backup", "acme"][..], &["destroy", "acme", "--confirm", "acme"]] {
        let refused = ground.run(command).await.expect(10);
        assert!(refused.stderr.contains("--database-url"), "{refused:?}");
    }

    // Nor does a host on the embedded one.
    let host = ground.start("school").await;
    for command in [
        &["acme", "--port", "0", "--json"][..],
        &["backup", "acme"],
        &["destroy", "acme", "--confirm", "acme"],
    ] {
        ground.run(command).await.expect(6);
    }
    assert_eq!(names(&ground.folder()), ["acme", "acme.soulfra", "school", "twin"]);
    ground.run(&["stop", "--all"]).await.expect(0);
    assert_eq!(host.ended().await, Some(0));

    let host = own.host(&ground, "twin").await;
    let joined = ground.run(&["acme", "--json"]).await.expect(0).json();
    for site in [host.site(), joined["site"].as_str().unwrap()] {
        let owner = Visitor::of(site).sign_in().await;
        assert!(owner.history(&conversation).await.contains("marigold"));
    }
    // And what is embedded is not looked for in it.
    ground.run(&["school", "--json"]).await.expect(6);
    ground.run(&["destroy", "school", "--confirm", "school"]).await.expect(6);
    assert_eq!((kept(&ground, "acme").await, kept(&ground, "school").await), IN_BOTH);
    for name in ["acme", "twin"] {
        ground.run(&["destroy", name, "--confirm", name]).await.expect(0);
    }
    assert_eq!(host.ended().await, Some(0));
    ground.quiet().await;
    assert_eq!(own.tenants().await, [""; 0]);
    assert_eq!(names(&ground.folder()), ["acme.soulfra", "school"]);
    own.server.stop().await.unwrap();
}

#[tokio::test]
async fn a_platform_that_could_not_be_made_in_a_database_is_not_tied_to_it() {
    let own = Own::start().await;
    let ground = Ground::new();
    own.run("CREATE ROLE modest LOGIN PASSWORD 'modest'").await;
    let url = format!("postgres://modest:modest@{}", own.url.split_once('@').unwrap().1);
    let arguments = ["acme", "--port", "0", "--json", "--database-url", &url];
    ground.run(&arguments).await.expect(6);
    ground.quiet().await;
    let host = ground.start("acme").await;
    assert_eq!(kept(&ground, "acme").await, (false, true));
    host.interrupt();
    assert_eq!(host.ended().await, Some(0));
    own.server.stop().await.unwrap();
}

#[tokio::test]
async fn another_server_of_ones_own_is_not_taken_for_the_one_that_holds_the_data() {
    let (own, other) = (Own::start().await, Own::start().await);
    let ground = Ground::new();
    let host = own.host(&ground, "acme").await;
    let owner = Visitor::of(host.site());
    let owner = owner.claim(host.ready["adminLink"].as_str().unwrap()).await;
    let conversation = owner.talk("Remember the word marigold.").await.unwrap();
    host.interrupt();
    assert_eq!(host.ended().await, Some(0));

    let mistyped = ["acme", "--port", "0", "--json", "--database-url", &other.url];
    let refused = ground.run(&mistyped).await.expect(6);
    assert!(refused.stderr.contains("another database server of yours"), "{refused:?}");
    assert!(refused.stderr.contains("--database-url"), "{refused:?}");
    assert!(!refused.stderr.contains(&other.url), "{refused:?}");
    ground.quiet().await;

    // Nor through a host that runs there.
    let host = other.host(&ground, "school").await;
    for command in
        [&["acme", "--json"][..], &["backup", "acme"], &["destroy", "acme", "--confirm", "acme"]]
    {
        ground.run(command).await.expect(6);
    }
    assert_eq!(other.tenants().await.len(), 1, "only school is there");
    host.interrupt();
    assert_eq!(host.ended().await, Some(0));

    let host = own.host(&ground, "acme").await;
    let owner = Visitor::of(host.site()).sign_in().await;
    assert!(owner.history(&conversation).await.contains("marigold"));
    host.interrupt();
    assert_eq!(host.ended().await, Some(0));
    for server in [own.server, other.server] {
        server.stop().await.unwrap();
    }
}

/// `acme` outside and running, `school` embedded and stopped.
const IN_BOTH: ((bool, bool), (bool, bool)) = ((true, true), (false, false));

/// Whether a platform's data is outside, and whether it runs.
async fn kept(ground: &Ground, name: &str) -> (bool, bool) {
    let told = ground.run(&["status", "--json"]).await.expect(0).lines();
    let line: &Value = told.iter().find(|line| line["name"] == name).unwrap();
    (line["external"].as_bool().unwrap(), line["running"].as_bool().unwrap())
}

/// A server that is none of the host's.
struct Own {
    server: Server,
    url: String,
    _home: tempfile::TempDir,
}

impl Own {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let installation = Installation::fetch(&default_cache_home(), |_| {}).await.unwrap();
        let options = Options {
            durability: Durability::ForTests,
            guard: Some(env!("CARGO_BIN_EXE_create-ai-platform").into()),
            ..Options::new(home.path().join("own"))
        };
        let server = Server::start(&installation, options).await.unwrap();
        let url = server.url().expose_secret().to_owned();
        Self { server, url, _home: home }
    }

    async fn host(&self, ground: &Ground, name: &str) -> Host {
        ground.start_with(&[name, "--database-url", &self.url]).await
    }

    async fn run(&self, sql: &'static str) {
        let mut admin = self.server.admin().connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut admin).await.unwrap();
    }

    async fn tenants(&self) -> Vec<String> {
        let mut admin = self.server.admin().connect().await.unwrap();
        let sql = "SELECT datname::text FROM pg_database WHERE datname LIKE 't\\_%'";
        sqlx::query_scalar(sql).fetch_all(&mut admin).await.unwrap()
    }
}
