//! What is printed for shells and for `man`.

use crate::door::Ground;

#[tokio::test]
async fn completions_know_the_commands() {
    let ground = Ground::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = ground.run(&["completions", shell]).await.expect(0).stdout;
        for command in
            ["check", "render", "status", "stop", "backup", "restore", "destroy", "models", "apply"]
        {
            assert!(text.contains(command), "{command} for {shell}");
        }
        assert!(!text.contains("__postgres-guard"), "{shell}");
    }
}

#[tokio::test]
async fn who_types_nothing_or_help_gets_help() {
    let ground = Ground::new();
    for arguments in [&[][..], &["help"]] {
        let told = ground.run(arguments).await;
        assert!(told.stdout.contains("/create-ai-platform my-company"), "{told:?}");
        assert!(told.stdout.contains("admin-link"), "{told:?}");
    }
    let told = ground.run(&["help", "destroy"]).await.expect(0);
    assert!(told.stdout.contains("--confirm"), "{told:?}");
    assert!(!ground.home().exists(), "asking made nothing");
}

#[tokio::test]
async fn the_manual_page_is_one() {
    let ground = Ground::new();
    let text = ground.run(&["man"]).await.expect(0).stdout;
    assert!(text.contains(".TH create-ai-platform 1"), "{text}");
    assert!(text.contains("SOULFRA_HOME"), "{text}");
}

#[tokio::test]
async fn the_models_are_listed_with_what_they_need() {
    let ground = Ground::new();
    let cache = ground.at("cache").display().to_string();
    let listed = ground.run(&["models", "--cache", &cache, "--json"]).await.expect(0).lines();
    let first = &listed[0];
    assert_eq!((&first["name"], &first["default"]), (&"smollm2-135m".into(), &true.into()));
    assert_eq!((&first["fetched"], &first["tried"]), (&false.into(), &true.into()));
    assert!(listed.len() > 4, "{listed:?}");
    for model in &listed {
        assert_eq!(model["license"], "Apache-2.0");
        assert!(model["memoryBytes"].as_u64() > model["downloadBytes"].as_u64(), "{model}");
    }
    let words = ground.run(&["models", "--cache", &cache]).await.expect(0);
    for model in &listed {
        assert!(words.stdout.contains(model["name"].as_str().unwrap()), "{words:?}");
    }
    assert_eq!(listed.last().unwrap()["makes"], "vectors");
    let same = ground.run(&["models", "list", "--cache", &cache]).await.expect(0);
    assert_eq!(same.stdout, words.stdout);
    assert!(words.stderr.contains("We ran smollm2-135m only"), "{words:?}");
    assert!(!ground.home().exists() && !ground.at("cache").exists(), "looking made nothing");
}
