use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::kind::Kind;

fn id(name: &str) -> ChildId {
    ChildId { kind: Kind::ConfigMap, name: name.into() }
}

fn child(version: Version) -> Child {
    let digest = Digest::of(&Value::Null);
    Child { uid: Uuid::nil(), version, digest, going: false, facts: Facts::None }
}

fn there(name: &str, version: Version) -> News {
    News::Child("a".into(), id(name), child(version))
}

#[test]
fn older_news_changes_nothing() {
    let seen = Seen::default();
    assert!(seen.hear(there("x", 5)));
    assert!(!seen.hear(there("x", 4)));
    assert!(!seen.hear(there("x", 5)), "the same again");
    assert!(!seen.hear(News::NoChild("a".into(), id("x"), 4)));
    assert_eq!(seen.of("a").children[&id("x")].version, 5);
    assert!(seen.hear(News::NoChild("a".into(), id("x"), 6)));
    assert!(seen.names().is_empty(), "nothing is kept of who is not there");
}

#[test]
fn an_answer_that_comes_after_the_removal_brings_nothing_back() {
    let seen = Seen::default();
    seen.hear(there("x", 5));
    seen.hear(News::NoChild("a".into(), id("x"), 7));
    assert!(!seen.hear(there("x", 6)));
    assert!(seen.names().is_empty());
    assert!(seen.hear(there("x", 8)), "made anew");
}

#[test]
fn a_listing_as_of_before_a_removal_does_not_bring_it_back() {
    let seen = Seen::default();
    let listed = Listed::Children(Kind::ConfigMap, None);
    seen.hear(there("x", 5));
    seen.hear(News::NoChild("a".into(), id("x"), 7));
    seen.listing_begins(listed);
    seen.hear(there("x", 5));
    seen.listing_ends(listed);
    assert!(seen.names().is_empty());
}

#[test]
fn what_a_listing_lacks_is_gone_unless_it_was_made_meanwhile() {
    let seen = Seen::default();
    for name in ["kept", "gone"] {
        seen.hear(there(name, 1));
    }
    let listed = Listed::Children(Kind::ConfigMap, None);
    seen.listing_begins(listed);
    seen.hear(there("kept", 1));
    seen.hear(there("made by us", 9));
    assert_eq!(seen.listing_ends(listed), ["a".into()]);
    let names: Vec<_> = seen.of("a").children.into_keys().map(|id| id.name).collect();
    assert_eq!(names, ["kept".into(), "made by us".into()]);
    assert!(seen.listing_ends(listed).is_empty(), "a listing that never began");
}
