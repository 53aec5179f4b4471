//! Creating and running: the first time, again, several of them.

use reqwest::StatusCode;

use crate::door::{Ground, files, names};
use crate::visitor::Visitor;

#[tokio::test]
async fn the_first_run_makes_the_folder_and_answers() {
    let ground = Ground::new();
    let mut host = ground.start_with(&["acme", "--tls-port", "0"]).await;
    let phases: Vec<_> = host.told.iter().filter(|event| event["event"] == "phase").collect();
    for name in ["folder", "database", "model", "platform"] {
        let phase = phases.iter().find(|phase| phase["name"] == name);
        assert_eq!(phase.expect(name)["state"], "done");
    }
    assert_eq!(names(&ground.folder()), ["acme"]);
    assert_eq!(
        names(&ground.at("acme")),
        [".gitignore", ".soulfra", "README.md", "blueprint.yaml", "brand"]
    );
    assert!(host.site().starts_with("http://acme.localhost:"));
    let secure = host.ready["secureSite"].as_str().unwrap();
    assert!(secure.starts_with("https://acme.localhost:"), "{secure}");
    assert_eq!(host.ready["joined"], false);
    let page = Visitor::of(host.site()).get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Acme"), "{}", page.body);
    let stranger = host.site().replace("acme", "other");
    assert_eq!(Visitor::of(&stranger).get("/").await.status, StatusCode::NOT_FOUND);

    host.interrupt();
    while host.event("note").await["text"] != "stopped acme; nothing was lost" {}
    assert_eq!(host.ended().await, Some(0));
    ground.quiet().await;
}

#[tokio::test]
async fn several_platforms_share_a_host_and_the_same_command_changes_nothing() {
    let ground = Ground::new();
    let mut host = ground.start("acme").await;
    let before = files(&ground.folder());
    let again = ground.run(&["acme", "--port", "0", "--json"]).await.expect(0).json();
    assert_eq!((&again["event"], &again["site"]), (&host.ready["event"], &host.ready["site"]));
    assert_eq!(before, files(&ground.folder()));
    assert_eq!(ground.postmasters(), 1);

    let joined = ground.run(&["school", "--template", "education", "--json"]).await.expect(0);
    assert_eq!(joined.json()["joined"], true);
    assert_eq!(joined.lines().iter().find(|event| event["event"] == "note"), None);
    let site = joined.json()["site"].as_str().unwrap().to_owned();
    assert_eq!(site, host.site().replace("acme", "school"));
    assert!(Visitor::of(&site).get("/").await.body.contains("School"));
    assert_eq!(ground.postmasters(), 1);

    let idle = ["school", "--template", "business", "--port", "9", "--tls-port", "8443"];
    let told = ground.run(&idle).await.expect(0).stderr;
    for option in ["--template business", "--port 9", "--tls-port 8443"] {
        assert!(told.contains(&format!("{option} has no effect\n")), "{option} in {told}");
    }
    assert!(told.contains("runs in the host process that was started first"), "{told}");
    assert!(!told.contains("Ctrl-C") && !told.contains("HTTPS"), "{told}");
    assert!(told.contains("/create-ai-platform stop school\n"), "can be copied: {told}");

    let status = ground.run(&["status", "--json"]).await.expect(0).lines();
    assert_eq!(status[0]["name"], "acme");
    assert_eq!(status[0]["site"], host.ready["site"]);
    assert_eq!(status[0]["folder"], host.ready["folder"]);
    assert_eq!((&status[1]["name"], &status[1]["running"]), (&"school".into(), &true.into()));

    ground.run(&["stop", "school", "--json"]).await.expect(0).lines();
    assert_eq!(host.event("stopped").await["name"], "school");
    assert_eq!(Visitor::of(&site).get("/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(Visitor::of(host.site()).get("/").await.status, StatusCode::OK);
    let status = ground.run(&["status", "--json"]).await.expect(0).lines();
    assert_eq!(status[1]["running"], false);

    ground.run(&["stop", "--all", "--json"]).await.expect(0);
    assert_eq!(host.ended().await, Some(0));
    ground.quiet().await;
    ground.run(&["stop", "--all", "--json"]).await.expect(0);
    let status = ground.run(&["status", "--json"]).await.expect(0).lines();
    assert_eq!((&status[0]["running"], &status[1]["running"]), (&false.into(), &false.into()));
}

#[tokio::test]
async fn a_stopped_platform_goes_on_where_it_was() {
    let ground = Ground::new();
    let host = ground.start("acme").await;
    let owner = Visitor::of(host.site());
    let owner = owner.claim(host.ready["adminLink"].as_str().unwrap()).await;
    let conversation = owner.talk("Remember the word marigold.").await.unwrap();
    let before = files(&ground.folder());
    ground.run(&["stop", "acme"]).await.expect(0);
    assert_eq!(host.ended().await, Some(0));
    ground.quiet().await;

    let host = ground.start("acme").await;
    assert!(host.ready.get("adminLink").is_none(), "it has an owner: {}", host.ready);
    let owner = owner.again(host.site());
    assert!(owner.history(&conversation).await.contains("marigold"));
    assert_eq!(owner.sign_in().await.get("/admin").await.status, StatusCode::OK);
    assert_eq!(before, files(&ground.folder()));

    // Who lost the password comes back by a link, which works once.
    let link = ground.run(&["admin-link", "acme"]).await.expect(0).stdout;
    let owner = Visitor::of(host.site()).enter(link.trim()).await;
    assert_eq!(owner.get("/admin").await.status, StatusCode::OK);
    let path = link.trim().strip_prefix(host.site()).unwrap();
    assert_eq!(owner.post(path, &[]).await.unwrap().status, StatusCode::GONE);
}
