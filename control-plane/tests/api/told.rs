//! What the console says became of a form, what it asks twice, and webhooks on its pages.

use axum::http::Request;
use blueprint::PlanName;
use control_plane::console::told::Done;
use sqlx::PgPool;

use crate::Rig;
use crate::browser::{Browser, PASSWORD, Page};
use crate::rig::written;

const DONE: &str = "__Host-done";

/// Of an organization, by its link, the owner.
async fn owner(rig: &Rig) -> Browser<'_> {
    let admitted = rig.admitted("acme", PlanName::Starter, Some("olive@acme.test")).await;
    Browser::join(rig, &admitted.invitation.unwrap(), "Olive").await
}

/// Somebody whom the owner invites as this.
async fn member<'a>(rig: &'a Rig, owner: &mut Browser<'a>, name: &str, role: &str) -> Browser<'a> {
    let email = format!("{name}@acme.test");
    let made = owner.fill("/o/acme/people", &[("email", &email), ("role", role)]).await;
    Browser::join(rig, &made.is(201).between("<code>", "</code>"), name).await
}

/// What is in the place of a word in a link of a page, such as the id in `/o/acme/keys/ID/revoke`.
fn id_in(page: &Page, before: &str, behind: &str) -> String {
    let (_, rest) = page.html.split_once(&format!("href=\"{before}")).unwrap();
    rest.split_once(&format!("{behind}\"")).unwrap().0.to_owned()
}

#[sqlx::test(migrations = false)]
async fn what_was_done_is_told_once(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig).await;
    olive.open("/o/acme").await.says("role=\"status\"").says(&Done::Joined.flash().text);
    olive.open("/o/acme").await.says_nothing_of(&Done::Joined.flash().text);
    olive.fill("/o/acme/new", &[("blueprint", &written("harbour", "Harbour"))]).await;
    assert_eq!(olive.cookie(DONE), "platform-made");
    // A script that looks what changed takes it from nobody.
    let look = Request::get("/o/acme").header("x-look", "1");
    olive.send(look, String::new()).await.is(200);
    // The way leads over another page that is none.
    olive.open("/").await.leads_to("/o/acme");
    olive.open("/o/acme").await.says(&Done::PlatformMade.flash().text);
    olive.fill("/signout", &[]).await.leads_to("/signin");
    olive.open("/signin").await.says(&Done::SignedOut.flash().text);
    olive.fill("/signin", &[("email", "olive@acme.test"), ("password", PASSWORD)]).await;
    olive.open("/account").await.says(&Done::SignedIn.flash().text);
    // Nobody puts words on a page.
    for told in ["", "Send+money", "<b>", "Platform-made"] {
        olive.take(DONE, told);
        olive.open("/o/acme").await.is(200).says_nothing_of("role=\"status\"");
    }
}

#[sqlx::test(migrations = false)]
async fn what_cannot_be_undone_is_asked_twice(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig).await;
    let mut vera = member(&rig, &mut olive, "vera", "viewer").await;
    let mut dev = member(&rig, &mut olive, "dev", "developer").await;

    let people = olive.open("/o/acme/people").await;
    let id = people.html.split_once("vera@acme.test").unwrap().1;
    let id = id.split_once("/remove\"").unwrap().0.rsplit_once('/').unwrap().1;
    let removal = format!("/o/acme/people/{id}/remove");
    dev.open(&removal).await.is(403);
    olive
        .open(&removal)
        .await
        .is(200)
        .says("Take out vera?")
        .says(&format!("action=\"{removal}\""));
    vera.open("/o/acme").await.is(200);
    olive.fill(&removal, &[]).await.leads_to("/o/acme/people");
    vera.open("/o/acme").await.is(404);
    for gone in [&removal, "/o/acme/people/nobody/remove", "/o/acme/keys/none/revoke"] {
        olive.open(gone).await.is(404);
    }

    let invited = [("email", "otto@acme.test"), ("role", "owner")];
    let invited = olive.fill("/o/acme/people", &invited).await;
    let id = id_in(&invited, "/o/acme/invitations/", "/revoke");
    let revocation = format!("/o/acme/invitations/{id}/revoke");
    dev.open(&revocation).await.is(403);
    olive.open(&revocation).await.is(200).says("the invitation of otto@acme.test?");
    olive.fill(&revocation, &[]).await.leads_to("/o/acme/people");
    olive.open("/o/acme/people").await.says_nothing_of("otto@acme.test");

    let fields = [("name", "deploy"), ("days", "7"), ("audit:read", "on")];
    let made = olive.fill("/o/acme/keys", &fields).await;
    let id = id_in(&made, "/o/acme/keys/", "/revoke");
    let revocation = format!("/o/acme/keys/{id}/revoke");
    olive.open(&revocation).await.is(200).says("Take back the key deploy?");
    olive.fill(&revocation, &[]).await.leads_to("/o/acme/keys");
    olive.open("/o/acme/keys").await.says("Taken back").says_nothing_of(&revocation);
}

#[sqlx::test(migrations = false)]
async fn a_webhook_is_made_looked_at_given_a_new_secret_and_removed(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig).await;
    let list = "/o/acme/webhooks";
    olive.open(list).await.is(200).says("Make a webhook").says("member.remove");
    let inside = [("url", "http://10.0.0.1/told"), ("platform.phase", "on")];
    let refused = olive.fill(list, &inside).await;
    refused.is(422).says("http://10.0.0.1/told").says("aria-invalid");
    refused.says("name=\"platform.phase\" type=\"checkbox\" checked");
    olive.fill(list, &[("url", "https://told.test/"), ("weather", "on")]).await.is(422);

    let made = olive.fill(list, &[("url", "https://told.test/x"), ("webhook.create", "on")]).await;
    let secret = made.is(201).says("https://told.test/x").between("<code>whsec_", "</code>");
    olive.open(list).await.says("Listens").says_nothing_of(&secret);
    let id = id_in(&made, "/o/acme/webhooks/", "");
    let page = format!("{list}/{id}");
    let shown = olive.open(&page).await;
    shown.is(200).says("webhook.create").says("Waits").says_nothing_of(&secret);
    let renewed = olive.fill(&format!("{page}/secret"), &[]).await;
    renewed.is(200).says("whsec_").says("2026-03-02").says_nothing_of(&secret);

    // What waits is told by itself; what came to an end is told again when somebody asks.
    sqlx::query("update control.delivery set state = 'failed', status = 500, attempts = 8")
        .execute(&rig.db)
        .await
        .unwrap();
    let failed = olive.open(&page).await;
    let replay = failed.says("Failed").says("500").between("/deliveries/", "/replay");
    let replay = format!("{page}/deliveries/{replay}/replay");
    olive.fill(&replay, &[]).await.leads_to(&page);
    olive.open(&page).await.says(&Done::ToldAgain.flash().text).says("Waits");
    olive.fill(&replay, &[]).await.is(409).says("It is tried again by itself");

    olive.open(&format!("{page}/remove")).await.is(200).says("Remove https://told.test/x?");
    olive.fill(&format!("{page}/remove"), &[]).await.leads_to(list);
    olive.open(list).await.says(&Done::WebhookRemoved.flash().text).says_nothing_of("told.test");
    olive.open(&page).await.is(404);
    for action in ["webhook.create", "webhook.secret", "webhook.delete"] {
        olive.open("/o/acme/audit").await.says(action);
    }
}

#[sqlx::test(migrations = false)]
async fn on_pages_too_nobody_has_a_webhook_told_what_they_may_not_know(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig).await;
    let mut dev = member(&rig, &mut olive, "dev", "developer").await;
    let mut vera = member(&rig, &mut olive, "vera", "viewer").await;
    let list = "/o/acme/webhooks";
    vera.open("/o/acme").await.says_nothing_of(list);
    vera.open(list).await.is(403);
    vera.fill(list, &[("url", "https://told.test/")]).await.is(403);

    dev.open(list).await.is(200).says("platform.phase").says_nothing_of("member.remove");
    dev.fill(list, &[("url", "https://told.test/")]).await.is(422).says("Tick at least one");
    let fields = [("url", "https://told.test/"), ("member.remove", "on")];
    dev.fill(list, &fields).await.is(422);
    dev.fill(list, &[("url", "https://told.test/"), ("platform.phase", "on")]).await.is(201);
    let all = olive.fill(list, &[("url", "https://all.test/")]).await;
    let (before, _) = all.is(201).html.split_once("\">https://all.test/").unwrap();
    let id = before.rsplit_once('/').unwrap().1;
    for path in ["", "/remove"] {
        dev.open(&format!("{list}/{id}{path}")).await.is(403);
    }
    for path in ["/secret", "/remove"] {
        dev.fill(&format!("{list}/{id}{path}"), &[]).await.is(403);
    }
}
