//! Blueprints: looked at without a platform, and edited while one runs under load.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::time::timeout;

use crate::chance::Chance;
use crate::door::{Ground, Host};
use crate::visitor::Visitor;

/// Longer than the host's own look now and then.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
const GOOD: &str = "\
apiVersion: soulfra.io/v1alpha1
kind: PlatformBlueprint
metadata:
  name: acme
spec:
  template:
    name: creator
    version: 1.0.0
  identity:
    displayName: Acme
";

#[tokio::test]
async fn check_lists_every_problem_at_once() {
    let ground = Ground::new();
    let file = ground.at("blueprint.yaml");
    std::fs::write(&file, GOOD).unwrap();
    let good = ground.run(&["check", "--json"]).await.expect(0).json();
    assert_eq!((&good["ok"], &good["name"]), (&true.into(), &"acme".into()));

    let bad = GOOD.replace("name: acme", "name: Acme Inc").replace("name: creator", "name: crator")
        + "    tagLine: hello\n    branding: {palette: {primary: reddish}}\n";
    std::fs::write(&file, bad).unwrap();
    let told = ground.run(&["check", "--json"]).await.expect(4);
    let told: Value = serde_json::from_str(told.stdout.lines().next().unwrap()).unwrap();
    let paths: Vec<_> =
        told["problems"].as_array().unwrap().iter().map(|one| one["path"].to_string()).collect();
    for part in ["metadata.name", "template", "tagLine", "primary"] {
        assert!(paths.iter().any(|path| path.contains(part)), "{part} in {told:#}");
    }
    assert!(
        told["problems"].as_array().unwrap().iter().all(|one| one["line"].is_u64()),
        "{told:#}"
    );
    let words = ground.run(&["check"]).await.expect(4);
    assert!(words.stdout.contains("blueprint.yaml:4: metadata.name: "), "{words:#?}");
    assert_eq!(words.stdout.lines().count(), paths.len(), "{words:#?}");
    ground.run(&["check", "nowhere.yaml"]).await.expect(9);
}

#[tokio::test]
async fn what_cannot_be_shown_as_it_is_written_is_told() {
    let ground = Ground::new();
    std::fs::create_dir(ground.at("acme")).unwrap();
    let plain = GOOD.to_owned();
    let pale = |logo: &str| {
        plain.clone()
            + "    branding:\n      logo: "
            + logo
            + "\n      theme: light\n      palette: {primary: '#fde047', accent: '#c2410c'}\n"
    };
    let file = ground.at("acme/blueprint.yaml");
    std::fs::write(&file, pale("brand/gone.svg")).unwrap();
    let told = ground.run(&["check", "acme", "--json"]).await.expect(0).json();
    assert_warned(&told["warnings"], &["palette.primary: its contrast is 1.2:1", "gone.svg"]);
    let words = ground.run(&["check", "acme"]).await.expect(0);
    assert_eq!(words.stdout.matches("warning: spec.identity.branding.").count(), 2, "{words:?}");

    let mut host = ground.start("acme").await;
    let told: Vec<_> = host.told.iter().filter(|event| event["event"] == "warning").collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["name"], "acme");
    edit(&ground, "acme", &pale("brand/photo.webp"));
    let told = timeout(SEEN_WITHIN, host.event("blueprint")).await.unwrap();
    assert_eq!(told["applied"], true, "{told}");
    assert_warned(&told["warnings"], &["palette.primary", ".svg and .png only"]);
    edit(&ground, "acme", &plain);
    let told = timeout(SEEN_WITHIN, host.event("blueprint")).await.unwrap();
    assert!(told.get("warnings").is_none(), "{told}");
}

fn assert_warned(told: &Value, parts: &[&str]) {
    let told: Vec<_> = told.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(told.len(), parts.len(), "{told:?}");
    for (told, part) in told.iter().zip(parts) {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[tokio::test]
async fn render_gives_the_canonical_blueprint() {
    let ground = Ground::new();
    std::fs::create_dir(ground.at("acme")).unwrap();
    std::fs::write(ground.at("acme/blueprint.yaml"), GOOD).unwrap();
    let canonical = blueprint::write(&blueprint::read(GOOD).unwrap());
    let of_folder = ground.run(&["render", "acme"]).await.expect(0).stdout;
    let of_file = ground.run(&["render", "acme/blueprint.yaml"]).await.expect(0).stdout;
    assert_eq!((&of_folder, &of_file), (&canonical, &canonical));
    std::fs::write(ground.at("acme/blueprint.yaml"), &of_folder).unwrap();
    assert_eq!(ground.run(&["render", "acme"]).await.expect(0).stdout, canonical);
    ground.run(&["render"]).await.expect(9);
}

#[tokio::test]
async fn render_crd_gives_the_definition() {
    let ground = Ground::new();
    let definition = ground.run(&["render", "--crd"]).await.expect(0).stdout;
    assert_eq!(definition, blueprint::crd_yaml());
    assert!(definition.contains("kind: CustomResourceDefinition"), "{definition}");
    assert!(definition.contains("name: platformblueprints.soulfra.io"), "{definition}");
}

#[tokio::test]
async fn the_portal_leaves_what_a_person_wrote_and_a_bad_edit_is_told_with_its_line() {
    let ground = Ground::new();
    let mut host = ground.start("acme").await;
    let owner = Visitor::of(host.site());
    let owner = owner.claim(host.ready["adminLink"].as_str().unwrap()).await;
    let text = std::fs::read_to_string(blueprint_of(&ground, "acme")).unwrap();
    let shown = line_with(&text, "displayName: ");
    let text = text.replace(shown, "displayName:   'Acme Nr 1' # for now");
    let text = text.replace("spec:\n", "\n# Ask Ann first.\nspec:\n");
    edit(&ground, "acme", &text);
    let told = timeout(SEEN_WITHIN, host.event("blueprint")).await.unwrap();
    assert_eq!(told["applied"], true, "{told}");

    let form = owner.get("/admin/brand").await.body;
    let base = form.split("name=\"base\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let colours = [("primary", "#0b5394"), ("accent", "#7a3b00"), ("others", "keep")];
    let looks = [("font", "slab"), ("theme", "auto"), ("radius", "large"), ("base", base)];
    let saved = owner.post("/admin/brand", &[&colours[..], &looks[..]].concat()).await.unwrap();
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let after = std::fs::read_to_string(blueprint_of(&ground, "acme")).unwrap();
    let lines: Vec<_> = after.lines().collect();
    let gone: Vec<_> = text.lines().filter(|line| !lines.contains(line)).map(str::trim).collect();
    let of_brand = ["primary: ", "accent: ", "font: ", "theme: ", "radius: "];
    assert!(gone.iter().all(|line| of_brand.iter().any(|key| line.starts_with(key))), "{gone:?}");
    for part in ["#0b5394", "#7a3b00", "font: slab", "'Acme Nr 1' # for now", "# Ask Ann first."] {
        assert!(after.contains(part), "{part} in {after}");
    }

    let bad = after.replace("spec:\n", "spec:\n  plan: gold\n");
    edit(&ground, "acme", &bad);
    let told = timeout(SEEN_WITHIN, host.event("blueprint")).await.unwrap();
    assert_eq!(told["applied"], false, "{told}");
    let line = 1 + bad.lines().position(|line| line == "  plan: gold").unwrap();
    let wanted = format!("blueprint.yaml:{line}: spec.plan: ");
    assert!(told.to_string().contains(&wanted), "{wanted} in {told}");
    edit(&ground, "acme", &after);
    let told = timeout(SEEN_WITHIN, host.event("blueprint")).await.unwrap();
    assert_eq!((&told["applied"], &told["lines"]), (&true.into(), &Value::Array(vec![])), "{told}");
}

/// 100 good and 100 bad edits, spread over the platforms of one host: each edit of one of them
/// waits for the host's look, and those of several are seen at the same time.
#[tokio::test]
async fn edits_under_load_fail_no_request() {
    const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];
    const ROUNDS: usize = 20;
    let mut chance = Chance::new();
    let ground = Ground::new();
    let mut host = ground.start(NAMES[0]).await;
    for name in &NAMES[1..] {
        ground.run(&[name, "--json"]).await.expect(0);
    }
    let visitors = NAMES.map(|name| Visitor::of(&host.site().replace(NAMES[0], name)));
    let load = Load::begin(&visitors);
    let originals = NAMES.map(|name| std::fs::read_to_string(blueprint_of(&ground, name)).unwrap());
    for round in 0..ROUNDS {
        for (name, text) in NAMES.iter().zip(&originals) {
            let shown = line_with(text, "displayName: ");
            edit(&ground, name, &text.replace(shown, &format!("displayName: {name} Nr {round}")));
        }
        let told = outcomes(&mut host).await;
        assert_eq!(told, NAMES.map(|name| (name.to_owned(), true)).into(), "round {round}");
        for (name, text) in NAMES.iter().zip(&originals) {
            edit(&ground, name, &spoiled(text, round, &mut chance));
        }
        let told = outcomes(&mut host).await;
        assert_eq!(told, NAMES.map(|name| (name.to_owned(), false)).into(), "round {round}");
        for (name, visitor) in NAMES.iter().zip(&visitors) {
            let page = visitor.get("/").await.body;
            assert!(page.contains(&format!("{name} Nr {round}")), "the last good one serves");
        }
    }
    let (served, failed) = load.end().await;
    let edits = ROUNDS * NAMES.len();
    println!(
        "counted: {edits} good and {edits} bad edits, {served} requests served and {failed} failed"
    );
    assert_eq!(failed, 0);
    assert!(served > ROUNDS, "there was load");
    // Each edit was told once: no more events come by themselves.
    let more = timeout(Duration::from_millis(2_500), host.event("blueprint")).await;
    assert!(more.is_err(), "told again: {more:?}");
}

/// What became of one edit of each platform. Sorted like the platforms' names are found.
async fn outcomes(host: &mut Host) -> std::collections::BTreeMap<String, bool> {
    let mut told = std::collections::BTreeMap::new();
    while told.len() < 5 {
        let event = timeout(SEEN_WITHIN, host.event("blueprint")).await;
        let event = event.unwrap_or_else(|_| panic!("only {told:?} were seen"));
        let name = event["name"].as_str().unwrap().to_owned();
        let applied = event["applied"].as_bool().unwrap();
        assert_eq!(told.insert(name, applied), None, "told twice: {event}");
    }
    told
}

/// One of the ways in which edits go wrong.
fn spoiled(text: &str, round: usize, chance: &mut Chance) -> String {
    let name = line_with(text, "name: ");
    let shown = line_with(text, "displayName: ");
    match chance.below(5) {
        0 => text.replace(shown, &format!("displayName: [{round}")),
        1 => text.replace(shown, &format!("displayName: {round}")),
        2 => text.replace(name, &format!("name: other-{round}")),
        3 => format!("{text}  surprise: {round}\n"),
        _ => String::new(),
    }
}

/// The first line with this in it, from there on.
fn line_with<'a>(text: &'a str, part: &str) -> &'a str {
    let line = text.lines().find(|line| line.contains(part)).unwrap();
    &line[line.find(part).unwrap()..]
}

/// Writes the blueprint as editors do: whole, in place of the old one.
fn edit(ground: &Ground, name: &str, text: &str) {
    let new = ground.at(name).join("blueprint.yaml~");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, blueprint_of(ground, name)).unwrap();
}

fn blueprint_of(ground: &Ground, name: &str) -> std::path::PathBuf {
    ground.at(name).join(Path::new("blueprint.yaml"))
}

/// People who look at pages all the time.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    people: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn begin(visitors: &[Visitor]) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            served: Arc::default(),
            failed: Arc::default(),
            people: Vec::new(),
        };
        for visitor in visitors {
            let visitor = visitor.clone();
            let (stop, served, failed) =
                (Arc::clone(&load.stop), Arc::clone(&load.served), Arc::clone(&load.failed));
            load.people.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let page = visitor.try_get("/").await;
                    let fine = page.is_ok_and(|page| page.status == StatusCode::OK);
                    if fine { &served } else { &failed }.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }));
        }
        load
    }

    /// How many requests were served, and how many failed.
    async fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for person in self.people {
            person.await.unwrap();
        }
        (self.served.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}
