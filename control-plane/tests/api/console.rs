//! The console, as people walk through it without scripts.

use axum::http::Request;
use blueprint::PlanName;
use sqlx::PgPool;

use crate::Rig;
use crate::browser::{Browser, PASSWORD};
use crate::rig::written;

/// Of an organization, by its link, the owner.
async fn owner<'a>(rig: &'a Rig, slug: &str, plan: PlanName) -> Browser<'a> {
    let admitted = rig.admitted(slug, plan, Some(&format!("owner@{slug}.test"))).await;
    Browser::join(rig, &admitted.invitation.unwrap(), "Olive").await
}

/// Somebody whom the owner invites as this.
async fn member<'a>(rig: &'a Rig, owner: &mut Browser<'a>, name: &str, role: &str) -> Browser<'a> {
    let email = format!("{name}@acme.test");
    let made = owner.fill("/o/acme/people", &[("email", &email), ("role", role)]).await;
    let link = made.is(201).between("<code>", "</code>");
    Browser::join(rig, &link, name).await
}

#[sqlx::test(migrations = false)]
async fn an_owner_joins_makes_a_platform_changes_it_stops_it_and_deletes_it(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Business, Some("Olive@acme.test")).await;
    let link = admitted.invitation.unwrap().replace("https://console.test", "");
    let mut olive = Browser::new(&rig);
    olive.open("/o/acme").await.leads_to("/signin?next=%2Fo%2Facme");
    olive.open(&link).await.is(200).says("Join ACME").says("Owner").says("olive@acme.test");
    let short = olive.fill(&link, &[("name", " "), ("password", "short")]).await;
    short.is(422).says("A name is needed.");
    olive.fill(&link, &[("name", "Olive"), ("password", PASSWORD)]).await.leads_to("/o/acme");
    olive.open("/").await.leads_to("/o/acme");
    olive.open("/account").await.is(200).says("What happened of late").says("The account was made");
    olive.open("/o/acme").await.is(200).says("No platforms yet").says("Owner of ACME");

    olive.open("/o/acme/new").await.is(200).says("Begin with");
    let wish =
        |name: &str| format!("/o/acme/new?name={name}&display_name=Harbour&template=education");
    olive.open(&wish("Harbour!")).await.is(422).says("field-name");
    let draft = olive.open(&wish("harbour")).await;
    draft.is(200).says("name: harbour").says("Nothing is made yet");
    assert!(rig.cluster.of("harbour").is_none());
    let broken = written("harbour", "Harbour").replace("displayName", "displayname");
    let refused = olive.fill("/o/acme/new", &[("blueprint", &broken)]).await;
    refused.is(422).says("Nothing was made").says("displayname");
    let wanted = written("harbour", "Harbour");
    let made = olive.fill("/o/acme/new", &[("blueprint", &wanted)]).await;
    made.leads_to("/o/acme/platforms/harbour");
    let again = olive.fill("/o/acme/new", &[("blueprint", &written("harbour", "Other"))]).await;
    again.is(422).says("another platform is called harbour");
    olive.open("/o/acme").await.says("Harbour").says("Pending");

    let page = olive.open("/o/acme/platforms/harbour").await;
    let seen = page.is(200).says("displayName: Harbour").between("name=\"seen\" value=\"", "\"");
    let base = "/o/acme/platforms/harbour";
    let change = written("harbour", "Quay");
    let fields = [("blueprint", change.as_str()), ("seen", seen.as_str())];
    olive.fill(&format!("{base}/blueprint"), &fields).await.leads_to(base);
    assert_eq!(rig.cluster.of("harbour").unwrap().spec.identity.display_name, "Quay");
    // From a page that was open since before.
    let late = written("harbour", "Pier");
    let fields = [("blueprint", late.as_str()), ("seen", seen.as_str())];
    for _ in 0..2 {
        let late = olive.fill(&format!("{base}/blueprint"), &fields).await;
        late.is(422).says("changed meanwhile").says("Pier");
        // Who presses again sends the same, and overwrites nothing either.
        assert_eq!(late.between("name=\"seen\" value=\"", "\""), seen);
    }
    assert_eq!(rig.cluster.of("harbour").unwrap().spec.identity.display_name, "Quay");

    olive.fill(&format!("{base}/suspend"), &[]).await.leads_to(base);
    assert!(rig.cluster.of("harbour").unwrap().spec.suspended);
    olive.open(base).await.says("Take it up again");
    olive.fill(&format!("{base}/resume"), &[]).await.leads_to(base);
    let typed = olive.fill(&format!("{base}/delete"), &[("name", "harbor")]).await;
    typed.is(422).says("Nothing was deleted");
    olive.fill(&format!("{base}/delete"), &[("name", "harbour")]).await.leads_to(base);
    let gone = olive.open(base).await;
    gone.is(200).says("Deleted").says("Olive (usr_").says_nothing_of("Delete it");
    olive.fill(&format!("{base}/undelete"), &[]).await.leads_to(base);
    olive.open(base).await.is(200).says("Delete it").says("displayName: Quay");

    let audit = olive.open("/o/acme/audit").await;
    for action in ["organization.admit", "invitation.accept", "platform.create", "platform.delete"]
    {
        audit.says(action);
    }
    olive.fill("/signout", &[]).await.leads_to("/signin");
    olive.open("/o/acme").await.is(303);
    let wrong = [("email", "olive@acme.test"), ("password", "wrong wrong wrong")];
    olive.fill("/signin", &wrong).await.is(422).says("not right");
    let right = [("email", "olive@acme.test"), ("password", PASSWORD), ("next", "/o/acme/audit")];
    olive.fill("/signin", &right).await.leads_to("/o/acme/audit");
}

#[sqlx::test(migrations = false)]
async fn to_who_is_no_member_there_is_no_such_organization(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    let made = written("harbour", "canary-of-acme");
    olive.fill("/o/acme/new", &[("blueprint", &made)]).await.is(303);
    let mut mallory = owner(&rig, "other", PlanName::Starter).await;
    for path in ["", "/new", "/people", "/keys", "/audit", "/platforms/harbour"] {
        let there = mallory.open(&format!("/o/acme{path}")).await;
        let nowhere = mallory.open(&format!("/o/nobody{path}")).await;
        assert_eq!((there.status.as_u16(), &there.html), (404, &nowhere.html), "{path}");
    }
    for path in ["suspend", "delete", "blueprint"] {
        let fields = [("name", "harbour"), ("blueprint", made.as_str()), ("seen", "x")];
        let path = format!("platforms/harbour/{path}");
        mallory.fill(&format!("/o/acme/{path}"), &fields).await.is(404);
        // Nor by way of one's own.
        mallory.fill(&format!("/o/other/{path}"), &fields).await.is(404);
    }
    mallory.open("/o/other").await.says_nothing_of("canary");
    assert!(!rig.cluster.of("harbour").unwrap().spec.suspended);
}

#[sqlx::test(migrations = false)]
async fn each_role_sees_and_does_what_it_may(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    let made = written("harbour", "Harbour");
    olive.fill("/o/acme/new", &[("blueprint", &made)]).await.is(303);
    let mut vera = member(&rig, &mut olive, "vera", "viewer").await;
    let mut dev = member(&rig, &mut olive, "dev", "developer").await;
    let mut ann = member(&rig, &mut olive, "ann", "admin").await;

    let looked = vera.open("/o/acme/platforms/harbour").await;
    looked.is(200).says_nothing_of("Delete it").says_nothing_of("/o/acme/keys");
    for path in ["/o/acme/new", "/o/acme/people", "/o/acme/keys", "/o/acme/audit"] {
        vera.open(path).await.is(403).says("You may not do that");
    }
    vera.fill("/o/acme/platforms/harbour/suspend", &[]).await.is(403);
    dev.fill("/o/acme/platforms/harbour/suspend", &[]).await.is(303);
    dev.open("/o/acme/people").await.is(200).says("vera").says_nothing_of("Invite somebody");
    dev.fill("/o/acme/people", &[("email", "x@acme.test"), ("role", "viewer")]).await.is(403);
    // No key does what its maker may not.
    let fields = [("name", "all"), ("days", "7"), ("owners:write", "on")];
    dev.fill("/o/acme/keys", &fields).await.is(403);
    let fields = [("name", "ci"), ("days", "7"), ("platforms:write", "on")];
    dev.fill("/o/acme/keys", &fields).await.is(201).says("soulfra_");

    // Admins run it, and make no owners.
    let fields = |role| [("email", "new@acme.test"), ("role", role)];
    ann.fill("/o/acme/people", &fields("owner")).await.is(403);
    ann.fill("/o/acme/people", &fields("viewer")).await.is(201);
    let people = ann.open("/o/acme/people").await;
    let id_of = |name: &str| {
        let behind = people.html.split_once(&format!("{name}@acme.test")).unwrap().1;
        let id = behind.split_once("/role\"").unwrap().0.rsplit_once('/').unwrap().1;
        id.to_owned()
    };
    let dev_id = id_of("dev");
    let role = format!("/o/acme/people/{dev_id}/role");
    ann.fill(&role, &[("role", "owner")]).await.is(403);
    ann.fill(&role, &[("role", "billing")]).await.leads_to("/o/acme/people");
    // From the next request on.
    dev.fill("/o/acme/platforms/harbour/resume", &[]).await.is(403);
    ann.fill(&format!("/o/acme/people/{dev_id}/remove"), &[]).await.leads_to("/o/acme/people");
    dev.open("/o/acme").await.is(404);
}

#[sqlx::test(migrations = false)]
async fn there_is_always_an_owner(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    let page = olive.open("/o/acme/people").await;
    let id = page.between("/o/acme/people/", "/role");
    let role = format!("/o/acme/people/{id}/role");
    olive.fill(&role, &[("role", "viewer")]).await.is(409).says("only owner");
    olive.fill(&format!("/o/acme/people/{id}/remove"), &[]).await.is(409).says("only owner");
    member(&rig, &mut olive, "otto", "owner").await;
    olive.fill(&format!("/o/acme/people/{id}/remove"), &[]).await.leads_to("/");
    olive.open("/o/acme").await.is(404);
    olive.open("/").await.is(200).says("You are in no organization");
}

#[sqlx::test(migrations = false)]
async fn a_link_lets_one_person_in_once(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    let invite = [("email", "ivy@acme.test"), ("role", "viewer")];
    let first = olive.fill("/o/acme/people", &invite).await.between("<code>", "</code>");
    let second = olive.fill("/o/acme/people", &invite).await.between("<code>", "</code>");
    let path = |link: &str| link.replace("https://console.test", "");
    // A newer one takes its place.
    Browser::new(&rig).open(&path(&first)).await.is(410).says("cannot be used");
    // Who is signed in as somebody else is not the one who is invited.
    olive.open(&path(&second)).await.is(200).says("signed in as owner@acme.test");
    olive.fill(&path(&second), &[]).await.is(422);
    let mut ivy = Browser::join(&rig, &second, "Ivy").await;
    ivy.open("/o/acme").await.is(200);
    Browser::new(&rig).open(&path(&second)).await.is(410);
    olive.fill("/o/acme/people", &invite).await.is(422).says("a member already");

    // Who has an account joins with it, and nobody else does.
    let mut oscar = owner(&rig, "other", PlanName::Starter).await;
    let link = oscar.fill("/o/other/people", &invite).await.between("<code>", "</code>");
    let taken = [("name", "Not Ivy"), ("password", PASSWORD)];
    let mallory = Browser::new(&rig).fill(&path(&link), &taken).await;
    mallory.is(422).says("You have an account");
    ivy.open(&path(&link)).await.is(200).says("Join OTHER");
    ivy.fill(&path(&link), &[]).await.leads_to("/o/other");
    ivy.open("/").await.is(200).says("ACME").says("OTHER");

    // Taken back, or too old, it does nothing.
    let later = [("email", "lee@acme.test"), ("role", "viewer")];
    let made = olive.fill("/o/acme/people", &later).await;
    let link = made.between("<code>", "</code>");
    let id = made.between("/o/acme/invitations/", "/revoke");
    olive.fill(&format!("/o/acme/invitations/{id}/revoke"), &[]).await.is(303);
    Browser::new(&rig).open(&path(&link)).await.is(410);
    let link = olive.fill("/o/acme/people", &later).await.between("<code>", "</code>");
    rig.clock.advance(jiff::SignedDuration::from_hours(7 * 24));
    Browser::new(&rig).open(&path(&link)).await.is(410);
    Browser::new(&rig).open("/join/nonsense").await.is(410);
}

#[sqlx::test(migrations = false)]
async fn who_is_taken_out_comes_back_by_nothing_that_they_made(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    let mut ann = member(&rig, &mut olive, "ann", "admin").await;
    let invite = [("email", "again@acme.test"), ("role", "admin")];
    let link = ann.fill("/o/acme/people", &invite).await.is(201).between("<code>", "</code>");
    let all = [("name", "all"), ("days", "366"), ("keys:write", "on"), ("audit:read", "on")];
    let key = ann.fill("/o/acme/keys", &all).await.is(201).between("<code>", "</code>");
    let wanted = serde_json::json!({"name": "next", "scopes": ["audit:read"]});
    let next = rig.caller(Some(&key)).post("/v1/keys", &wanted).await;
    let next = next.body["secret"].as_str().unwrap().to_owned();
    assert_eq!(rig.caller(Some(&next)).get("/v1/audit").await.status, 200);

    olive.open("/o/acme/keys").await.says("Made by").says("ann (usr_");
    let people = olive.open("/o/acme/people").await;
    people.says("again@acme.test");
    let behind = people.html.split_once("ann@acme.test").unwrap().1;
    let id = behind.split_once("/role\"").unwrap().0.rsplit_once('/').unwrap().1.to_owned();
    // Less than before: what may do more than that goes.
    let role = format!("/o/acme/people/{id}/role");
    olive.fill(&role, &[("role", "developer")]).await.is(303);
    for secret in [&key, &next] {
        let answer = rig.caller(Some(secret)).get("/v1/audit").await;
        assert_eq!(answer.code(), (401, "no-key"));
    }
    olive.fill(&format!("/o/acme/people/{id}/remove"), &[]).await.is(303);
    let path = link.replace("https://console.test", "");
    Browser::new(&rig).open(&path).await.is(410);
    olive.open("/o/acme/audit").await.says("member.remove").says("Olive (usr_");
}

#[sqlx::test(migrations = false)]
async fn an_invitation_of_an_owner_is_replaced_by_owners_only(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    let mut ann = member(&rig, &mut olive, "ann", "admin").await;
    let invite = |role| [("email", "otto@acme.test"), ("role", role)];
    let link = olive.fill("/o/acme/people", &invite("owner")).await.between("<code>", "</code>");
    ann.fill("/o/acme/people", &invite("viewer")).await.is(403);
    Browser::join(&rig, &link, "Otto").await.open("/o/acme").await.is(200).says("Owner of ACME");
}

#[sqlx::test(migrations = false)]
async fn of_two_who_invite_the_same_at_once_each_has_an_answer(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let wanted = serde_json::json!({"email": "otto@acme.test", "role": "viewer"});
    let asked = (0..8).map(|_| acme.post("/v1/invitations", &wanted));
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let open = acme.get("/v1/invitations").await.body;
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
}

#[sqlx::test(migrations = false)]
async fn what_has_a_platforms_name_and_was_made_by_other_means_is_not_the_platforms(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    olive.fill("/o/acme/new", &[("blueprint", &written("harbour", "Harbour"))]).await.is(303);
    let base = "/o/acme/platforms/harbour";
    olive.open(base).await.says("displayName: Harbour");
    // Somebody removed it from the cluster and made another one of that name with kubectl.
    rig.cluster.by_kubectl(blueprint::read(&written("harbour", "canary")).unwrap());
    olive.open(base).await.is(200).says_nothing_of("canary").says("There is no blueprint of it");
    olive.open("/o/acme").await.says_nothing_of("canary");
    for (path, fields) in [("suspend", vec![]), ("delete", vec![("name", "harbour")])] {
        olive.fill(&format!("{base}/{path}"), &fields).await;
    }
    assert!(rig.cluster.of("harbour").is_some_and(|there| !there.spec.suspended));
}

#[sqlx::test(migrations = false)]
async fn a_person_sees_where_they_are_signed_in_and_ends_it(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    let mut elsewhere = Browser::new(&rig);
    let right = [("email", "owner@acme.test"), ("password", PASSWORD)];
    elsewhere.fill("/signin", &right).await.leads_to("/");
    olive.open("/account").await.is(200).says("This one").says("all other devices");
    olive.fill("/account/sessions/end-others", &[]).await.leads_to("/account");
    elsewhere.open("/account").await.is(303);
    olive.open("/account").await.is(200).says_nothing_of("all other devices");
}

#[sqlx::test(migrations = false)]
async fn what_another_site_has_a_browser_send_is_refused(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme", PlanName::Starter).await;
    let request = Request::post("/o/acme/people")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "cross-site");
    let page = olive.send(request, "email=x%40acme.test&role=owner".to_owned()).await;
    page.is(403).says("another site");
    olive.open("/signin?next=//evil.test").await.leads_to("/");
    olive.open("/nowhere").await.is(404).says("Nothing is at this address");
}
