//! What is printed for shells and for `man`.

use crate::door::Ground;

#[tokio::test]
async fn completions_know_the_commands() {
    let ground = Ground::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = ground.run(&["completions", shell]).await.expect(0).stdout;
        for command in ["check", "render", "status", "stop", "backup", "restore", "destroy"] {
            assert!(text.contains(command), "{command} for {shell}");
        }
        assert!(!text.contains("__postgres-guard"), "{shell}");
    }
}

#[tokio::test]
async fn the_manual_page_is_one() {
    let ground = Ground::new();
    let text = ground.run(&["man"]).await.expect(0).stdout;
    assert!(text.contains(".TH create-ai-platform 1"), "{text}");
    assert!(text.contains("SOULFRA_HOME"), "{text}");
}
