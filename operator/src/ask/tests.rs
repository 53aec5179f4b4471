//! Questions and answers, as people read them.

use std::path::PathBuf;

use super::*;

const INSTALLATION: &str = include_str!("../../../plan/fixtures/installation.json");
const SMALL: &str = include_str!("../../../blueprint/fixtures/small.yaml");
const FULL: &str = include_str!("../../../blueprint/fixtures/full.yaml");

/// Files of one test.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// What is known where these are the blueprints.
    fn knows(&self, blueprints: &[&str]) -> Known {
        let file = |(at, text): (usize, &&str)| self.file(&format!("known-{at}.yaml"), text);
        let files: Vec<_> = blueprints.iter().enumerate().map(file).collect();
        let installation = serde_json::from_str(INSTALLATION).unwrap();
        Known::of_files(&files, installation).unwrap()
    }

    fn preview(&self, known: &Known, texts: &[&str]) -> Result<String, String> {
        let file = |(at, text): (usize, &&str)| self.file(&format!("next-{at}.yaml"), text);
        let files: Vec<_> = texts.iter().enumerate().map(file).collect();
        let folder = format!("{}/", self.0.path().display());
        known.preview(&files).map_err(|why| why.to_string().replace(&folder, ""))
    }
}

fn golden(name: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if expected != text {
        let came = file.with_extension("new");
        std::fs::write(&came, text).unwrap();
        panic!("{} is not what came out; if it should be: mv {}", file.display(), came.display());
    }
}

#[test]
fn a_value_is_explained_by_what_made_it() {
    let known = Desk::new().knows(&[SMALL, FULL]);
    let mut told = String::new();
    for (platform, object, field) in [
        ("harbour", "deployment/runtime", "spec.replicas"),
        ("harbour", "Deployment/runtime", ".spec.template.spec.containers[0].resources"),
        ("harbour", "resourcequotas/platform", "spec.hard"),
        ("harbour", "configmaps/blueprint", "data['limits.json']"),
        ("lighthouse", "deployment/inference", "spec.template.spec.nodeSelector"),
    ] {
        let answer = known.explain(platform, object, field);
        told += &answer.unwrap_or_else(|why| format!("{why}\n"));
        told.push('\n');
    }
    golden("explain.txt", &told);
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let known = Desk::new().knows(&[SMALL]);
    let why =
        |platform, object, field| known.explain(platform, object, field).unwrap_err().to_string();
    assert_eq!(
        why("elsewhere", "deployment/runtime", ""),
        "there is no platform elsewhere; the first of those there are: harbour"
    );
    let told = why("harbour", "deployment/inference", "");
    assert!(told.contains("it has: namespace/tenant-harbour, "), "{told}");
    let told = why("harbour", "service/runtime", "status");
    assert!(told.ends_with("ours are below: apiVersion, kind, metadata, spec"), "{told}");
}

#[test]
fn a_change_is_told_before_it_is_made() {
    let desk = Desk::new();
    let known = desk.knows(&[SMALL]);
    let edited = format!(
        "{SMALL}  runtime: {{replicas: {{min: 2}}}}\n  governance: {{dataRetentionDays: 90}}\n"
    );
    let more = edited.replace("name: harbour", "name: haven");
    golden("preview.txt", &desk.preview(&known, &[&edited, SMALL, &more]).unwrap());
}

#[test]
fn all_that_would_be_refused_is_told_with_file_line_and_path() {
    let desk = Desk::new();
    let known = desk.knows(&[]);
    let wrong = format!("{SMALL}  runtime: {{replicas: {{min: 0}}}}\n");
    let nowhere = format!("{SMALL}  governance: {{dataResidency: moon}}\n");
    let why = desk.preview(&known, &[&wrong, &nowhere]).unwrap_err();
    let lines: Vec<_> = why.lines().collect();
    assert!(lines[0].starts_with("next-0.yaml:8: spec.runtime.replicas.min: "), "{why}");
    assert!(
        lines[1].starts_with("harbour would be refused: spec.governance.dataResidency: "),
        "{why}"
    );
}

#[test]
fn a_new_image_is_previewed_for_the_whole_fleet() {
    let pinned = SMALL.replace("name: harbour", "name: pinned") + "  runtime: {version: 1.4.0}\n";
    let nowhere =
        SMALL.replace("name: harbour", "name: nowhere") + "  governance: {dataResidency: moon}\n";
    let other = SMALL.replace("name: harbour", "name: haven");
    let known = Desk::new().knows(&[SMALL, &other, &pinned, &nowhere]);
    let newer = known.preview_under("registry.example/soulfra/tenant-runtime:1.5.0").unwrap();
    let older = known.preview_under("1.3.0").unwrap();
    golden("preview-fleet.txt", &format!("{newer}\n{older}"));
    let why = known.preview_under("registry.example:5000/runtime").err().unwrap().to_string();
    assert!(why.contains("names no version such as 1.5.0"), "{why}");
}

#[test]
fn a_list_with_status_as_kubectl_prints_it_is_taken() {
    let mut one: serde_json::Value = serde_saphyr::from_str(SMALL).unwrap();
    one["metadata"]["uid"] = serde_json::json!("3f1c9b1e-8c44-4f2e-9a35-0d6c6c1f5a77");
    one["status"] = serde_json::json!({
        "database": {"placement": "shared", "server": "db-eu-2", "name": "t_harbour"},
    });
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [one]});
    let known = Desk::new().knows(&[&format!("{list:#}")]);
    let told = known.explain("harbour", "networkpolicies/allow-database", "spec.egress").unwrap();
    assert!(told.contains("10.1.0.6/32"), "{told}");
    assert!(told.contains("what was there before: status.database.server"), "{told}");
}

/// The example of the operations guide is what comes out.
#[test]
fn the_guide_shows_a_true_example() {
    let guide = include_str!("../../../docs/operations.md");
    let known = Desk::new().knows(&[SMALL]);
    let told = known.explain("harbour", "deployment/runtime", "spec.replicas").unwrap();
    assert!(guide.contains(&told), "{told}");
}

#[test]
fn the_command_line_is_understood() {
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(subcommand)]
        ask: Ask,
    }
    let parse = |words: &str| <Line as clap::Parser>::try_parse_from(words.split(' '));
    for good in [
        "x explain harbour deployment/runtime",
        "x explain --from a.yaml --from b.yaml harbour deployment/runtime spec.replicas",
        "x preview a.yaml b.yaml",
        "x preview --fleet --image 1.5.0",
    ] {
        assert!(parse(good).is_ok(), "{good}: {:?}", parse(good));
    }
    for bad in ["x preview", "x preview --fleet", "x preview --fleet --image 1.5.0 a.yaml"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
