//! Members come in by their own company's provider, in a browser without scripts.

use blueprint::PlanName;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Rig;
use crate::browser::{Browser, PASSWORD, Page};
use crate::provider::{CLIENT, Manner, Provider, SECRET};
use crate::rig::{Answer, Caller};

const PATH: &str = "/v1/organization/single-sign-on";

fn wanted(provider: &Provider) -> Value {
    json!({
        "issuer": provider.issuer(), "clientId": CLIENT, "clientSecret": SECRET,
        "domains": ["ACME.test"],
    })
}

async fn put(caller: &Caller<'_>, path: &str, body: &Value) -> Answer {
    caller.send("PUT", path, &[], body.to_string()).await
}

/// An organization with a provider of its own, and an owner.
async fn acme(rig: &Rig) -> (Caller<'_>, Browser<'_>, Provider) {
    other(rig, "acme", "olive@acme.test").await
}

async fn other<'a>(rig: &'a Rig, slug: &str, owner: &str) -> (Caller<'a>, Browser<'a>, Provider) {
    let admitted = rig.admitted(slug, PlanName::Starter, Some(owner)).await;
    let key = rig.caller(Some(admitted.key.expose()));
    let owner = Browser::join(rig, &admitted.invitation.unwrap(), "Olive").await;
    let provider = Provider::new(&rig.clock).await;
    assert_eq!(put(&key, PATH, &wanted(&provider)).await.status, 200);
    (key, owner, provider)
}

async fn invite(key: &Caller<'_>, email: &str, role: &str) -> String {
    let made = key.post("/v1/invitations", &json!({"email": email, "role": role})).await;
    made.body["url"].as_str().unwrap().to_owned()
}

/// Goes to the provider, as the organization's short name leads there.
async fn go(browser: &mut Browser<'_>, slug: &str) -> Page {
    browser.fill("/signin/company", &[("who", slug)]).await
}

async fn come_in(browser: &mut Browser<'_>, provider: &Provider, who: (&str, &str)) -> Page {
    let page = go(browser, "acme").await;
    browser.open(&provider.lets_in(&page, who.0, who.1)).await
}

const OLIVE: (&str, &str) = ("subject of olive", "Olive@acme.test");

#[sqlx::test(migrations = false)]
async fn a_member_comes_in_by_the_provider_of_their_organization(db: PgPool) {
    let rig = Rig::new(db).await;
    let (key, _, provider) = acme(&rig).await;
    let mut browser = Browser::new(&rig);
    browser.open("/signin").await.says("/signin/company?next").says("Sign in with your company");
    browser.open("/signin/company?who=acme").await.is(200).says("value=\"acme\"");
    come_in(&mut browser, &provider, OLIVE).await.leads_to("/");
    assert!(!browser.cookies.contains_key("__Host-away"));
    browser.open("/").await.leads_to("/o/acme");
    browser.open("/o/acme/people").await.is(200).says("olive@acme.test");
    // By their address they are sent there too, once they have seen where that is.
    let mut again = Browser::new(&rig);
    let fields = [("who", "olive@acme.test"), ("next", "/o/acme/audit")];
    let page = again.fill("/signin/company", &fields).await;
    page.says("login_hint").says("olive%40acme.test").says("Is that where you sign in?");
    let back = provider.lets_in(&page, OLIVE.0, OLIVE.1);
    again.open(&back).await.leads_to("/o/acme/audit");
    // It was asked what it is when it was set, and not for each who signs in.
    assert_eq!(provider.discovered(), 1);
    // Known from then on by what the provider calls them, whatever address it tells.
    let renamed = (OLIVE.0, "olivia@elsewhere.test");
    come_in(&mut again, &provider, renamed).await.leads_to("/");
    again.open("/o/acme/people").await.says("olive@acme.test");
    let audit = key.get("/v1/audit").await.body.to_string();
    assert_eq!(audit.matches("member.link").count(), 1, "{audit}");
    // Half a day later they are asked for again.
    rig.clock.advance(SignedDuration::from_hours(12));
    again.open("/o/acme").await.leads_to("/signin?next=%2Fo%2Facme");
    again.fill("/signout", &[]).await.is(303);
}

#[sqlx::test(migrations = false)]
async fn who_is_let_in_by_one_organization_is_nobody_elsewhere(db: PgPool) {
    let rig = Rig::new(db).await;
    let (_, _, provider) = acme(&rig).await;
    // Olive owns another organization too, and is invited to a third.
    let works = rig.admitted("works", PlanName::Starter, Some("olive@acme.test")).await;
    let mut olive = Browser::new(&rig);
    let fields = [("email", "olive@acme.test"), ("password", PASSWORD)];
    olive.fill("/signin", &fields).await.is(303);
    let link = works.invitation.unwrap();
    let path = link.strip_prefix(crate::rig::URL).unwrap();
    olive.fill(path, &[]).await.leads_to("/o/works");
    let third = rig.admitted("third", PlanName::Starter, Some("olive@acme.test")).await;

    let mut eve = Browser::new(&rig);
    come_in(&mut eve, &provider, ("whom eve made up", "olive@acme.test")).await.leads_to("/");
    eve.open("/").await.leads_to("/o/acme").says_nothing_of("works");
    let nothing = eve.open("/o/nobodys").await;
    for path in ["", "/people", "/keys", "/audit", "/settings", "/new", "/platforms/x"] {
        let page = eve.open(&format!("/o/works{path}")).await;
        page.is(404);
        assert_eq!(page.html.replace("works", "nobodys"), nothing.html);
    }
    let key = [("name", "x"), ("days", "7"), ("audit:read", "on")];
    eve.fill("/o/works/keys", &key).await.is(404);
    // Olive's own account is hers: its sessions, its factors, what happened to it.
    for path in ["/account", "/account/second-factor", "/account/passkeys/new"] {
        let page = eve.open(path).await;
        assert!(page.is(303).location.starts_with("/signin?"), "{page:?}");
    }
    eve.fill("/account/sessions/end-others", &[]).await.is(303);
    olive.open("/o/works").await.is(200);
    // Nor does she join anything in her name.
    let link = third.invitation.unwrap();
    let path = link.strip_prefix(crate::rig::URL).unwrap();
    eve.open(path).await.says("You have an account").says_nothing_of(">Join<");
    eve.fill(path, &[]).await.is(422);
    // However often she comes, she ends none of Olive's sessions.
    for _ in 0..60 {
        come_in(&mut Browser::new(&rig), &provider, ("whom eve made up", "olive@acme.test")).await;
    }
    olive.open("/o/works").await.is(200);
    olive.open("/account").await.says("single sign-on");
}

#[sqlx::test(migrations = false)]
async fn nobody_becomes_a_member_by_signing_in_who_is_not_invited(db: PgPool) {
    let rig = Rig::new(db).await;
    let (key, _, provider) = acme(&rig).await;
    let mut browser = Browser::new(&rig);
    let mut refused = async |who: (&str, &str), why: &str| {
        let page = come_in(&mut browser, &provider, who).await;
        page.is(403).says("You are not signed in").says(why).says("Nothing was done.");
        browser.open("/o/acme").await.leads_to("/signin?next=%2Fo%2Facme");
    };
    refused(("1", "ann@acme.test"), "ask an owner for an invitation").await;
    refused(("1", "olive@evil.test"), "may speak of no addresses there").await;
    // Who has no account yet makes one by the link of the invitation.
    let link = invite(&key, "ann@acme.test", "viewer").await;
    refused(("1", "ann@acme.test"), "open its link first").await;
    Browser::join(&rig, &link, "Ann").await;
    let mut ann = Browser::new(&rig);
    come_in(&mut ann, &provider, ("1", "ann@acme.test")).await.leads_to("/");
    // Who has one joins with it, and not by a provider's word.
    let elsewhere = rig.admitted("works", PlanName::Starter, Some("bob@acme.test")).await;
    let mut own = Browser::join(&rig, &elsewhere.invitation.unwrap(), "Bob").await;
    refused(("2", "bob@acme.test"), "is a member of this organization").await;
    let link = invite(&key, "bob@acme.test", "billing").await;
    refused(("2", "bob@acme.test"), "open its link first").await;
    own.fill(link.strip_prefix(crate::rig::URL).unwrap(), &[]).await.leads_to("/o/acme");
    let mut bob = Browser::new(&rig);
    come_in(&mut bob, &provider, ("2", "bob@acme.test")).await.leads_to("/");
    bob.open("/o/acme").await.is(200).says("Billing of ACME");
    // An address that somebody else has by now makes nobody that person.
    refused(("3", "bob@acme.test"), "knew bob@acme.test by another name before").await;
    // Who is taken out is out, and known no more.
    let members = key.get("/v1/members").await.body;
    let id = members["items"].as_array().unwrap().iter().find(|it| it["email"] == "bob@acme.test");
    let id = id.unwrap()["id"].as_str().unwrap();
    assert_eq!(key.delete(&format!("/v1/members/{id}")).await.status, 204);
    bob.open("/o/acme").await.leads_to("/signin?next=%2Fo%2Facme");
    refused(("2", "bob@acme.test"), "is a member of this organization").await;
}

#[sqlx::test(migrations = false)]
async fn whatever_a_provider_does_amiss_lets_nobody_in(db: PgPool) {
    let rig = Rig::new(db).await;
    let (_, _, provider) = acme(&rig).await;
    for (manner, why) in [
        (Manner::OtherNonce, "about another try to sign in"),
        (Manner::OtherAudience, "meant for another client"),
        (Manner::Unsigned, "not signed in a way that proves anything"),
        (Manner::BySecret, "not signed in a way that proves anything"),
        (Manner::UnknownKey, "signed by a key that it does not list"),
        (Manner::ForgedKey, "the signature of its word is not right"),
        (Manner::Expired, "has expired"),
        (Manner::OtherIssuer, "it calls itself"),
        (Manner::Unverified, "does not say that it has seen"),
    ] {
        provider.goes_about_it(manner);
        let mut browser = Browser::new(&rig);
        let page = come_in(&mut browser, &provider, OLIVE).await;
        page.is(403).says(why).says("Sign in with your company");
        assert!(browser.cookies.is_empty(), "{manner:?}");
        browser.open("/o/acme").await.leads_to("/signin?next=%2Fo%2Facme");
    }
    provider.goes_about_it(Manner::Well);
    come_in(&mut Browser::new(&rig), &provider, OLIVE).await.leads_to("/");
    // Keys change, and are asked for again, a minute after the last time at the earliest.
    provider.goes_about_it(Manner::NewKeys);
    rig.clock.advance(SignedDuration::from_mins(1));
    come_in(&mut Browser::new(&rig), &provider, OLIVE).await.leads_to("/");
}

#[sqlx::test(migrations = false)]
async fn who_comes_back_comes_once_in_time_and_in_the_same_browser(db: PgPool) {
    let rig = Rig::new(db).await;
    let (_, _, provider) = acme(&rig).await;
    let gone = |page: &Page| {
        page.is(403).says("or came back twice, or in another browser");
    };
    let mut browser = Browser::new(&rig);
    let page = go(&mut browser, "acme").await;
    let back = provider.lets_in(&page, OLIVE.0, OLIVE.1);
    // Somebody lures another one to come back with what is theirs.
    let mut lured = Browser::new(&rig);
    gone(&lured.open(&back).await);
    go(&mut lured, "acme").await;
    gone(&lured.open(&back).await);
    let cookie = browser.cookie("__Host-away");
    browser.open(&back).await.leads_to("/");
    browser.take("__Host-away", &cookie);
    gone(&browser.open(&back).await);
    // A code that was used leads to nothing at the provider either.
    let page = go(&mut browser, "acme").await;
    let fresh = provider.lets_in(&page, OLIVE.0, OLIVE.1);
    let code = |from: &str| from.split('&').next().unwrap().to_owned();
    let replayed = fresh.replace(&code(&fresh), &code(&back));
    browser.open(&replayed).await.is(403).says("does not take the code");
    // Nor does one that the provider gave to somebody else's try.
    let page = go(&mut browser, "acme").await;
    let mine = provider.lets_in(&page, OLIVE.0, OLIVE.1);
    let mut other = Browser::new(&rig);
    let page = go(&mut other, "acme").await;
    let theirs = provider.lets_in(&page, "somebody", "eve@acme.test");
    browser.open(&mine.replace(&code(&mine), &code(&theirs))).await.is(403).says("does not take");
    // Whoever says that they come from another provider, or from none.
    for iss in ["", "&iss=https%3A%2F%2Fidp.test"] {
        let page = go(&mut browser, "acme").await;
        let back = provider.lets_in(&page, OLIVE.0, OLIVE.1);
        let (back, _) = back.split_once("&iss=").unwrap();
        browser.open(&format!("{back}{iss}")).await.is(403).says("it calls itself");
    }
    let page = go(&mut browser, "acme").await;
    let back = provider.lets_in(&page, OLIVE.0, OLIVE.1);
    let path = back.split('?').next().unwrap();
    let denied = back.replace(&code(&back), &format!("{path}?error=access_denied"));
    browser.open(&denied).await.is(403).says("it did not let you in (access_denied)");
    let page = go(&mut browser, "acme").await;
    let late = provider.lets_in(&page, OLIVE.0, OLIVE.1);
    rig.clock.advance(SignedDuration::from_mins(10));
    gone(&browser.open(&late).await);
    browser.open("/signin/company/return/org_1").await.is(403);
    // What is said of one organization counts in no other one's place.
    let page = go(&mut browser, "acme").await;
    let back = provider.lets_in(&page, OLIVE.0, OLIVE.1);
    let path = back.split('?').next().unwrap();
    gone(&browser.open(&back.replace(path, "/signin/company/return/org_1")).await);
}

#[sqlx::test(migrations = false)]
async fn an_organization_sets_its_provider_and_nobody_sees_its_secret(db: PgPool) {
    let rig = Rig::new(db).await;
    let (key, mut olive, provider) = acme(&rig).await;
    let told = key.get(PATH).await;
    assert_eq!(told.body["domains"], json!(["acme.test"]));
    let redirect = told.body["redirectUrl"].as_str().unwrap();
    assert!(redirect.starts_with("https://console.test/signin/company/return/org_"), "{redirect}");
    assert!(!told.body.to_string().contains("between"), "{told:?}");
    let kept: Vec<u8> = sqlx::query_scalar("select client_secret from control.single_sign_on")
        .fetch_one(&rig.db)
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("between"));
    let page = olive.open("/o/acme/settings").await;
    page.says(provider.issuer()).says("acme.test").says_nothing_of("between");
    // Without a secret the one there is stays, for the same client of the same issuer.
    let mut same = wanted(&provider);
    same.as_object_mut().unwrap().remove("clientSecret");
    assert_eq!(put(&key, PATH, &same).await.status, 200);
    same["clientId"] = json!("another");
    let refused = put(&key, PATH, &same).await;
    assert_eq!(refused.code(), (400, "unreadable"));
    let wrong = |field: &str, value: Value| {
        let mut wanted = wanted(&provider);
        wanted[field] = value;
        wanted
    };
    for (wrong, why) in [
        (wrong("issuer", json!("http://idp.test")), "begins with https://"),
        (wrong("issuer", json!("https://10.0.0.1")), "not on the internet"),
        (wrong("issuer", json!(format!("{}/", provider.issuer()))), "is not the issuer"),
        (wrong("issuer", json!("http://127.0.0.1:1")), "does not answer"),
        (wrong("domains", json!([])), "from 1 to 20"),
        (wrong("domains", json!(["acme"])), "no domain such as"),
        (wrong("clientId", json!(" ")), "clientId"),
        (wrong("clientSecret", json!("")), "clientSecret"),
    ] {
        let refused = put(&key, PATH, &wrong).await;
        assert_eq!(refused.code(), (400, "unreadable"), "{wrong}");
        assert!(refused.body["detail"].as_str().unwrap().contains(why), "{refused:?}");
    }
    let form = [
        ("issuer", provider.issuer()),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("domains", "acme.test, acme.example"),
    ];
    let settings = "/o/acme/settings/single-sign-on";
    olive.fill(settings, &form).await.is(200).says("so from now on").says("acme.example");
    let form = [("issuer", "https://"), ("client_id", "x"), ("domains", "acme.test")];
    olive.fill(settings, &form).await.is(422).says("issuer:").says("value=\"https://\"");
    // Whom it let in is out when it goes.
    let mut browser = Browser::new(&rig);
    come_in(&mut browser, &provider, OLIVE).await.is(303);
    browser.open("/o/acme").await.is(200);
    olive.fill(&format!("{settings}/remove"), &[]).await.leads_to("/o/acme/settings");
    browser.open("/o/acme").await.leads_to("/signin?next=%2Fo%2Facme");
    assert_eq!(key.get(PATH).await.code(), (404, "not-found"));
    assert_eq!(key.delete(PATH).await.code(), (404, "not-found"));
    let unknown = go(&mut browser, "acme").await;
    unknown.is(422).says("Nobody signs in this way");
    let nobodys = go(&mut browser, "nobodys").await;
    assert_eq!(unknown.html.replace("acme", "nobodys"), nobodys.html);
    let audit = key.get("/v1/audit").await.body.to_string();
    assert!(audit.contains("organization.single-sign-on.remove"), "{audit}");
    // Whose scope it is not, nobody lets see it.
    let wanted = json!({"name": "less", "scopes": ["organization:read", "members:write"]});
    let less = key.post("/v1/keys", &wanted).await.body["secret"].as_str().unwrap().to_owned();
    assert_eq!(rig.caller(Some(&less)).get(PATH).await.code(), (403, "not-allowed"));
}

#[sqlx::test(migrations = false)]
async fn of_two_organizations_of_one_domain_the_address_tells_nobody_which(db: PgPool) {
    let rig = Rig::new(db).await;
    let (_, _, provider) = acme(&rig).await;
    let mut browser = Browser::new(&rig);
    let by_address = [("who", "ann@acme.test")];
    let page = browser.fill("/signin/company", &by_address).await;
    page.says(provider.issuer().strip_prefix("http://").unwrap());
    other(&rig, "works", "will@works.test").await;
    browser.fill("/signin/company", &by_address).await.is(422).says("short name");
    go(&mut browser, "works").await.is(200);
}

#[sqlx::test(migrations = false)]
async fn single_sign_on_alone_is_asked_by_who_came_by_it_and_owners_have_another_way(db: PgPool) {
    let rig = Rig::new(db).await;
    let (key, mut olive, provider) = acme(&rig).await;
    let link = invite(&key, "ann@acme.test", "admin").await;
    let mut ann = Browser::join(&rig, &link, "Ann").await;
    ann.open("/o/acme").await.is(200);
    let only = json!({"secondFactor": "optional", "singleSignOnOnly": true});
    let refused = put(&key, "/v1/organization/policy", &only).await;
    assert_eq!(refused.code(), (409, "shuts-you-out"));
    let form = [("second_factor", "optional"), ("single_sign_on_only", "only")];
    olive.fill("/o/acme/settings", &form).await.is(422).says("signed in by it");
    let mut by_provider = Browser::new(&rig);
    come_in(&mut by_provider, &provider, OLIVE).await.is(303);
    by_provider.fill("/o/acme/settings", &form).await.is(200).says("so from now on");

    // Members are led to it, and come in by it.
    ann.open("/o/acme/people").await.leads_to("/signin/company?who=acme&next=%2Fo%2Facme%2Fpeople");
    ann.open("/account").await.is(200);
    come_in(&mut ann, &provider, ("ann", "ann@acme.test")).await.is(303);
    ann.open("/o/acme/people").await.is(200);
    // An owner comes in without it, but not by a password alone.
    let led = olive.open("/o/acme").await;
    led.leads_to("/account/second-factor?next=%2Fo%2Facme");
    crate::second_factor::set_up(&rig, &mut olive, "/o/acme").await;
    olive.open("/o/acme/settings").await.is(200);
    // Nobody takes away what all come in by; keys go on.
    olive.fill("/o/acme/settings/single-sign-on/remove", &[]).await.is(422).says("otherwise first");
    assert_eq!(key.delete(PATH).await.code(), (409, "only-way-in"));
    assert_eq!(put(&key, "/v1/organization/policy", &only).await.status, 204);
    let any = json!({"secondFactor": "optional"});
    assert_eq!(put(&key, "/v1/organization/policy", &any).await.status, 204);
    assert_eq!(key.delete(PATH).await.status, 204);
}
