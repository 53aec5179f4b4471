//! kubectl as its users use it, against the real API server and the operator.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::House;
use crate::house::{SOON, said, told};

/// kubectl, with files of its own.
pub(crate) struct Kubectl {
    folder: tempfile::TempDir,
}

/// What it answered.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Kubectl {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, text: &str) -> PathBuf {
        let file = self.folder.path().join("blueprint.yaml");
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Runs it with these words, `-` being this text.
    async fn run(&self, words: &str, input: &str) -> Said {
        let mut kubectl = Command::new(told("SOULFRA_TEST_KUBECTL"));
        kubectl.arg("--kubeconfig").arg(told("SOULFRA_TEST_KUBECONFIG"));
        kubectl.arg("--cache-dir").arg(self.folder.path().join("cache"));
        kubectl.args(words.split(' ')).current_dir(self.folder.path());
        kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = kubectl.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        let output = tokio::time::timeout(SOON, ended).await.expect("kubectl ends").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The same, which must go well.
    pub(crate) async fn does(&self, words: &str) -> String {
        let said = self.run(words, "").await;
        assert_eq!(said.code, Some(0), "kubectl {words}: {said:#?}");
        said.out
    }
}

/// A blueprint as a person writes it.
fn written(name: &str) -> String {
    format!(
        "# Ours.\napiVersion: soulfra.io/v1alpha1\nkind: PlatformBlueprint\nmetadata:\n  name: \
         {name}\nspec:\n  identity:\n    displayName: Harbour # the brand\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn kubectl_applies_waits_shows_and_describes() {
    let (house, kubectl) = (House::open(2).await, Kubectl::new());
    let name = house.name("a");
    kubectl.file(&written(&name));
    let applied = kubectl.does("apply -f blueprint.yaml").await;
    assert_eq!(applied, format!("platformblueprint.soulfra.io/{name} created\n"));

    house.until_made(&name).await;
    let waits = format!("wait --for=condition=Ready pb/{name} --timeout=60s");
    let (waited, ()) = tokio::join!(kubectl.does(&waits), house.serve(&name));
    assert_eq!(waited, format!("platformblueprint.soulfra.io/{name} condition met\n"));

    let table = kubectl.does(&format!("get pb {name}")).await;
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows[0],
        ["NAME", "PHASE", "URL", "PLAN", "VERSION", "READY", "REASON", "AGE"],
        "{table}"
    );
    let url = format!("https://{name}.platforms.example");
    assert_eq!(
        rows[1][..7],
        [&name, "Ready", &url, "enterprise", "1.4.0", "True", "Ready"],
        "{table}"
    );
    assert!(rows[1][7].ends_with('s'), "{table}");
    let wide = kubectl.does(&format!("get pb {name} -o wide")).await;
    assert!(wide.contains("ORGANIZATION"), "{wide}");

    let described = kubectl.does(&format!("describe pb {name}")).await;
    for shown in
        ["Kind:         PlatformBlueprint", "RuntimeReady", "1 of 1 copies serve", "Events:"]
    {
        assert!(described.contains(shown), "{described}");
    }
    assert!(described.contains(&format!("serving at {url}")), "{described}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn kubectl_finds_no_difference_but_a_persons_own() {
    let (house, kubectl) = (House::open(2).await, Kubectl::new());
    let name = house.name("a");
    let text = written(&name);
    kubectl.file(&text);
    kubectl.does("apply -f blueprint.yaml").await;
    house.until_made(&name).await;
    assert_eq!(kubectl.does("diff -f blueprint.yaml").await, "");
    let again = kubectl.does("apply -f blueprint.yaml").await;
    assert_eq!(again, format!("platformblueprint.soulfra.io/{name} unchanged\n"));

    kubectl.file(&text.replace("Harbour", "Haven"));
    let differs = kubectl.run("diff -f blueprint.yaml", "").await;
    assert_eq!(differs.code, Some(1), "{differs:?}");
    assert!(differs.out.contains("-    displayName: Harbour\n"), "{differs:?}");
    assert!(differs.out.contains("+    displayName: Haven\n"), "{differs:?}");
    kubectl.does("apply -f blueprint.yaml").await;
    house.until(&name, "renamed", |it| it.spec.identity.display_name == "Haven").await;

    // What the API server has can be applied as it is. It names a version then, which kubectl cannot
    // take back by itself: the person's own file is applied by the server after that.
    let all = kubectl.does(&format!("get pb {name} -o yaml")).await;
    assert!(all.contains("status:"), "{all}");
    let back = kubectl.run("apply -f -", &all).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    kubectl.file(&text);
    kubectl.does("apply --server-side --force-conflicts -f blueprint.yaml").await;
    let held = |it: &blueprint::PlatformBlueprint| {
        let held =
            it.metadata.finalizers.iter().flatten().any(|it| it == operator::cluster::FINALIZER);
        held && it.spec.identity.display_name == "Harbour"
    };
    let now = house.until(&name, "held again", held).await;
    assert!(now.status.is_some_and(|status| status.database.is_some()));
    let same = "diff --server-side --force-conflicts -f blueprint.yaml";
    assert_eq!(kubectl.does(same).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn kubectl_is_refused_a_bad_file_with_the_path() {
    let (house, kubectl) = (House::open(0).await, Kubectl::new());
    let text = written(&house.name("a"));
    for (wrong, path, why) in [
        (
            "  runtime: {replicas: {min: 0}}\n",
            "spec.runtime.replicas.min",
            "should be greater than",
        ),
        ("  colour: red\n", "spec.colour", "unknown field"),
        ("  plan: golden\n", "spec.plan", "Unsupported value: \"golden\""),
        ("  runtime: {replicas: {min: 3, max: 2}}\n", "spec.runtime.replicas", "max"),
        ("  domains: [\"not a domain\"]\n", "spec.domains[0]", "domain"),
    ] {
        kubectl.file(&format!("{text}{wrong}"));
        let refused = kubectl.run("apply -f blueprint.yaml", "").await;
        assert_eq!(refused.code, Some(1), "{wrong}: {refused:?}");
        let said = refused.err.to_lowercase();
        assert!(refused.err.contains(path) && said.contains(&why.to_lowercase()), "{refused:#?}");
        let differs = kubectl.run("diff -f blueprint.yaml", "").await;
        // kubectl only warns here of what the schema does not know.
        let warns = why == "unknown field" && differs.code == Some(1);
        assert!(warns || differs.code > Some(1), "{differs:#?}");
        assert!(differs.err.contains(path), "{differs:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn kubectl_explains_every_field() {
    let (_house, kubectl) = (House::open(0).await, Kubectl::new());
    let schema = serde_json::to_value(blueprint::crd()).unwrap();
    let schema = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let mut fields = Vec::new();
    for part in ["spec", "status"] {
        walk(part, &schema[part], &mut fields);
    }
    let silent: Vec<_> = fields.iter().filter(|(_, told)| told.is_empty()).collect();
    assert!(silent.is_empty(), "{silent:?}");
    let tree = kubectl.does("explain pb --recursive").await;
    for (path, _) in &fields {
        let last = path.rsplit('.').next().unwrap();
        assert!(tree.contains(&format!("{last}\t<")), "{path}: {tree}");
    }
    // kubectl breaks lines where it likes.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for path in ["spec", "spec.runtime.replicas.min", "spec.ai.models.id", "spec.paused"] {
        let told = kubectl.does(&format!("explain pb.{path}")).await;
        let (_, expected) = fields.iter().find(|(known, _)| known == path).unwrap();
        assert!(words(&told).contains(&words(expected)), "{expected}: {told}");
    }
    let top = kubectl.does("explain pb").await;
    assert!(words(&top).contains("A platform: its identity, what it sells"), "{top}");
}

/// Every field below, with its description.
fn walk(path: &str, schema: &Value, found: &mut Vec<(String, String)>) {
    found.push((path.to_owned(), schema["description"].as_str().unwrap_or_default().to_owned()));
    let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), field, found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn kubectl_deletes_and_is_told_how_to_bring_it_back() {
    let (house, kubectl) = (House::open(2).await, Kubectl::new());
    let name = house.name("a");
    kubectl.file(&written(&name));
    kubectl.does("apply -f blueprint.yaml").await;
    house.until_made(&name).await;
    // It waits until the platform was stopped.
    let deleted = kubectl.does("delete -f blueprint.yaml --timeout=60s").await;
    assert!(deleted.contains(&format!("\"{name}\" deleted")), "{deleted}");
    let runtime = house.deployments(&name).get("runtime").await.unwrap();
    assert_eq!(runtime.spec.unwrap().replicas, Some(0));
    let events = format!("get events --field-selector involvedObject.name={name} -o wide");
    let asked = async {
        loop {
            let told = kubectl.does(&events).await;
            if told.contains("Stopped") {
                return told;
            }
        }
    };
    let told = tokio::time::timeout(SOON, asked).await.expect("it is told");
    assert!(told.contains("its data is kept until somebody purges it"), "{told}");
    assert!(told.contains("soulfra.io/undelete=true"), "{told}");

    kubectl.does("apply -f blueprint.yaml").await;
    house.until(&name, "refused", |it| said(it, "Ready").1 == "NameKept").await;
    let described = kubectl.does(&format!("describe pb {name}")).await;
    assert!(described.contains("kubectl annotate pb"), "{described}");
    kubectl.does(&format!("annotate pb {name} soulfra.io/undelete=true")).await;
    house.until_made(&name).await;
    assert_eq!(kubectl.does("diff -f blueprint.yaml").await, "");
}
