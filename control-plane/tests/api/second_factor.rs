//! Something beside the password, in a browser without scripts.

use accounts::Secret;
use blueprint::PlanName;
use control_plane::lost;
use jiff::SignedDuration;
use serde_json::json;
use sqlx::PgPool;

use crate::Rig;
use crate::browser::{Browser, PASSWORD, Page};

const SET_UP: &str = "/account/second-factor";

/// The phone.
pub(crate) struct App<'a> {
    rig: &'a Rig,
    secret: Secret,
}

impl App<'_> {
    /// What it shows half a minute later than the last time.
    pub(crate) fn next(&self) -> String {
        self.rig.clock.advance(SignedDuration::from_secs(30));
        self.shown()
    }

    /// What it shows.
    pub(crate) fn shown(&self) -> String {
        self.secret.code_at(self.rig.clock.now())
    }
}

async fn owner<'a>(rig: &'a Rig, slug: &str) -> Browser<'a> {
    let admitted = rig.admitted(slug, PlanName::Starter, Some("olive@acme.test")).await;
    Browser::join(rig, &admitted.invitation.unwrap(), "Olive").await
}

/// Sets one up, and says which recovery codes there are.
pub(crate) async fn set_up<'a>(
    rig: &'a Rig,
    browser: &mut Browser<'a>,
    next: &str,
) -> (App<'a>, Vec<String>) {
    let fields = [("password", PASSWORD), ("next", next)];
    let shown = browser.fill(SET_UP, &fields).await;
    let secret = shown.is(200).says("<svg").between("<code>", "</code>").replace(' ', "");
    let app = App { rig, secret: Secret::read(&secret.into()).unwrap() };
    let fields = [("code", &*app.next()), ("next", next)];
    let codes = browser.fill(&format!("{SET_UP}/confirm"), &fields).await;
    codes.is(200).says("never again").says(&format!("href=\"{next}\""));
    let codes = codes.html.split("<li><code>").skip(1);
    let codes: Vec<_> = codes.map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect();
    assert_eq!(codes.len(), 10);
    (app, codes)
}

async fn by_password(browser: &mut Browser<'_>, next: &str) -> Page {
    let fields = [("email", "olive@acme.test"), ("password", PASSWORD), ("next", next)];
    browser.fill("/signin", &fields).await
}

#[sqlx::test(migrations = false)]
async fn it_is_set_up_asked_for_and_turned_off_without_scripts(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme").await;
    olive.open("/account").await.says("Off: whoever knows your password").says(SET_UP);
    olive.open(SET_UP).await.is(200).says("show that it is you");
    let wrong = [("password", "wrong wrong wrong")];
    olive.fill(SET_UP, &wrong).await.is(422).says("not your password").says_nothing_of("<code>");
    let shown = olive.fill(SET_UP, &[("password", PASSWORD)]).await;
    let field = "inputmode=\"numeric\"";
    shown.is(200).says("otpauth://totp/Soulfra:olive%40acme%2Etest?").says(field);
    shown.says("autocomplete=\"one-time-code\"");
    // The same secret is shown to who slips.
    let secret = shown.between("<code>", "</code>");
    let slip = olive.fill(&format!("{SET_UP}/confirm"), &[("code", "12345")]).await;
    slip.is(422).says("not the code that the app shows").says(&secret);
    let (app, codes) = set_up(&rig, &mut olive, "/account").await;
    olive.open("/account").await.says("10 recovery codes are").says("Turn it off");
    olive.open(SET_UP).await.leads_to("/account");

    let mut elsewhere = Browser::new(&rig);
    let asked = by_password(&mut elsewhere, "/o/acme/people").await;
    asked.leads_to("/signin/code?next=%2Fo%2Facme%2Fpeople");
    elsewhere.open(&asked.location).await.is(200).says(field).says("Use a recovery code");
    for nonsense in ["", "12345", "abc", "000000000000000000000"] {
        elsewhere.fill("/signin/code", &[("code", nonsense)]).await.is(422).says("not right");
    }
    let fields = [("code", &*app.next()), ("next", "/o/acme/people")];
    elsewhere.fill("/signin/code", &fields).await.leads_to("/o/acme/people");
    elsewhere.open("/o/acme/people").await.is(200);
    // A half that was used leads nowhere; nor does the code again.
    let mut late = Browser::new(&rig);
    late.open("/signin/code?next=/account").await.leads_to("/signin?next=%2Faccount");
    by_password(&mut late, "/").await.is(303);
    late.fill("/signin/code", &fields).await.is(422).says("each works once");
    // On paper.
    late.open("/signin/recovery-code").await.is(200).says("each works once");
    let paper = [("code", &*codes[2].to_uppercase())];
    late.fill("/signin/recovery-code", &paper).await.leads_to("/");
    late.open("/account").await.says("9 recovery codes are");
    let mut again = Browser::new(&rig);
    by_password(&mut again, "/").await.is(303);
    again.fill("/signin/recovery-code", &paper).await.is(422).says("was used already");
    // Too late.
    rig.clock.advance(SignedDuration::from_mins(5));
    again.open("/signin/code").await.leads_to("/signin?next=%2F");
    let gone = again.fill("/signin/code", &[("code", &*app.next())]).await;
    gone.is(422).says("took too long").says("name=\"password\"");

    let renew = "/account/recovery-codes";
    olive.open(renew).await.is(200).says("work no more");
    olive.fill(renew, &[("code", &*codes[2])]).await.is(422);
    let fresh = olive.fill(renew, &[("code", &*app.next())]).await;
    fresh.is(200).says("never again").says_nothing_of(&codes[0]);
    let off = "/account/second-factor/off";
    olive.fill(off, &[("code", &*codes[0])]).await.is(422).says("not right");
    olive.fill(off, &[("code", &*app.next())]).await.leads_to("/account");
    by_password(&mut Browser::new(&rig), "/").await.leads_to("/");
}

#[sqlx::test(migrations = false)]
async fn who_is_half_way_in_reaches_nothing(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme").await;
    let (app, _) = set_up(&rig, &mut olive, "/").await;
    let mut half = Browser::new(&rig);
    by_password(&mut half, "/").await.is(303);
    // Nor where its secret is handed in as that of a session.
    let mut forged = Browser::new(&rig);
    forged.take("__Host-session", &half.cookie("__Host-half"));
    for browser in [&mut half, &mut forged] {
        for path in ["/", "/account", "/o/acme", "/o/acme/people", "/o/acme/settings", SET_UP] {
            let page = browser.open(path).await;
            assert!(page.is(303).location.starts_with("/signin?"), "{page:?}");
        }
        for path in [SET_UP, "/account/second-factor/off", "/account/recovery-codes"] {
            let fields = [("password", PASSWORD), ("code", "000000")];
            let page = browser.fill(path, &fields).await;
            assert!(page.is(303).location.starts_with("/signin?"), "{page:?}");
        }
    }
    // A session is no half one.
    let mut turned = Browser::new(&rig);
    turned.take("__Host-half", &olive.cookie("__Host-session"));
    let page = turned.fill("/signin/code", &[("code", &*app.next())]).await;
    page.is(422).says("took too long");
}

#[sqlx::test(migrations = false)]
async fn guesses_are_slowed(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme").await;
    let (app, _) = set_up(&rig, &mut olive, "/").await;
    let mut mallory = Browser::new(&rig);
    let next = app.next();
    let guess = |at: u32| format!("{:06}", (next.parse::<u32>().unwrap() + at) % 1_000_000);
    for at in 1..=5 {
        by_password(&mut mallory, "/").await.is(303);
        mallory.fill("/signin/code", &[("code", &*guess(at))]).await.is(422);
    }
    by_password(&mut mallory, "/").await.is(303);
    let slowed = mallory.fill("/signin/code", &[("code", &*next)]).await;
    slowed.is(429).says("please wait one second");
    // Whoever sits at the open session guesses no faster.
    let slowed = olive.fill("/account/second-factor/off", &[("code", &*next)]).await;
    slowed.is(429).says("please wait");
}

#[sqlx::test(migrations = false)]
async fn an_organization_that_asks_for_one_leads_its_members_to_it(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme").await;
    let invite = [("email", "ann@acme.test"), ("role", "admin")];
    let link = olive.fill("/o/acme/people", &invite).await.between("<code>", "</code>");
    let mut ann = Browser::join(&rig, &link, "Ann").await;
    // Owners say so, and nobody else.
    ann.open("/o/acme").await.says_nothing_of("/o/acme/settings");
    let required = [("second_factor", "required")];
    ann.open("/o/acme/settings").await.is(403);
    ann.fill("/o/acme/settings", &required).await.is(403);
    olive.open("/o/acme/settings").await.is(200).says("2 members have no second factor");
    olive.fill("/o/acme/settings", &required).await.is(200).says("so from now on");

    for path in ["/o/acme", "/o/acme/people", "/o/acme/keys", "/o/acme/platforms/x"] {
        let next = path.replace('/', "%2F");
        ann.open(path).await.leads_to(&format!("{SET_UP}?next={next}"));
        olive.open(path).await.leads_to(&format!("{SET_UP}?next={next}"));
    }
    let key = [("name", "x"), ("days", "7"), ("audit:read", "on")];
    for (path, fields) in [("people", &invite[..]), ("settings", &required), ("keys", &key)] {
        let led = ann.fill(&format!("/o/acme/{path}"), fields).await;
        led.leads_to(&format!("{SET_UP}?next=%2F"));
    }
    // Elsewhere they do what they did.
    ann.open("/account").await.is(200);
    let (app, _) = set_up(&rig, &mut ann, "/o/acme").await;
    ann.open("/o/acme").await.is(200);
    // Who turns it off is led there again.
    ann.fill("/account/second-factor/off", &[("code", &*app.next())]).await.is(303);
    ann.open("/o/acme").await.leads_to(&format!("{SET_UP}?next=%2Fo%2Facme"));
    set_up(&rig, &mut olive, "/o/acme").await;
    olive.open("/o/acme/audit").await.is(200).says("organization.policy");
    olive.fill("/o/acme/settings", &[("second_factor", "optional")]).await.is(200);
    ann.open("/o/acme").await.is(200);
}

#[sqlx::test(migrations = false)]
async fn the_policy_is_set_by_a_key_that_may_and_told(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let put = async |caller: &crate::rig::Caller<'_>, policy: serde_json::Value| {
        caller.send("PUT", "/v1/organization/policy", &[], policy.to_string()).await
    };
    let told = acme.get("/v1/organization").await;
    assert_eq!(
        told.body["policy"],
        json!({"secondFactor": "optional", "singleSignOnOnly": false, "allowedAddresses": []})
    );
    for _ in 0..2 {
        assert_eq!(put(&acme, json!({"secondFactor": "required"})).await.status, 204);
    }
    let told = acme.get("/v1/organization").await;
    assert_eq!(told.body["policy"]["secondFactor"], "required");
    let audit = acme.get("/v1/audit").await.body.to_string();
    assert_eq!(audit.matches("organization.policy").count(), 1, "{audit}");
    for wrong in [json!({"secondFactor": "always"}), json!({}), json!({"secondfactor": "optional"})]
    {
        assert_eq!(put(&acme, wrong).await.code(), (400, "unreadable"));
    }
    let wanted = json!({"name": "less", "scopes": ["owners:write", "members:write"]});
    let less = acme.post("/v1/keys", &wanted).await.body["secret"].as_str().unwrap().to_owned();
    let less = rig.caller(Some(&less));
    let refused = put(&less, json!({"secondFactor": "optional"})).await;
    assert_eq!(refused.code(), (403, "not-allowed"));
}

#[sqlx::test(migrations = false)]
async fn who_lost_phone_and_codes_is_let_in_again_by_whoever_runs_it(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig, "acme").await;
    let email = "olive@acme.test".parse().unwrap();
    let now = rig.clock.now();
    let nothing = lost::second_factor(&rig.db, &email, now).await.unwrap_err();
    assert!(nothing.to_string().contains("has no second factor and no passkey"), "{nothing}");
    let nobody = lost::second_factor(&rig.db, &"x@acme.test".parse().unwrap(), now).await;
    assert!(nobody.unwrap_err().to_string().contains("nobody has an account"));
    set_up(&rig, &mut olive, "/").await;
    lost::second_factor(&rig.db, &email, rig.clock.now()).await.unwrap();
    // Whoever found the phone may be signed in with it.
    olive.open("/account").await.leads_to("/signin?next=%2Faccount");
    by_password(&mut olive, "/o/acme/audit").await.leads_to("/o/acme/audit");
    olive.open("/o/acme/audit").await.says("member.second-factor.forget").says("operator");
}
