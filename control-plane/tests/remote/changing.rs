//! Platforms, made, changed and deleted from afar.

use blueprint::status::{DomainState, DomainStatus};
use blueprint::{BlueprintStatus, PlanName};
use remote::{Applied, Error, Kind, Overruled, State};
use serde_json::json;
use sqlx::PgPool;

use crate::browser::Browser;
use crate::rig::written;
use crate::served::Afar;

#[sqlx::test(migrations = false)]
async fn a_good_key_says_whose_it_is_and_a_bad_one_is_told(db: PgPool) {
    let afar = Afar::new(db, PlanName::Business).await;
    let organization = remote::organization(&afar.client).await.unwrap();
    assert_eq!((organization.slug.as_str(), organization.plan), ("acme", PlanName::Business));
    for key in ["soulfra_wrong", &afar.key[..afar.key.len() - 1]] {
        let error = remote::organization(&afar.served.client(key)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Key, "{error}");
        assert!(error.hint().contains("login"), "{}", error.hint());
        assert!(!error.to_string().contains(key), "{error}");
    }
    // One that may not change anything says what it lacks.
    let acme = afar.rig.caller(Some(&afar.key));
    let scopes = ["organization:read", "platforms:read"];
    let key = acme.post("/v1/keys", &json!({"name": "reads", "scopes": scopes})).await.body;
    let reads = afar.served.client(key["secret"].as_str().unwrap());
    let wanted = blueprint::read(&written("harbour", "One")).unwrap();
    let name = wanted.platform_name().unwrap();
    let difference = remote::Difference::between(&reads, name, wanted.spec).await.unwrap();
    let error = difference.apply(&reads, 1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Key, "{error}");
    assert!(error.to_string().contains("platforms:write"), "{error}");
}

#[sqlx::test(migrations = false)]
async fn what_differs_is_what_is_done_and_a_second_time_does_nothing(db: PgPool) {
    let afar = Afar::new(db, PlanName::Business).await;
    let first = format!("{}  plan: starter\n", written("harbour", "One"));
    let new = afar.difference(&first).await.unwrap();
    assert_eq!((new.state(), new.changes().len()), (State::New, 0));
    let (wished, paid) = (PlanName::Starter, PlanName::Business);
    assert_eq!(new.overruled(), Some(Overruled { wished, paid }));
    assert!(matches!(afar.apply_text(&first).await.unwrap(), Applied::Created(_)));
    assert!(matches!(afar.apply_text(&first).await.unwrap(), Applied::Unchanged(_)));

    let second = format!("{}  domains: [harbour.example]\n", written("harbour", "Two"));
    let before = afar.rig.cluster.of("harbour").unwrap();
    let difference = afar.difference(&second).await.unwrap();
    let lines: Vec<_> = difference.lines().iter().map(ToString::to_string).collect();
    let wanted = [
        "spec.domains: added [\"harbour.example\"]",
        "spec.identity.displayName: \"One\" -> \"Two\"",
    ];
    assert_eq!(lines, wanted);
    let preview = difference.preview(&afar.client).await.unwrap();
    let lines: Vec<_> = preview.lines().iter().map(ToString::to_string).collect();
    assert!(lines[0].starts_with("2 fields change."), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("999.00 USD a month")), "{lines:?}");
    assert_eq!(afar.rig.cluster.of("harbour").unwrap(), before, "looking changed nothing");
    let told = difference.changes().to_vec();
    let Applied::Changed(_, done) = difference.apply(&afar.client, 7).await.unwrap() else {
        panic!("it differs");
    };
    assert_eq!(done, told);
    let after = afar.rig.cluster.of("harbour").unwrap();
    let (before, after) = [&before, &after].map(bare).into();
    assert_eq!(blueprint::changes(&before, &after), told);
    let same = afar.difference(&second).await.unwrap();
    assert_eq!((same.state(), same.changes().len()), (State::Same, 0));
    assert!(matches!(afar.apply_text(&second).await.unwrap(), Applied::Unchanged(_)));
    let waits = DomainStatus {
        name: "harbour.example".to_owned(),
        state: DomainState::WaitingForRecord,
        record: None,
        found: vec!["192.0.2.1".to_owned()],
        expires_at: None,
    };
    let status = BlueprintStatus { domains: vec![waits], ..BlueprintStatus::default() };
    afar.rig.cluster.seen_as("harbour", status);
    let listed = remote::list(&afar.client).await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "harbour"));
    let [domain] = &listed[0].domains[..] else { panic!("one domain") };
    assert_eq!(
        (domain.name.as_str(), domain.state.as_str(), domain.found[0].as_str()),
        ("harbour.example", "WaitingForRecord", "192.0.2.1")
    );
}

/// What a person writes of it.
fn bare(there: &blueprint::PlatformBlueprint) -> blueprint::PlatformBlueprint {
    let name = there.metadata.name.as_deref().unwrap();
    blueprint::PlatformBlueprint::new(name, there.spec.clone())
}

#[sqlx::test(migrations = false)]
async fn who_looked_before_somebody_else_changed_it_overwrites_nothing(db: PgPool) {
    let afar = Afar::new(db, PlanName::Starter).await;
    afar.apply("harbour", "One").await.unwrap();
    let late = afar.difference(&written("harbour", "Late")).await.unwrap();
    afar.apply("harbour", "Two").await.unwrap();
    let error = late.apply(&afar.client, 7).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert!(error.to_string().contains("changed meanwhile"), "{error}");
    assert!(error.hint().contains("diff"), "{}", error.hint());
    let there = afar.rig.cluster.of("harbour").unwrap();
    assert_eq!(there.spec.identity.display_name, "Two");
    // A command that makes platforms changes none.
    let other = afar.difference(&written("harbour", "Other")).await.unwrap();
    let error = other.create(&afar.client, 8).await.unwrap_err();
    assert!(matches!(error, Error::IsOther(_)), "{error}");
    let again = afar.difference(&written("harbour", "Two")).await.unwrap();
    assert_eq!(again.create(&afar.client, 9).await.unwrap().name.as_str(), "harbour");
}

#[sqlx::test(migrations = false)]
async fn only_what_is_named_is_deleted_and_it_comes_back(db: PgPool) {
    let afar = Afar::new(db, PlanName::Starter).await;
    afar.apply("harbour", "One").await.unwrap();
    let name = "harbour".parse().unwrap();
    for typed in ["", "harbor", "Harbour"] {
        let error = remote::delete(&afar.client, &name, typed).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Declined, "{typed}");
    }
    assert!(afar.rig.cluster.of("harbour").is_some());
    let deleted = remote::delete(&afar.client, &name, "harbour").await.unwrap();
    assert!(deleted.is_deleted(), "{deleted:?}");
    assert!(afar.rig.cluster.of("harbour").is_none());
    // Whoever sends it again is told the same.
    assert!(remote::delete(&afar.client, &name, "harbour").await.unwrap().is_deleted());
    let error = afar.apply("harbour", "One").await.unwrap_err();
    assert!(matches!(error, Error::IsDeleted(_)), "{error}");
    assert!(error.hint().contains("undelete harbour"), "{}", error.hint());
    remote::undelete(&afar.client, &name).await.unwrap();
    assert!(matches!(afar.apply("harbour", "One").await.unwrap(), Applied::Unchanged(_)));
    let nobody = "nobody".parse().unwrap();
    let error = remote::find(&afar.client, &nobody).await.unwrap_err();
    assert!(matches!(error, Error::NoPlatform(_)), "{error}");
}

#[sqlx::test(migrations = false)]
async fn whichever_way_a_blueprint_takes_its_spec_is_the_same(db: PgPool) {
    let afar = Afar::new(db, PlanName::Business).await;
    let text = |name: &str| {
        let spec = "  domains: [harbour.example]\n  suspended: false\n  features: {}\n";
        format!("{}{spec}", written(name, "Harbour"))
    };
    let acme = afar.rig.caller(Some(&afar.key));
    let made = acme.send("POST", "/v1/platforms", &[], text("by-api")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let owner = json!({"email": "olive@acme.test", "role": "owner"});
    let invited = acme.post("/v1/invitations", &owner).await.body;
    let link = invited["url"].as_str().unwrap();
    let mut olive = Browser::join(&afar.rig, link, "Olive").await;
    olive.fill("/o/acme/new", &[("blueprint", &text("by-console"))]).await.is(303);
    afar.apply_text(&text("by-command")).await.unwrap();
    // Changed into it, it is no other one.
    afar.apply("changed", "Before").await.unwrap();
    afar.apply_text(&text("changed")).await.unwrap();
    let specs = ["by-api", "by-console", "by-command", "changed"]
        .map(|name| json!(afar.rig.cluster.of(name).unwrap().spec));
    for spec in &specs {
        assert_eq!(*spec, specs[0]);
    }
}
