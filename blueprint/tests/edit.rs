//! A change of the portal in a file that a person wrote.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use blueprint::spec::{Font, Palette, Radius, Shades, Theme};
use blueprint::{PlatformBlueprint, changes, edit, read, write};
use proptest::prelude::*;

const SMALL: &str = include_str!("../fixtures/small.yaml");
const FULL: &str = include_str!("../fixtures/full.yaml");
const BY_HAND: &str = "\
# yaml-language-server: $schema=.soulfra/blueprint.schema.json

# Ours. Ask Ann before you change the plan.
kind: PlatformBlueprint
apiVersion: soulfra.io/v1alpha1
metadata: {name: harbour}   # never changes
spec:
    plan: 'business'
    identity:

        displayName:   \"Harbour\"  # for now
        branding:
            theme: auto  # as people like
            palette:
                # From the poster.
                accent: '#7a3b00'
                primary: \"#0b5394\" # blue
    # One is enough.
    domains:
        - chat.harbour.example # the old one
";

fn changed(text: &str, change: impl FnOnce(&mut PlatformBlueprint)) -> (PlatformBlueprint, String) {
    let mut wanted = read(text).unwrap();
    change(&mut wanted);
    let edited = edit(text, &wanted).unwrap_or_else(|| panic!("cannot be edited:\n{text}"));
    assert_eq!(write(&read(&edited).unwrap()), write(&wanted), "{edited}");
    (wanted, edited)
}

fn palette(blueprint: &mut PlatformBlueprint) -> &mut Palette {
    blueprint.spec.identity.branding.palette.as_mut().unwrap()
}

#[test]
fn nothing_changed_changes_no_byte() {
    for text in [SMALL, FULL, BY_HAND] {
        assert_eq!(edit(text, &read(text).unwrap()).as_deref(), Some(text));
    }
}

#[test]
fn only_the_fields_that_changed_are_written() {
    let (_, edited) = changed(BY_HAND, |blueprint| {
        palette(blueprint).primary = "#000080".parse().unwrap();
        palette(blueprint).accent = "#123456".parse().unwrap();
        blueprint.spec.identity.branding.theme = Theme::Dark;
        blueprint.spec.identity.branding.font = Font::Slab;
        blueprint.spec.plan = None;
        blueprint.spec.identity.display_name = "Harbour: \"new\"".to_owned();
    });
    let wanted = BY_HAND
        .replace("#0b5394", "#000080")
        .replace("#7a3b00", "#123456")
        .replace("theme: auto", "theme: dark")
        .replace("\"Harbour\"", "\"Harbour: \\\"new\\\"\"")
        .replace("    plan: 'business'\n", "")
        .replace("# blue\n", "# blue\n            font: slab\n");
    assert_eq!(edited, wanted);
}

#[test]
fn groups_come_and_go() {
    let dark = Shades { text: Some("#eaf3ec".parse().unwrap()), ..Shades::default() };
    let (_, edited) = changed(BY_HAND, |blueprint| palette(blueprint).dark = Some(dark));
    let with = "# blue\n                dark:\n                  text: \"#eaf3ec\"\n";
    assert_eq!(edited, BY_HAND.replace("# blue\n", with));
    let (_, back) = changed(&edited, |blueprint| palette(blueprint).dark = None);
    assert_eq!(back, BY_HAND);

    let (_, edited) = changed(SMALL, |blueprint| {
        let [primary, accent] = ["#0b5394", "#7a3b00"].map(|colour| colour.parse().unwrap());
        let (background, surface, text, dark) = (None, None, None, None);
        blueprint.spec.identity.branding.palette =
            Some(Palette { primary, accent, background, surface, text, dark });
    });
    let lines: Vec<_> = edited.lines().collect();
    assert!(SMALL.lines().all(|line| lines.contains(&line)), "{edited}");
    let (_, back) = changed(&edited, |blueprint| blueprint.spec.identity.branding.palette = None);
    assert_eq!(back, SMALL);
}

#[test]
fn an_entry_of_a_list_is_changed_where_it_stands() {
    let text = FULL.replace("      name: Premium\n", "      name: Premium # or gold?\n");
    assert_ne!(text, FULL);
    let (_, edited) = changed(&text, |blueprint| {
        blueprint.spec.monetization.tiers[1].name = "Gold".to_owned();
    });
    assert_eq!(edited, text.replace("Premium #", "Gold #"));
}

#[test]
fn other_ways_to_write_are_kept_too() {
    let flow = "{apiVersion: soulfra.io/v1alpha1, kind: PlatformBlueprint, metadata: {name: a},\n \
                # why\n spec: {identity: {displayName: 'A',\n branding: {font: mono}}}}\n";
    let slab = |blueprint: &mut PlatformBlueprint| {
        blueprint.spec.identity.branding.font = Font::Slab;
        blueprint.spec.identity.branding.radius = Radius::Large;
    };
    let (_, edited) = changed(flow, slab);
    assert!(edited.starts_with(&flow[..100]) && edited.contains("# why\n"), "{edited}");

    let crlf = BY_HAND.replace('\n', "\r\n");
    let (_, edited) = changed(&crlf, slab);
    assert_eq!(edited.matches("\r\n").count(), edited.matches('\n').count(), "{edited}");
    assert!(edited.contains("# From the poster.\r\n"), "{edited}");

    let json = serde_json::to_string_pretty(&read(FULL).unwrap()).unwrap();
    let (_, edited) = changed(&json, |blueprint| {
        slab(blueprint);
        palette(blueprint).dark = None;
        palette(blueprint).primary = "#000080".parse().unwrap();
        blueprint.spec.identity.tagline = Some("Say \"a\"".to_owned());
    });
    assert!(serde_json::from_str::<serde_json::Value>(&edited).is_ok(), "{edited}");
}

#[test]
fn what_an_alias_shares_is_not_changed_behind_its_back() {
    let text = SMALL.replace("displayName: Harbour", "displayName: &it Harbour\n    tagline: *it");
    let mut wanted = read(&text).unwrap();
    wanted.spec.identity.display_name = "Quay".to_owned();
    if let Some(edited) = edit(&text, &wanted) {
        assert_eq!(write(&read(&edited).unwrap()), write(&wanted), "{edited}");
    }
    assert_eq!(edit("nothing: [", &wanted), None);
}

/// What one save of the brand page may change, and more.
#[derive(Clone, Debug)]
enum Step {
    Primary(String),
    Accent(String),
    Background(Option<String>),
    DarkText(Option<String>),
    NoDark,
    Font(u8),
    Theme(u8),
    Radius(u8),
    Name(String),
    Tagline(Option<String>),
    TierName(String),
}

fn step() -> impl Strategy<Value = Step> {
    let colour = || "#[0-9a-f]{6}";
    prop_oneof![
        colour().prop_map(Step::Primary),
        colour().prop_map(Step::Accent),
        proptest::option::of(colour()).prop_map(Step::Background),
        proptest::option::of(colour()).prop_map(Step::DarkText),
        Just(Step::NoDark),
        (0..4_u8).prop_map(Step::Font),
        (0..3_u8).prop_map(Step::Theme),
        (0..4_u8).prop_map(Step::Radius),
        "[ -~äß字]{1,20}".prop_map(Step::Name),
        proptest::option::of("[ -~äß字]{1,20}").prop_map(Step::Tagline),
        "[ -~]{1,20}".prop_map(Step::TierName),
    ]
}

fn take(blueprint: &mut PlatformBlueprint, step: &Step) {
    let colour = |text: &String| text.parse().unwrap();
    let branding = &mut blueprint.spec.identity.branding;
    match step {
        Step::Primary(text) => palette(blueprint).primary = colour(text),
        Step::Accent(text) => palette(blueprint).accent = colour(text),
        Step::Background(text) => palette(blueprint).background = text.as_ref().map(colour),
        Step::DarkText(text) => {
            if let Some(dark) = &mut palette(blueprint).dark {
                dark.text = text.as_ref().map(colour);
            }
        }
        Step::NoDark => palette(blueprint).dark = None,
        Step::Font(font) => {
            let fonts = [Font::System, Font::Slab, Font::OldStyle, Font::Mono];
            branding.font = fonts[usize::from(*font)];
        }
        Step::Theme(theme) => {
            branding.theme = [Theme::Auto, Theme::Light, Theme::Dark][usize::from(*theme)];
        }
        Step::Radius(radius) => {
            let radii = [Radius::None, Radius::Small, Radius::Medium, Radius::Large];
            branding.radius = radii[usize::from(*radius)];
        }
        Step::Name(name) => blueprint.spec.identity.display_name.clone_from(name),
        Step::Tagline(tagline) => blueprint.spec.identity.tagline.clone_from(tagline),
        Step::TierName(name) => blueprint.spec.monetization.tiers[1].name.clone_from(name),
    }
}

/// The full fixture as a person might have it: with comments and blank lines anywhere.
fn by_a_person(words: &[(u8, String)]) -> String {
    let mut text = String::new();
    for (line, (kind, word)) in FULL.lines().zip(words.iter().cycle()) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let before = match kind {
            0 => format!("{indent}# {word}\n"),
            1 => format!("# {word}\n"),
            2 => "\n".to_owned(),
            _ => String::new(),
        };
        let after = if *kind == 3 { "  # why: 'so" } else { "" };
        text.extend([before.as_str(), line, after, "\n"]);
    }
    text
}

/// The lines of `old` that may go: those of the fields named, and what stands inside of them.
fn rest(old: &str, named: &[&str]) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut gone = None;
    let mut rest = Vec::new();
    for line in old.lines() {
        let key = line.trim_start().trim_start_matches("- ").split(':').next().unwrap_or_default();
        let is_field = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        if gone.is_some_and(|group| is_field && indent(line) <= group) {
            gone = None;
        }
        if gone.is_none() && is_field && named.contains(&key) {
            gone = Some(indent(line));
        }
        if gone.is_none() {
            rest.push(line.to_owned());
        }
    }
    rest
}

/// Whether all of `lines` are in `text`, in order.
fn holds(text: &str, lines: &[String]) -> Result<(), String> {
    let mut ahead = text.lines();
    match lines.iter().find(|line| !ahead.any(|other| other == line.as_str())) {
        Some(lost) => Err(format!("lost {lost:?} in\n{text}")),
        None => Ok(()),
    }
}

proptest! {
    #[test]
    fn an_edit_says_what_was_wanted_and_leaves_every_other_line(
        words in proptest::collection::vec((0..6_u8, "[a-z{}\\[\\]:'\"#&*!|>%@` -]{0,12}"), 1..40),
        steps in proptest::collection::vec(step(), 1..4),
    ) {
        let text = by_a_person(&words);
        let old = read(&text).unwrap();
        let mut wanted = old.clone();
        for step in &steps {
            take(&mut wanted, step);
        }
        prop_assume!(blueprint::check(&wanted).is_empty());
        let edited = edit(&text, &wanted);
        prop_assert!(edited.is_some(), "cannot be edited: {:?}\n{}", steps, text);
        let edited = edited.unwrap();
        prop_assert_eq!(write(&read(&edited).unwrap()), write(&wanted));
        let changes = changes(&old, &wanted);
        let named: Vec<_> = changes.iter().filter_map(|change| change.path.rsplit('.').next()).collect();
        prop_assert_eq!(holds(&edited, &rest(&text, &named)), Ok(()), "{:?}\n{}", changes, text);
    }
}
