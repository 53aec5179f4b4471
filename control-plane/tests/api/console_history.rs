//! What was done to a platform and what its blueprint said, on pages.

use blueprint::status::Phase;
use blueprint::{BlueprintStatus, PlanName};
use serde_json::json;
use sqlx::PgPool;

use crate::Rig;
use crate::browser::Browser;
use crate::rig::written;

const BASE: &str = "/o/acme/platforms/harbour";

async fn owner(rig: &Rig) -> Browser<'_> {
    let admitted = rig.admitted("acme", PlanName::Business, Some("owner@acme.test")).await;
    let mut olive = Browser::join(rig, &admitted.invitation.unwrap(), "Olive").await;
    olive.fill("/o/acme/new", &[("blueprint", &written("harbour", "One"))]).await.is(303);
    olive
}

async fn change(olive: &mut Browser<'_>, display_name: &str) {
    let seen = olive.open(BASE).await.between("name=\"seen\" value=\"", "\"");
    let text = written("harbour", display_name);
    let fields = [("blueprint", text.as_str()), ("seen", seen.as_str())];
    olive.fill(&format!("{BASE}/blueprint"), &fields).await.leads_to(BASE);
}

#[sqlx::test(migrations = false)]
async fn what_is_on_its_way_is_told_with_how_far_it_is_and_why_it_failed(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig).await;
    let page = olive.open(BASE).await;
    page.says("It is made: 0 % is there.").says("Begun by Olive (usr_").says("live-news");
    olive.open(BASE).await.says("It is made: 0 % is there.");
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "No room <b>",
            "lastTransitionTime": "2026-03-01T12:00:00Z",
        })
    };
    let mut status = BlueprintStatus {
        phase: Some(Phase::Provisioning),
        observed_generation: Some(1),
        conditions: serde_json::from_value(json!([condition("DatabaseReady", "True", "Made")]))
            .unwrap(),
        ..BlueprintStatus::default()
    };
    rig.cluster.seen_as("harbour", status.clone());
    olive.open(BASE).await.says("It is made: 20 % is there.");
    status.conditions =
        serde_json::from_value(json!([condition("Ready", "False", "Refused")])).unwrap();
    rig.cluster.seen_as("harbour", status);
    olive.open(BASE).await.says_nothing_of("% is there");
    let list = olive.open(&format!("{BASE}/operations")).await;
    list.is(200).says("It is made").says("Failed").says("It cannot be done so: No room &lt;b&gt;");
    list.says("Olive (usr_");
}

#[sqlx::test(migrations = false)]
async fn what_the_blueprint_said_is_read_held_against_now_and_applied_again(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig).await;
    change(&mut olive, "Two").await;
    let list = olive.open(&format!("{BASE}/history")).await;
    list.is(200).says("Revision 2").says("Revision 1").says("1 field changes.");
    list.says("spec.identity.displayName: &quot;One&quot; -&gt; &quot;Two&quot;");
    olive.open(&format!("{BASE}/history/2")).await.is(200).says("Nothing: it says the same.");
    let first = olive.open(&format!("{BASE}/history/1")).await;
    first.is(200).says("displayName: One").says("Olive (usr_");
    first.says("spec.identity.displayName: &quot;One&quot; -&gt; &quot;Two&quot;");
    let seen = first.between("name=\"seen\" value=\"", "\"");
    let text = first.read_between("name=\"blueprint\" value=\"", "\">");
    let fields = [("blueprint", text.as_str()), ("seen", seen.as_str())];
    let preview = olive.fill(&format!("{BASE}/preview"), &fields).await;
    preview.is(200).says("Nothing is done yet.").says("1 field changes.");
    olive.fill(&format!("{BASE}/blueprint"), &fields).await.leads_to(BASE);
    assert_eq!(rig.cluster.of("harbour").unwrap().spec.identity.display_name, "One");
    for missing in ["0", "9", "-1", "x", "9223372036854775807"] {
        olive.open(&format!("{BASE}/history/{missing}")).await.is(404);
    }
}

#[sqlx::test(migrations = false)]
async fn who_only_looks_is_offered_nothing_to_apply(db: PgPool) {
    let rig = Rig::new(db).await;
    let mut olive = owner(&rig).await;
    let invite = [("email", "vera@acme.test"), ("role", "viewer")];
    let made = olive.fill("/o/acme/people", &invite).await;
    let mut vera = Browser::join(&rig, &made.between("<code>", "</code>"), "Vera").await;
    let page = vera.open(&format!("{BASE}/history/1")).await;
    page.is(200).says("displayName: One").says_nothing_of("Apply this again");
    vera.open(&format!("{BASE}/operations")).await.is(200).says("It is made");
}
