//! `operator explain` and `operator preview`, as people run them, against the API server.

use std::path::Path;
use std::process::Command;

use crate::House;
use crate::house::{INSTALLATION, told};

async fn operator(settings: &Path, words: &str) -> (bool, String) {
    let mut operator = Command::new(env!("CARGO_BIN_EXE_operator"));
    operator.arg("--settings").arg(settings).args(words.split(' '));
    operator.env("KUBECONFIG", told("SOULFRA_TEST_KUBECONFIG"));
    let ended = tokio::task::spawn_blocking(move || operator.output().unwrap()).await.unwrap();
    let said = if ended.status.success() { ended.stdout } else { ended.stderr };
    (ended.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn what_is_there_is_explained_and_a_change_is_told_and_nothing_is_written() {
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_made(&name).await;
    house.settle(&name).await;
    let before = house.blueprints().get(&name).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("operator.yaml");
    let text = format!(
        "{{namespace: x, rootKey: /nowhere, servers: {{db-1: /nowhere}}, installation: {INSTALLATION}}}"
    );
    std::fs::write(&settings, text).unwrap();

    let (done, explained) =
        operator(&settings, &format!("explain {name} deployment/runtime spec.replicas")).await;
    assert!(done, "{explained}");
    assert_eq!(
        explained,
        format!(
            "Deployment runtime of {name}\nspec.replicas = 1: the default of the blueprint's \
             spec.runtime.replicas.min\n"
        )
    );
    let asked = format!("explain {name} networkpolicy/allow-database spec.egress");
    let (done, explained) = operator(&settings, &asked).await;
    assert!(done && explained.contains("what was there before: status.database"), "{explained}");

    let wanted = folder.path().join("wanted.yaml");
    let mut next = crate::house::example(&name);
    next.spec.suspended = true;
    std::fs::write(&wanted, blueprint::write(&next)).unwrap();
    let (done, told) = operator(&settings, &format!("preview {}", wanted.display())).await;
    assert!(done, "{told}");
    assert!(
        told.starts_with(&format!(
            "{name}: 1 field of the blueprint changes; 1 stops; no data is at risk.\n"
        )),
        "{told}"
    );
    let (done, told) = operator(&settings, "preview --fleet --image 1.5.0").await;
    assert!(done && told.contains("tenant-runtime:1.4.0\" -> "), "{told}");
    let (done, why) = operator(&settings, "explain nobody deployment/runtime").await;
    assert!(!done && why.starts_with("there is no platform nobody; "), "{why}");

    let after = house.blueprints().get(&name).await.unwrap();
    assert_eq!(before.metadata.resource_version, after.metadata.resource_version);
}
