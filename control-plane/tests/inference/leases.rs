//! Money by budgets of blueprints.

use blueprint::{Currency, PlanName};
use control_plane::db::treasury;
use control_plane::domain::id::PlatformId;
use serde_json::json;
use sqlx::PgPool;
use usage::{Claim, Event, Micros};

use crate::Rig;
use crate::world::{claim, event, has_budget, lease, model_server, taken, tell, up_to, vault};

#[sqlx::test(migrations = false)]
async fn a_tenant_is_leased_what_its_blueprint_allows_and_no_more(db: PgPool) {
    let rig = Rig::new(db).await;
    let server = model_server(&rig, "gpu-1").await;
    has_budget(&rig, "harbour", Some("1.00 USD"));
    has_budget(&rig, "quay", None);
    let first = lease(&server, &claim("harbour", 1, 0, 600_000)).await;
    assert_eq!(first.body["lifeMillis"], 300_000);
    assert_eq!(first.body["renewsAt"], "2026-04-01T00:00:00Z");
    assert_eq!(up_to(&first), 600_000);
    let other = Claim { holding: uuid::Uuid::from_u128(2), ..claim("harbour", 1, 0, 600_000) };
    assert_eq!(up_to(&lease(&server, &other).await), 400_000);
    let again = lease(&server, &claim("harbour", 1, 0, 600_000)).await;
    assert_eq!(again.body, first.body, "the same claim has the same answer");
    let later = lease(&server, &claim("harbour", 5, 100_000, 900_000)).await;
    assert_eq!(up_to(&later), 500_000);
    let stale = lease(&server, &claim("harbour", 4, 0, 1)).await;
    assert_eq!(stale.code(), (409, "claim-stale"));
    let unlimited = lease(&server, &claim("quay", 1, 0, 1)).await;
    assert_eq!(unlimited.body["allowance"], json!("unlimited"));
    let lost = Claim { holding: uuid::Uuid::from_u128(3), ..claim("harbour", 9, 7, 1) };
    assert_eq!(lease(&server, &lost).await.code(), (409, "holding-ended"));
    let euros = Claim { currency: "EUR".parse().unwrap(), ..claim("harbour", 9, 0, 1) };
    assert_eq!(lease(&server, &euros).await.code(), (409, "budget-currency"));
}

#[sqlx::test(migrations = false)]
async fn who_was_stopped_deleted_or_never_was_gets_no_new_money(db: PgPool) {
    let rig = Rig::new(db).await;
    let server = model_server(&rig, "gpu-1").await;
    let mut harbour = has_budget(&rig, "harbour", Some("1.00 USD"));
    assert_eq!(up_to(&lease(&server, &claim("harbour", 1, 0, 300_000)).await), 300_000);
    harbour.spec.suspended = true;
    rig.cluster.by_kubectl(harbour.clone());
    let stopped = lease(&server, &claim("harbour", 2, 100_000, 900_000)).await;
    assert_eq!(up_to(&stopped), 200_000, "what is held may be spent by now");
    let given_back = lease(&server, &claim("harbour", 3, 150_000, 0)).await;
    assert_eq!(up_to(&given_back), 0);
    assert_eq!(up_to(&lease(&server, &claim("harbour", 4, 150_000, 5)).await), 0);
    let vault = vault(&rig, "harbour").await;
    assert_eq!((vault.billed(), vault.held()), (Micros::new(150_000), Micros::ZERO));
    harbour.spec.suspended = false;
    harbour.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-03-01T12:00:00Z")).unwrap());
    rig.cluster.by_kubectl(harbour);
    assert_eq!(up_to(&lease(&server, &claim("harbour", 5, 150_000, 5)).await), 0);
    for nobody in ["nobody", "No Name"] {
        assert_eq!(up_to(&lease(&server, &claim(nobody, 1, 0, 5)).await), 0, "{nobody}");
    }
    let kept = sqlx::query_scalar::<_, String>("select tenant from control.treasury");
    assert_eq!(kept.fetch_all(&rig.db).await.unwrap(), ["harbour"], "nobody leaves nothing behind");
    for wrong in ["", "a\u{0}b", &"a".repeat(129)] {
        let refused = lease(&server, &claim(wrong, 1, 0, 5)).await;
        assert_eq!(refused.code(), (400, "unreadable"), "{wrong}");
    }
}

#[sqlx::test(migrations = false)]
async fn a_platforms_budget_is_there_again_next_month_and_its_page_says_when(db: PgPool) {
    let rig = Rig::new(db).await;
    let (acme, server) =
        (rig.admit("acme", PlanName::Starter).await, model_server(&rig, "gpu-1").await);
    let text = format!(
        "{}  ai:\n    monthlyBudget: {{amount: 100, currency: USD}}\n",
        crate::rig::written("harbour", "Harbour")
    );
    let made = acme.send("POST", "/v1/platforms", &[], text).await;
    let path = format!("/v1/platforms/{}/usage", made.body["id"].as_str().unwrap());
    let usd = Currency::USD;
    let budget = |spent: u64, held: u64, renews: &str| {
        json!([{"currency": usd, "monthlyMicros": 1_000_000, "spentMicros": spent, "heldMicros": held,
                "renewsAt": renews}])
    };
    let april = "2026-04-01T00:00:00Z";
    assert_eq!(acme.get(&path).await.body["budgets"], budget(0, 0, april));
    lease(&server, &claim("harbour", 1, 0, 1_000_000)).await;
    let told = [event(1, "harbour", 900_000, rig.clock.now())];
    assert_eq!(taken(&tell(&server, &told).await), [1, 0, 0]);
    assert_eq!(acme.get(&path).await.body["budgets"], budget(900_000, 100_000, april));
    rig.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
    assert_eq!(acme.get(&path).await.body["budgets"], budget(0, 0, "2026-05-01T00:00:00Z"));
    let next = Claim { holding: uuid::Uuid::from_u128(2), ..claim("harbour", 1, 0, 1_000_000) };
    assert_eq!(up_to(&lease(&server, &next).await), 1_000_000);
}

/// The only organization has a platform of this name from now on.
async fn is_now_owned(rig: &Rig, name: &str) -> PlatformId {
    let id = uuid::Uuid::now_v7();
    let sql = "insert into control.platform (id, name, organization, created_at)
               select $1, $2, id, $3::timestamptz from control.organization";
    let now = rig.clock.now().to_string();
    sqlx::query(sql).bind(id).bind(name).bind(now).execute(&rig.db).await.unwrap();
    PlatformId(id)
}

#[sqlx::test(migrations = false)]
async fn who_has_a_name_after_another_pays_nothing_of_what_was_used_before(db: PgPool) {
    let rig = Rig::new(db).await;
    let (acme, server) =
        (rig.admit("acme", PlanName::Starter).await, model_server(&rig, "gpu-1").await);
    has_budget(&rig, "harbour", Some("1.00 USD"));
    let before = rig.clock.now();
    lease(&server, &claim("harbour", 1, 0, 900_000)).await;
    assert_eq!(taken(&tell(&server, &[event(1, "harbour", 700_000, before)]).await), [1, 0, 0]);
    rig.clock.advance(jiff::SignedDuration::from_secs(60));
    let platform = is_now_owned(&rig, "harbour").await;
    let theirs = Claim { holding: uuid::Uuid::from_u128(2), ..claim("harbour", 1, 0, 1_000_000) };
    assert_eq!(up_to(&lease(&server, &theirs).await), 1_000_000);
    let former = lease(&server, &claim("harbour", 2, 700_000, 5)).await;
    assert_eq!(former.code(), (409, "holding-ended"));
    // Days late, for all that anybody knows.
    let late = event(2, "harbour", 50, before);
    let new = Event { holding: Some(theirs.holding), ..event(3, "harbour", 60, rig.clock.now()) };
    assert_eq!(taken(&tell(&server, &[late, new]).await), [2, 0, 0]);
    let mut conn = rig.db.acquire().await.unwrap();
    let chests = treasury::of(&mut conn, "harbour", Some(platform)).await.unwrap();
    let billed: Vec<_> = chests.iter().map(|chest| chest.vault.billed().get()).collect();
    assert_eq!(billed, [60]);
    assert!(treasury::of(&mut conn, "harbour", None).await.unwrap().is_empty());
    assert_eq!(acme.get("/v1/usage").await.body["totals"][0]["costMicros"], 60);
}

#[sqlx::test(migrations = false)]
async fn who_claims_of_a_tenant_that_others_have_soon_comes_again(db: PgPool) {
    let rig = Rig::new(db).await;
    let server = model_server(&rig, "gpu-1").await;
    has_budget(&rig, "harbour", Some("1.00 USD"));
    assert_eq!(up_to(&lease(&server, &claim("harbour", 1, 0, 5)).await), 5);
    let mut held = rig.db.begin().await.unwrap();
    sqlx::query("select 1 from control.treasury for update").execute(&mut *held).await.unwrap();
    let refused = lease(&server, &claim("harbour", 2, 0, 9)).await;
    assert_eq!((refused.code(), refused.header("retry-after")), ((503, "too-busy"), "1"));
    held.rollback().await.unwrap();
    assert_eq!(up_to(&lease(&server, &claim("harbour", 2, 0, 9)).await), 9);
}
