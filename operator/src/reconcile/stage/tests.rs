use blueprint::PlatformBlueprint;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::kind::Kind;
use crate::seen::{Child, ChildId, Digest, Facts, Unreadable};

const OURS: Uuid = Uuid::from_u128(1);
const EARLIER: Uuid = Uuid::from_u128(2);

fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn stone(of: Uuid) -> Tombstone {
    Tombstone {
        of: Some(of),
        at: now(),
        purge_after: now(),
        by_itself: false,
        server: None,
        purging: false,
    }
}

/// The blueprint with this note, as far as a stage looks at it.
fn blueprint(notes: &[(&str, &str)]) -> PlatformBlueprint {
    let mut blueprint: PlatformBlueprint =
        blueprint::read(include_str!("../../../../blueprint/fixtures/small.yaml")).unwrap();
    let notes = notes.iter().map(|(name, note)| ((*name).to_owned(), (*note).to_owned()));
    blueprint.metadata.annotations = Some(notes.collect());
    blueprint.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    blueprint
}

fn with(blueprint: PlatformBlueprint) -> Arc<Resource> {
    Arc::new(Resource { uid: OURS, version: 1, blueprint: Ok(blueprint) })
}

fn unreadable() -> Arc<Resource> {
    let metadata = blueprint(&[]).metadata;
    let unreadable = Unreadable { why: "spec.new".to_owned(), metadata, status: None };
    Arc::new(Resource { uid: OURS, version: 1, blueprint: Err(Box::new(unreadable)) })
}

fn in_stage(resource: impl Into<Option<Arc<Resource>>>, home: Home) -> Stage {
    let id = ChildId { kind: Kind::Namespace, name: "tenant-a".into() };
    let facts = Facts::Home(Box::new(home));
    let digest = Digest::of(&json!({}));
    let child = Child { uid: Uuid::from_u128(3), version: 1, digest, going: false, facts };
    let resource = resource.into();
    of(&Tenant { resource, children: [(id, child)].into() }, "a", now())
}

fn owned_by(owner: Uuid) -> Home {
    Home { owner: Some(owner), ..Home::default() }
}

fn kept(stone: Tombstone) -> Home {
    Home { deleted: Some(stone), ..owned_by(EARLIER) }
}

#[test]
fn an_earlier_platform_ends_also_under_a_blueprint_that_cannot_be_read() {
    assert!(matches!(in_stage(unreadable(), owned_by(EARLIER)), Stage::Delete(None)));
    let kept = in_stage(unreadable(), kept(stone(EARLIER)));
    assert!(matches!(kept, Stage::Refuse(_, "Unreadable", ..)), "{kept:?}");
}

#[test]
fn a_write_for_an_earlier_blueprint_that_came_late_takes_nothing_from_this_one() {
    let mut blueprint = blueprint(&[]);
    assert!(matches!(in_stage(with(blueprint.clone()), owned_by(EARLIER)), Stage::Delete(None)));
    let status = blueprint.status.get_or_insert_default();
    status.database = Some(blueprint::status::DatabaseStatus {
        placement: blueprint::spec::Placement::Shared,
        server: "db-1".to_owned(),
        name: "t_a".to_owned(),
        schema_version: None,
        passwords: None,
    });
    assert!(matches!(in_stage(with(blueprint), owned_by(EARLIER)), Stage::Build));
}

#[test]
fn a_platform_that_was_on_its_way_back_is_kept_anew_when_its_blueprint_goes() {
    let mut over = stone(EARLIER);
    over.by_itself = true;
    let home = Home { deleted: Some(over), purge: Some("a".to_owned()), ..owned_by(OURS) };
    assert!(matches!(in_stage(None, home), Stage::Delete(None)));
}

#[test]
fn a_typed_name_and_the_end_of_its_time_count_also_under_a_new_blueprint() {
    let typed = Home { purge: Some("a".to_owned()), ..kept(stone(EARLIER)) };
    let over = Tombstone { by_itself: true, ..stone(EARLIER) };
    for home in [typed, kept(over)] {
        assert!(matches!(in_stage(with(blueprint(&[])), home.clone()), Stage::Purge(_)));
        let wanted = with(blueprint(&[(UNDELETE, "true")]));
        assert!(matches!(in_stage(wanted, home), Stage::Undelete(_)), "whoever wants it back wins");
    }
    let kept = in_stage(with(blueprint(&[])), kept(stone(EARLIER)));
    assert!(matches!(kept, Stage::Refuse(_, "NameKept", ..)), "{kept:?}");
}

#[test]
fn nothing_brings_back_what_is_going() {
    let home = kept(Tombstone { purging: true, ..stone(EARLIER) });
    let wanted = with(blueprint(&[(UNDELETE, "true")]));
    assert!(matches!(in_stage(wanted, home), Stage::Purge(_)));
}

#[test]
fn a_deleted_platform_comes_back_to_its_organization_alone() {
    let of = |organization: Option<&str>| {
        let mut blueprint = blueprint(&[(UNDELETE, "true")]);
        blueprint.status.get_or_insert_default().account =
            organization.map(|name| blueprint::status::Account {
                organization: name.parse().unwrap(),
                plan: blueprint::PlanName::Business,
                entitlements: blueprint::PlanName::Business.entitlements(),
                staff: blueprint::status::Staff::default(),
            });
        with(blueprint)
    };
    let theirs = Home { organization: Some("acme".into()), ..kept(stone(EARLIER)) };
    assert!(matches!(in_stage(of(Some("acme")), theirs.clone()), Stage::Undelete(_)));
    for other in [Some("other"), None] {
        let refused = in_stage(of(other), theirs.clone());
        let Stage::Refuse(_, "NameKept", why, _) = refused else {
            panic!("{other:?}: {refused:?}")
        };
        assert!(!why.contains("acme"), "who had it is nobody else's business: {why}");
    }
    let nobodys = kept(stone(EARLIER));
    assert!(matches!(in_stage(of(Some("other")), nobodys), Stage::Undelete(_)));
    // The wish of who may not have it does not keep it either.
    let over = Tombstone { by_itself: true, ..stone(EARLIER) };
    let over = Home { organization: Some("acme".into()), ..kept(over) };
    assert!(matches!(in_stage(of(Some("other")), over), Stage::Purge(_)));
    // Half-way back, it is this one's.
    let half = Home { owner: Some(OURS), ..theirs };
    assert!(matches!(in_stage(of(None), half), Stage::Undelete(_)));
}

#[test]
fn who_waits_for_a_name_asks_again_when_it_becomes_free() {
    let soon = Duration::from_mins(20);
    let purge_after = now() + soon;
    let stone = Tombstone { by_itself: true, purge_after, ..stone(EARLIER) };
    for resource in [with(blueprint(&[])), unreadable()] {
        let waits = in_stage(resource, kept(stone.clone()));
        assert!(matches!(waits, Stage::Refuse(.., Some(after)) if after == soon), "{waits:?}");
    }
}

#[test]
fn a_purge_that_has_begun_goes_on_whoever_the_namespace_belongs_to_by_now() {
    let stone = Tombstone { purging: true, ..stone(OURS) };
    let going = in_stage(None, kept(stone));
    assert!(matches!(going, Stage::Purge(_)), "{going:?}");
}
