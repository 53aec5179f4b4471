//! What cannot be done: each with its exit code, a hint, and nothing half-made.

use std::net::TcpListener;

use crate::door::{Ground, files, names};

#[tokio::test]
async fn a_wrong_name_makes_nothing() {
    let ground = Ground::new();
    for name in ["My_Company", "acme!", "-", &"a".repeat(41), "admin"] {
        let ran = ground.run(&[name, "--port", "0", "--json"]).await;
        // What looks like an option is refused before it is read as a name.
        let ran = if name == "-" { ran } else { ran.expect(3) };
        assert_eq!(names(&ground.folder()), [""; 0], "{name}: {ran:?}");
    }
}

#[tokio::test]
async fn an_unknown_template_or_plan_makes_nothing() {
    let ground = Ground::new();
    let ran =
        ground.run(&["acme", "--template", "crator", "--port", "0", "--json"]).await.expect(4);
    assert!(ran.stderr.contains("creator"), "it says which there are: {ran:?}");
    ground.run(&["acme", "--plan", "golden", "--port", "0", "--json"]).await.expect(4);
    ground.run(&["acme", "--domain", "not a domain", "--port", "0"]).await.expect(4);
    assert_eq!(names(&ground.folder()), [""; 0]);
    assert!(ground.run(&["status", "--json"]).await.expect(0).lines().is_empty());
}

#[tokio::test]
async fn an_unknown_model_makes_nothing_and_is_answered_with_the_known_ones() {
    let ground = Ground::new();
    for model in ["gpt-99", "missing.gguf"] {
        let ran = ground.run(&["acme", "--model", model, "--port", "0", "--json"]).await.expect(7);
        assert!(ran.stderr.contains(model) && ran.stderr.contains("qwen2.5-7b"), "{ran:?}");
        assert_eq!(names(&ground.folder()), [""; 0]);
    }
}

#[tokio::test]
async fn a_taken_port_is_told_and_starts_nothing() {
    let ground = Ground::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = ground.run(&["acme", "--port", &port, "--json"]).await.expect(5);
    assert_eq!(ran.json()["code"], 5);
    assert!(ran.stderr.contains("--port 0"), "{ran:?}");
    ground.quiet().await;
    // The folder is whole, and stays as it is.
    let before = files(&ground.folder());
    ground.run(&["check", "acme"]).await.expect(0);
    ground.run(&["acme", "--port", &port, "--json"]).await.expect(5);
    assert_eq!(before, files(&ground.folder()));
    assert_eq!(names(&ground.folder()), ["acme"]);
}

#[tokio::test]
async fn a_blueprint_that_cannot_be_used_is_left_as_it_is() {
    let ground = Ground::new();
    std::fs::create_dir(ground.at("acme")).unwrap();
    for text in ["", "spec: [", "kind: Other\n", "\u{0}"] {
        std::fs::write(ground.at("acme/blueprint.yaml"), text).unwrap();
        let before = files(&ground.folder());
        ground.run(&["acme", "--port", "0", "--json"]).await.expect(4);
        assert_eq!(before, files(&ground.folder()), "{text}");
    }
    ground.quiet().await;
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_left_as_it_is() {
    let ground = Ground::new();
    std::fs::create_dir(ground.at("acme")).unwrap();
    std::fs::write(ground.at("acme/thesis.txt"), "mine").unwrap();
    let before = files(&ground.folder());
    ground.run(&["acme", "--port", "0", "--json"]).await.expect(9);
    assert_eq!(before, files(&ground.folder()));
}

#[tokio::test]
async fn an_unknown_platform_is_told() {
    let ground = Ground::new();
    for command in ["stop", "backup", "destroy", "admin-link"] {
        let ran = ground.run(&[command, "acme", "--yes"]).await.expect(11);
        assert!(ran.stderr.contains("status"), "{ran:?}");
    }
    assert!(!ground.home().exists(), "looking made nothing");
}

#[tokio::test]
async fn a_folder_that_describes_another_platform_is_told() {
    let ground = Ground::new();
    let host = ground.start("acme").await;
    ground.run(&["stop", "--all"]).await.expect(0);
    assert_eq!(host.ended().await, Some(0));
    let blueprint = ground.at("acme/blueprint.yaml");
    let text = std::fs::read_to_string(&blueprint).unwrap();
    std::fs::write(&blueprint, text.replacen("name: acme\n", "name: other\n", 1)).unwrap();
    let before = files(&ground.folder());

    let told = ground.run(&["check", "acme", "--json"]).await.expect(4).lines();
    assert_eq!(told[0]["problems"][0]["path"], "metadata.name");
    assert_eq!(told[0]["problems"][0]["instead"], "acme");
    let refused = ground.run(&["acme", "--port", "0", "--json"]).await.expect(3);
    assert!(refused.stderr.contains("describes other, not acme"), "{refused:?}");
    let told = ground.run(&["status", "--json"]).await.expect(0).lines();
    assert_eq!((told.len(), &told[0]["name"]), (1, &"acme".into()));
    assert_eq!(before, files(&ground.folder()));

    // A copy of it somewhere else is nobody's yet.
    std::fs::create_dir(ground.at("other")).unwrap();
    std::fs::copy(&blueprint, ground.at("other/blueprint.yaml")).unwrap();
    ground.run(&["check", "other"]).await.expect(0);
}

#[tokio::test]
async fn something_else_is_not_taken_for_a_backup() {
    let ground = Ground::new();
    std::fs::write(ground.at("acme.soulfra"), "not a backup").unwrap();
    let ran = ground.run(&["restore", "acme.soulfra"]).await.expect(13);
    assert!(ran.stderr.starts_with("error: acme.soulfra is not a backup\n"), "{ran:?}");
    assert_eq!(names(&ground.folder()), ["acme.soulfra"]);
}

#[tokio::test]
async fn who_is_logged_in_nowhere_is_told_how_and_no_key_goes_in_plain_text() {
    let ground = Ground::new();
    let told = ground.run(&["list"]).await.expect(14);
    assert!(told.stderr.contains("create-ai-platform login https://"), "{told:?}");
    ground.run(&["acme", "--control-plane", "https://console.example"]).await.expect(15);
    ground.run(&["login", "http://console.example"]).await.expect(14);
    // Nobody sits there to type one.
    ground.run(&["login", "https://console.example"]).await.expect(15);
    assert!(!ground.home().exists() && !ground.at("acme").exists(), "nothing was made");
}
