//! As many people as the plan has room for.

use accounts::Email;
use blueprint::plan::Entitlements;
use blueprint::spec::UserVerification;
use tenant_runtime::Site;

use crate::{Simulator, TestPlatform};

/// From now on the plan has room for so many.
fn make_room(platform: &TestPlatform, users: Option<u32>) {
    let site = Site::clone(&platform.app.site());
    let entitlements = Entitlements { users, ..site.entitlements };
    platform.app.apply(Site { entitlements, ..site });
}

async fn id_of(platform: &TestPlatform, name: &str) -> String {
    let email: Email = format!("{name}@example.com").parse().unwrap();
    let mut db = platform.app.db().acquire().await.unwrap();
    let person = accounts::people::by_email(&mut db, &email).await.unwrap().unwrap();
    person.id.to_string()
}

#[tokio::test]
async fn where_the_plan_is_full_a_newcomer_is_told_whom_to_ask() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let ada = platform.person("ada").await;
    make_room(&platform, Some(2));
    let bob = platform.visitor();
    let page = bob.get("/signup").await.expect(200).with("No place left");
    page.with("nobody else can sign up now").without("you typed").without("type=\"password\"");
    let refused = bob.sign_up("bob").await.expect(409);
    refused.with("no account was made for you").with("Ask whoever runs it").with("/signin");
    assert_eq!(bob.cookie(), None);
    platform.change(|blueprint| {
        blueprint.spec.identity.support_email = Some("help@example.com".to_owned());
    });
    make_room(&platform, Some(2));
    bob.sign_up("bob").await.expect(409).with("Write to help@example.com");
    // Who has an account is told so, and nobody who is in is put out.
    platform.visitor().sign_up("ada").await.expect(422).with("has an account already");
    make_room(&platform, Some(1));
    ada.get("/account").await.expect(200);
    platform.visitor().sign_in("ada").await.expect(303);
    let home = olive.get("/admin").await.expect(200);
    home.with("Nobody else can sign up").with("2 people are here").with("room for 1.");

    make_room(&platform, Some(3));
    bob.get("/signup").await.expect(200).with("type=\"password\"");
    bob.sign_up("bob").await.expect(303);
}

#[tokio::test]
async fn two_who_come_for_the_last_place_do_not_both_get_it() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    make_room(&platform, Some(2));
    let (ada, bob) = (platform.visitor(), platform.visitor());
    let (one, other) = tokio::join!(ada.sign_up("ada"), bob.sign_up("bob"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
    olive.get("/admin").await.expect(200).with("2 people are here");
}

#[tokio::test]
async fn a_suspension_makes_room_and_coming_back_needs_it() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    platform.person("ada").await;
    make_room(&platform, Some(2));
    let ada = id_of(&platform, "ada").await;
    olive.post(&format!("/admin/people/{ada}/suspend"), &[]).await.expect(303);
    platform.person("bob").await;
    let refused = olive.post(&format!("/admin/people/{ada}/activate"), &[]).await.expect(409);
    refused.with("Nobody was let in");
    olive.get("/admin/people").await.expect(200).with("suspended");
    make_room(&platform, Some(3));
    olive.post(&format!("/admin/people/{ada}/activate"), &[]).await.expect(303);
}

#[tokio::test]
async fn who_waits_to_be_let_in_holds_a_place() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    platform.change(|blueprint| {
        blueprint.spec.governance.user_verification = UserVerification::Approval;
    });
    make_room(&platform, Some(2));
    platform.visitor().sign_up("ada").await.expect(200).with("Almost there");
    platform.visitor().sign_up("bob").await.expect(409);
    let ada = id_of(&platform, "ada").await;
    olive.post(&format!("/admin/people/{ada}/activate"), &[]).await.expect(303);
    platform.visitor().sign_in("ada").await.expect(303);
}
