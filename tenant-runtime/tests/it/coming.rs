//! Coming and going: visitors, accounts, the admin link.

use accounts::{Email, Role};
use axum::body::Body;
use axum::http::{Method, header};
use blueprint::spec::UserVerification;

use crate::browser::request;
use crate::platform::{OLIVE, PASSWORD};
use crate::{Simulator, TestPlatform};

#[tokio::test]
async fn a_visitor_sees_the_site_and_is_asked_to_sign_in_for_the_rest() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let visitor = platform.visitor();
    visitor.get("/").await.expect(200).with("href=\"/agents/guide\"").with("href=\"/signup\"");
    visitor.get("/pages/terms").await.expect(200);
    visitor.get("/brand/logo").await.expect(200);
    visitor.get("/healthz").await.expect(200);
    visitor.get("/readyz").await.expect(200);
    let agent = visitor.get("/agents/guide").await.expect(200).without("<textarea");
    agent.with("href=\"/signin?next&#x3D;/agents/guide\"").with("What can I do here?");

    let sent = visitor.get("/conversations?q=two+words").await.expect(303);
    assert_eq!(sent.location(), "/signin?next=%2Fconversations%3Fq%3Dtwo%2Bwords");
    visitor
        .get(sent.location())
        .await
        .expect(200)
        .with("value=\"/conversations?q&#x3D;two+words\"");
    let sent = visitor.post("/agents/guide/talk", &[("text", "hi")]).await.expect(303);
    assert_eq!(sent.location(), "/signin?next=%2F");
}

#[tokio::test]
async fn signing_in_leads_back_and_never_off_the_site() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    platform.person("ada").await;
    let back = async |next: &str| {
        let visitor = platform.visitor();
        let form = [("email", "ada@example.com"), PASSWORD, ("next", next)];
        visitor.post("/signin", &form).await.expect(303).location().to_owned()
    };
    assert_eq!(back("/conversations?q=x").await, "/conversations?q=x");
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example", ""] {
        assert_eq!(back(elsewhere).await, "/", "{elsewhere}");
    }
}

#[tokio::test]
async fn a_person_signs_up_out_and_in_again() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.visitor();
    let made = ada.sign_up("ada").await.expect(303);
    let cookie = made.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    ada.get("/account").await.expect(200).with("ada@example.com").with("This one");
    assert_eq!(ada.get("/signin").await.expect(303).location(), "/");

    let stolen = ada.cookie().unwrap();
    ada.post("/signout", &[]).await.expect(303);
    assert_eq!(ada.cookie(), None);
    let again = request(Method::GET, "/account", "text/html").header(header::COOKIE, stolen);
    ada.send(again, Body::empty()).await.expect(303);

    ada.sign_in("ada").await.expect(303);
    ada.get("/conversations").await.expect(200).with("No conversations yet");
}

#[tokio::test]
async fn what_is_wrong_with_a_new_account_is_told_at_its_field() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let visitor = platform.visitor();
    let form = [("name", "A <b>"), ("email", "ada@example.com"), ("password", "short")];
    let refused = visitor.post("/signup", &form).await.expect(422);
    refused.with("too short").with("A &lt;b&gt;").without("\"short\"");
    visitor.post("/signup", &[("name", ""), ("email", "x"), PASSWORD]).await.expect(422);

    platform.person("ada").await;
    visitor.sign_up("ada").await.expect(422).with("has an account already");
    assert_eq!(visitor.cookie(), None);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_words() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    platform.person("ada").await;
    let try_with = async |email| {
        let form = [("email", email), ("password", "not the right one")];
        platform.visitor().post("/signin", &form).await.expect(422).body.replace(email, "")
    };
    assert_eq!(try_with("ada@example.com").await, try_with("bob@example.com").await);
}

#[tokio::test]
async fn a_person_ends_a_session_elsewhere() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let elsewhere = platform.visitor();
    elsewhere.sign_in("ada").await.expect(303);
    let page = ada.get("/account").await.expect(200).body;
    let end = page.split("action=\"").find(|rest| {
        rest.starts_with("/account/sessions/") && !before_form(&page, rest).contains("This one")
    });
    let end = end.unwrap().split('"').next().unwrap();
    let bob = platform.person("bob").await;
    bob.post(end, &[]).await.expect(404);
    ada.post(end, &[]).await.expect(303);
    elsewhere.get("/account").await.expect(303);
    ada.get("/account").await.expect(200);
}

#[tokio::test]
async fn who_ends_the_session_in_use_is_signed_out() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let ada = platform.person("ada").await;
    let page = ada.get("/account").await.expect(200).with("This one").body;
    let end = page.split("action=\"").find(|rest| rest.starts_with("/account/sessions/"));
    let end = end.unwrap().split('"').next().unwrap();
    assert_eq!(ada.post(end, &[]).await.expect(303).location(), "/");
    assert_eq!(ada.cookie(), None);
    ada.get("/").await.expect(200).with("You are signed out.");
}

/// The row in which a form stands.
fn before_form<'a>(page: &'a str, form: &str) -> &'a str {
    let until = &page[..page.len() - (page.len() - page.find(form).unwrap())];
    &until[until.rfind("<tr>").unwrap()..]
}

#[tokio::test]
async fn the_admin_link_makes_one_owner_once() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let link = platform.admin_link().await;
    let (one, other) = (platform.visitor(), platform.visitor());
    // Looking does not use it up: mail scanners look too.
    for _ in 0..2 {
        let looked = one.get(&link).await.expect(200).with("will own the platform");
        assert_eq!(looked.headers["referrer-policy"], "no-referrer");
    }
    one.post(&link, &[("name", "Olive"), OLIVE, ("password", "short")]).await.expect(422);

    let (first, second) = ([("name", "Olive"), OLIVE, PASSWORD], ("email", "otto@example.com"));
    let second = [("name", "Otto"), second, PASSWORD];
    let (first, second) = tokio::join!(one.post(&link, &first), other.post(&link, &second));
    let (winner, mut statuses) = if first.status == 303 {
        (&one, [first.status.as_u16(), second.status.as_u16()])
    } else {
        (&other, [second.status.as_u16(), first.status.as_u16()])
    };
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410]);
    winner.get("/admin").await.expect(200);
    platform.visitor().get(&link).await.expect(410).with("cannot be used").with("href=\"/signin\"");
    platform.visitor().get("/welcome/made-up").await.expect(410);
}

#[tokio::test]
async fn a_later_admin_link_lets_the_owner_back_in() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    platform.owned().await;
    let link = platform.admin_link().await;
    let olive = platform.visitor();
    olive.get(&link).await.expect(200).with("signs you in as Olive");
    assert_eq!(olive.post(&link, &[]).await.expect(303).location(), "/admin");
    olive.get("/admin").await.expect(200);
    platform.visitor().post(&link, &[]).await.expect(410);
}

#[tokio::test]
async fn where_an_admin_lets_people_in_a_new_account_waits() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    platform.change(|blueprint| {
        blueprint.spec.governance.user_verification = UserVerification::Approval;
    });
    let ada = platform.visitor();
    ada.sign_up("ada").await.expect(200).with("Almost there");
    assert_eq!(ada.cookie(), None);
    ada.sign_in("ada").await.expect(422);

    // The owner is told so, and whoever only waits is not yet one who was invited.
    let (told, invite) = ("1 person waits for your approval", "Share the address");
    olive.get("/admin").await.expect(200).with(told).with("See who waits").with(invite);
    olive.get("/admin/people").await.expect(200).with("ada@example.com").with("pending");
    let id = id_of(&platform, "ada").await;
    olive.post(&format!("/admin/people/{id}/activate"), &[]).await.expect(303);
    olive.get("/admin").await.expect(200).without("for your approval").without(invite);
    ada.sign_in("ada").await.expect(303);
}

#[tokio::test]
async fn a_suspended_person_is_out_at_once_and_a_promoted_one_is_let_in() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let ada = platform.person("ada").await;
    let id = id_of(&platform, "ada").await;

    ada.get("/admin").await.expect(403);
    let role = format!("/admin/people/{id}/role");
    olive.post(&role, &[("role", "emperor")]).await.expect(422);
    olive.post(&role, &[("role", Role::Admin.as_str())]).await.expect(303);
    ada.get("/admin").await.expect(200);

    olive.post(&format!("/admin/people/{id}/suspend"), &[]).await.expect(303);
    ada.get("/account").await.expect(303);
    ada.sign_in("ada").await.expect(422);
    olive.get("/admin/people").await.expect(200).with("suspended");
}

#[tokio::test]
async fn the_last_owner_stays() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let id = id_of(&platform, "olive").await;
    let refused = olive.post(&format!("/admin/people/{id}/role"), &[("role", "user")]).await;
    let refused = refused.expect(409).with("role=\"alert\"").with("this is the only owner");
    // On the page on which it can be done.
    refused.with("Make somebody else an owner first.").with("olive@example.com");
    olive.post(&format!("/admin/people/{id}/suspend"), &[]).await.expect(409);
    olive.get("/admin").await.expect(200);
}

#[tokio::test]
async fn roles_of_families_are_offered_only_where_children_may_be() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    platform.person("ada").await;
    let role = format!("/admin/people/{}/role", id_of(&platform, "ada").await);
    let child = "value=\"child\"";
    olive.get("/admin/people").await.expect(200).with("value=\"creator\"").without(child);
    olive.post(&role, &[("role", "child")]).await.expect(422).with("There is no such role here.");
    platform.change(|blueprint| blueprint.spec.features.parent_dashboard = true);
    olive.get("/admin/people").await.expect(200).with(child).with("value=\"parent\"");
    olive.post(&role, &[("role", "child")]).await.expect(303);
    // A role somebody has already is not taken from the list.
    platform.change(|blueprint| blueprint.spec.features.parent_dashboard = false);
    olive.get("/admin/people").await.expect(200).with(child).without("value=\"parent\"");
    olive.post(&role, &[("role", "child")]).await.expect(303);
    olive.post(&role, &[("role", "parent")]).await.expect(422);
}

async fn id_of(platform: &TestPlatform, name: &str) -> String {
    let email: Email = format!("{name}@example.com").parse().unwrap();
    let mut db = platform.app.db().acquire().await.unwrap();
    let person = accounts::people::by_email(&mut db, &email).await.unwrap().unwrap();
    person.id.to_string()
}
