//! Backup, destroy, restore: everything a platform holds, out, away, and back.

use std::os::unix::fs::PermissionsExt;

use reqwest::StatusCode;

use crate::door::{Ground, files, names};
use crate::visitor::Visitor;

#[tokio::test]
async fn what_is_backed_up_and_destroyed_comes_back_the_same() {
    let ground = Ground::new();
    let host = ground.start("acme").await;
    let owner = Visitor::of(host.site());
    let owner = owner.claim(host.ready["adminLink"].as_str().unwrap()).await;
    let mut before = Vec::new();
    for text in ["What is a **blueprint**?", "Ünïcode & <tags>, \"quoted\"", "Say `yes`."] {
        let conversation = owner.talk(text).await.unwrap();
        let said = owner.history(&conversation).await;
        assert!(said.contains("class=\"prose\""), "{said}");
        before.push((conversation, said));
    }
    let written = contents(&ground, "acme");
    // What is no part of a platform stays out of its backup.
    for path in ["acme/.git", "acme/.git/config", "acme/older.soulfra"] {
        match path {
            "acme/.git" => std::fs::create_dir(ground.at(path)).unwrap(),
            _ => std::fs::write(ground.at(path), "not packed").unwrap(),
        }
    }
    std::os::unix::fs::symlink("/etc", ground.at("acme/link")).unwrap();

    let ran = ground.run(&["backup", "acme", "--output", "acme/inside.soulfra"]).await.expect(0);
    assert_eq!(ran.stdout.trim(), "acme/inside.soulfra");
    assert!(ran.stderr.contains("acme/link"), "{ran:?}");
    let mode = std::fs::metadata(ground.at("acme/inside.soulfra")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::rename(ground.at("acme/inside.soulfra"), ground.at("acme.soulfra")).unwrap();
    let backup = std::fs::read(ground.at("acme.soulfra")).unwrap();
    ground.run(&["backup", "acme", "--output", "acme.soulfra"]).await.expect(9);
    assert_eq!(std::fs::read(ground.at("acme.soulfra")).unwrap(), backup);
    assert_eq!(names(&ground.folder()), ["acme", "acme.soulfra"]);

    ground.run(&["restore", "acme.soulfra"]).await.expect(3);
    ground.run(&["destroy", "acme", "--confirm", "acme"]).await.expect(0);
    assert_eq!(host.ended().await, Some(0));
    ground.quiet().await;
    assert_eq!(names(&ground.folder()), ["acme.soulfra"]);
    assert!(!ground.home().exists());

    ground.run(&["restore", "acme.soulfra"]).await.expect(0);
    ground.quiet().await;
    assert_eq!(names(&ground.folder()), ["acme", "acme.soulfra"]);
    assert_eq!(contents(&ground, "acme"), written);
    let host = ground.start("acme").await;
    let owner = Visitor::of(host.site()).sign_in().await;
    for (conversation, said) in before {
        assert_eq!(owner.history(&conversation).await, said);
    }
}

#[tokio::test]
async fn a_backup_of_a_stopped_platform_comes_back_under_another_name() {
    let ground = Ground::new();
    let host = ground.start("acme").await;
    let owner = Visitor::of(host.site());
    let owner = owner.claim(host.ready["adminLink"].as_str().unwrap()).await;
    let conversation = owner.talk("Remember the word marigold.").await.unwrap();
    ground.run(&["stop", "acme"]).await.expect(0);
    let blueprint = ground.at("acme/blueprint.yaml");
    let text = std::fs::read_to_string(&blueprint).unwrap();
    let text = format!("{text}# Ask Ada before you change the plan.\n");
    std::fs::write(&blueprint, &text).unwrap();
    assert_eq!(host.ended().await, Some(0));
    let told = ground.run(&["backup", "acme", "-o", "acme.soulfra", "--json"]).await.expect(0);
    assert_eq!(told.lines().last().unwrap()["file"], "acme.soulfra");
    // Neither remembered nor in its place, and still not to be dropped.
    let record = ground.home().join("platforms/acme.json");
    std::fs::remove_file(&record).unwrap();
    std::fs::rename(ground.at("acme"), ground.at("away")).unwrap();
    ground.run(&["restore", "acme.soulfra"]).await.expect(3);
    std::fs::rename(ground.at("away"), ground.at("acme")).unwrap();
    ground.run(&["restore", "acme.soulfra", "--name", "twin"]).await.expect(0);
    ground.quiet().await;
    let twin = std::fs::read_to_string(ground.at("twin/blueprint.yaml")).unwrap();
    assert_eq!(twin, text.replacen("name: acme\n", "name: twin\n", 1), "nothing else changed");

    let host = ground.start("twin").await;
    ground.run(&["acme", "--json"]).await.expect(0);
    for site in [host.site(), &host.site().replace("twin", "acme")] {
        let owner = Visitor::of(site).sign_in().await;
        assert!(owner.history(&conversation).await.contains("marigold"));
    }
    // One of two: the other goes on.
    ground.run(&["destroy", "twin", "--confirm", "twin"]).await.expect(0);
    assert_eq!(names(&ground.folder()), ["acme", "acme.soulfra"]);
    let acme = host.site().replace("twin", "acme");
    assert_eq!(Visitor::of(&acme).get("/").await.status, StatusCode::OK);
    let status = ground.run(&["status", "--json"]).await.expect(0).lines();
    assert_eq!((status.len(), &status[0]["name"]), (1, &"acme".into()));
}

#[tokio::test]
async fn nothing_is_destroyed_until_its_name_is_typed() {
    let ground = Ground::new();
    let host = ground.start("acme").await;
    let before = files(&ground.folder());
    for arguments in [&[][..], &["--json"], &["--yes"], &["--confirm", "acne"]] {
        let command = [&["destroy", "acme"], arguments].concat();
        ground.run(&command).await.expect(12);
    }
    assert_eq!(before, files(&ground.folder()));
    assert_eq!(Visitor::of(host.site()).get("/").await.status, StatusCode::OK);

    // The folder became another platform's; the data goes, the folder stays.
    let blueprint = ground.at("acme/blueprint.yaml");
    let text = std::fs::read_to_string(&blueprint).unwrap();
    assert!(text.contains("name: acme\n"), "{text}");
    ground.run(&["stop", "--all"]).await.expect(0);
    assert_eq!(host.ended().await, Some(0));
    std::fs::write(&blueprint, text.replacen("name: acme\n", "name: other\n", 1)).unwrap();
    // The host's own authority goes along, too.
    ground.run(&["trust", "--print"]).await.expect(0);
    // Somebody named a home that holds more than platforms.
    std::fs::write(ground.home().join("thesis.txt"), "mine").unwrap();
    ground.run(&["destroy", "acme", "--confirm", "acme"]).await.expect(0);
    ground.quiet().await;
    assert_eq!(names(&ground.folder()), ["acme"]);
    assert_eq!(names(&ground.home()), ["thesis.txt"]);
}

/// What the files of a platform's folder hold.
fn contents(ground: &Ground, name: &str) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    files(&ground.at(name)).into_iter().map(|(path, (_, bytes))| (path, bytes)).collect()
}
