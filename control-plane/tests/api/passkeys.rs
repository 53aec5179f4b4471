//! Passkeys, with a device that is played and forms that a script would fill in.

use accounts::webauthn::{Answer, NewKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use blueprint::PlanName;
use sqlx::PgPool;

use crate::Rig;
use crate::browser::{Browser, PASSWORD, Page};
use crate::device::Device;

/// What the page asks the device.
pub(crate) fn asked(page: &Page) -> Vec<u8> {
    page.is(200).says("data-site=\"console.test\"").says("Passkeys need scripts");
    URL_SAFE_NO_PAD.decode(page.between("data-challenge=\"", "\"")).unwrap()
}

pub(crate) async fn add(browser: &mut Browser<'_>, new: &NewKey) -> Page {
    let [client, device, key] = [&new.client_data, &new.device_data, &new.public_key]
        .map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let fields = [
        ("name", "My phone"),
        ("client_data", &client),
        ("device_data", &device),
        ("public_key", &key),
        ("algorithm", "-7"),
    ];
    browser.fill("/account/passkeys", &fields).await
}

pub(crate) async fn sign_in(browser: &mut Browser<'_>, answer: &Answer) -> Page {
    let Answer { credential_id, client_data, device_data, signature } = answer;
    let [id, client, device, signature] = [credential_id, client_data, device_data, signature]
        .map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let fields = [
        ("id", &*id),
        ("client_data", &client),
        ("device_data", &device),
        ("signature", &signature),
        ("next", "/o/acme"),
    ];
    browser.fill("/signin/passkey", &fields).await
}

#[sqlx::test(migrations = false)]
async fn a_passkey_is_added_lets_its_person_in_and_is_removed(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, Some("olive@acme.test")).await;
    let mut olive = Browser::join(&rig, &admitted.invitation.unwrap(), "Olive").await;
    let mut phone = Device::new("console.test", crate::rig::URL);
    olive.open("/account").await.says("/account/passkeys/new");
    let new = "/account/passkeys/new";
    olive.open(new).await.is(200).says("show that it is you");
    olive.fill(new, &[("proof", "wrong wrong wrong")]).await.is(422).says("not your password");
    let page = olive.fill(new, &[("proof", PASSWORD)]).await;
    let made = phone.made(&asked(&page));
    // From another session it is nobody's.
    let mut elsewhere = Browser::new(&rig);
    let fields = [("email", "olive@acme.test"), ("password", PASSWORD)];
    elsewhere.fill("/signin", &fields).await.leads_to("/");
    add(&mut elsewhere, &made).await.is(422).says("not known here");
    add(&mut olive, &made).await.leads_to("/account");
    add(&mut olive, &made).await.is(422);
    let account = olive.open("/account").await;
    let id = account.says("My phone").between("/account/passkeys/", "/remove\"");
    // The device is told that it has one.
    let known = URL_SAFE_NO_PAD.encode(&phone.id);
    olive.fill(new, &[("proof", PASSWORD)]).await.says(&known);

    let mut other = Browser::new(&rig);
    other.open("/signin").await.says("/signin/passkey?next");
    let page = other.open("/signin/passkey?next=/o/acme").await;
    let answer = phone.signed(&asked(&page));
    sign_in(&mut other, &answer).await.leads_to("/o/acme");
    other.open("/o/acme").await.is(200);
    let replayed = sign_in(&mut Browser::new(&rig), &answer).await;
    replayed.is(422).says("not known here").says("data-challenge");
    let mut lured = phone.signed(&asked(&page));
    lured.signature.clear();
    sign_in(&mut Browser::new(&rig), &lured).await.is(422);

    elsewhere.fill(&format!("/account/passkeys/{id}/remove"), &[]).await.leads_to("/account");
    elsewhere.fill(&format!("/account/passkeys/{id}/remove"), &[]).await.is(404);
    let page = Browser::new(&rig).open("/signin/passkey").await;
    sign_in(&mut Browser::new(&rig), &phone.signed(&asked(&page))).await.is(422);
}

#[sqlx::test(migrations = false)]
async fn where_there_is_a_second_factor_a_passkey_is_added_by_it(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, Some("olive@acme.test")).await;
    let mut olive = Browser::join(&rig, &admitted.invitation.unwrap(), "Olive").await;
    let (app, _) = crate::second_factor::set_up(&rig, &mut olive, "/").await;
    let new = "/account/passkeys/new";
    // The password is not enough, though somebody sends it.
    olive.open(new).await.says("Code of the app").says_nothing_of("type=\"password\"");
    olive.fill(new, &[("proof", PASSWORD)]).await.is(422).says_nothing_of("data-challenge");
    let page = olive.fill(new, &[("proof", &*app.next())]).await;
    let mut phone = Device::new("console.test", crate::rig::URL);
    add(&mut olive, &phone.made(&asked(&page))).await.leads_to("/account");
    // Whoever runs the place takes both away.
    let email = "olive@acme.test".parse().unwrap();
    control_plane::lost::second_factor(&rig.db, &email, rig.clock.now()).await.unwrap();
    let page = Browser::new(&rig).open("/signin/passkey").await;
    sign_in(&mut Browser::new(&rig), &phone.signed(&asked(&page))).await.is(422);
}

#[sqlx::test(migrations = false)]
async fn a_passkey_stands_for_a_second_factor_and_a_password_puts_none_in_its_place(db: PgPool) {
    let rig = Rig::new(db).await;
    let admitted = rig.admitted("acme", PlanName::Starter, Some("olive@acme.test")).await;
    let mut olive = Browser::join(&rig, &admitted.invitation.unwrap(), "Olive").await;
    let (mut phone, new) = (Device::new("console.test", crate::rig::URL), "/account/passkeys/new");
    let page = olive.fill(new, &[("proof", PASSWORD)]).await;
    add(&mut olive, &phone.made(&asked(&page))).await.leads_to("/account");
    let account = olive.open("/account").await;
    let id = account.between("/account/passkeys/", "/remove\"");
    olive.fill("/o/acme/settings", &[("second_factor", "required")]).await.is(200);
    // Signed in by a password, they are shown the way.
    let set_up = "/account/second-factor";
    olive.open("/o/acme").await.leads_to(&format!("{set_up}?next=%2Fo%2Facme"));
    let shown = olive.open(&format!("{set_up}?next=%2Fo%2Facme")).await;
    shown.says("Your passkey stands for it").says("/signin/passkey?next");
    // Whoever stole the password makes nothing of it.
    let remove = format!("/account/passkeys/{id}/remove");
    for (path, back) in [(new, new), (set_up, set_up), (&*remove, "/account")] {
        let led = olive.fill(path, &[("proof", PASSWORD), ("password", PASSWORD)]).await;
        led.leads_to(&format!("/signin/passkey?next={}", back.replace('/', "%2F")));
    }
    let page = olive.open("/signin/passkey?next=/o/acme").await;
    sign_in(&mut olive, &phone.signed(&asked(&page))).await.leads_to("/o/acme");
    olive.open("/o/acme").await.is(200);
    olive.open("/signin/passkey?next=/o/acme").await.leads_to("/o/acme");
    olive.fill(&remove, &[]).await.leads_to("/account");
}
