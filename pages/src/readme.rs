//! Holds `README.md` to what is there: its templates build, its list of parts is complete.

use crate::Engine;

const README: &str = include_str!("../README.md");

#[test]
fn every_template_in_the_readme_builds_and_names_parts_that_there_are() {
    let engine = Engine::new(&[]).unwrap();
    let blocks: Vec<_> =
        README.split("```hbs\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5);
    for block in blocks {
        Engine::new(&[("page", block)]).unwrap();
        for call in block.split("> ").skip(1).zip(block.split("> ")) {
            let (after, before) = call;
            if before.ends_with("{{") || before.ends_with("{{#") {
                let name = after.split([' ', '}']).next().unwrap();
                assert!(engine.names().contains(&name), "there is no part {name}");
            }
        }
    }
}

#[test]
fn every_part_is_listed_in_the_readme() {
    for name in Engine::new(&[]).unwrap().names() {
        assert!(README.contains(&format!("`{name}`")), "{name} is not listed");
    }
}

#[test]
fn every_class_in_the_readme_and_in_the_parts_is_in_the_style_sheet() {
    let css = include_str!("../assets/base.css");
    let parts = include_dir::include_dir!("$CARGO_MANIFEST_DIR/parts");
    let texts = parts.files().map(|file| file.contents_utf8().unwrap()).chain([README]);
    // These have the plain look, or the look of what they stand in.
    let plain = [
        "page--admin",
        "checklist",
        "composer",
        "sidenav",
        "menu__name",
        "body--card",
        "body--chat",
    ];
    for text in texts.map(without_expressions) {
        for value in text.split("class=\"").skip(1) {
            for class in value.split('"').next().unwrap().split_whitespace() {
                let class = class.trim_end_matches('|');
                let known = css.contains(&format!(".{class}")) || plain.contains(&class);
                assert!(known || class.ends_with("--"), "{class} is not in the style sheet");
            }
        }
    }
}

/// With a bar in the place of each `{{ }}`.
fn without_expressions(text: &str) -> String {
    let mut pieces = text.split("{{");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        text + "|" + piece.split_once("}}").map_or("", |(_, after)| after)
    })
}
