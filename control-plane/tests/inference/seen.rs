//! What people see of it.

use blueprint::PlanName;
use serde_json::{Value, json};
use sqlx::PgPool;
use usage::{Event, Outcome, Tokens};

use crate::Rig;
use crate::rig::{Caller, written};
use crate::world::{event, model_server, taken, tell};

async fn platform(of: &Caller<'_>, name: &str) -> String {
    let made = of.send("POST", "/v1/platforms", &[], written(name, "Any")).await;
    made.body["id"].as_str().unwrap().to_owned()
}

fn on(day: &str, event: Event) -> Event {
    Event { ended_at: format!("{day}T23:59:59Z").parse().unwrap(), ..event }
}

#[sqlx::test(migrations = false)]
async fn sums_are_exact_by_day_and_model_and_another_organizations_are_its_own(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let other = rig.admit("other", PlanName::Starter).await;
    let server = model_server(&rig, "gpu-1").await;
    let (harbour, quay) = (platform(&acme, "harbour").await, platform(&acme, "quay").await);
    let theirs = platform(&other, "theirs").await;
    let now = rig.clock.now();
    let large = |event: Event| Event { model: "large".to_owned(), ..event };
    let failed = |event: Event| Event { outcome: Outcome::Failed, ..event };
    let most = Tokens { prompt: 1 << 40, cached: 1 << 39, completion: 1 << 40 };
    let told = [
        on("2026-02-28", event(1, "harbour", 1, now)),
        on("2026-03-01", event(2, "harbour", 3_000_000_000_000_001, now)),
        on("2026-03-01", event(3, "harbour", 3_000_000_000_000_001, now)),
        on("2026-03-01", large(Event { tokens: most, ..event(4, "harbour", 7, now) })),
        on("2026-03-01", failed(event(5, "harbour", 0, now))),
        on("2026-03-02", event(6, "quay", 5, now)),
        on("2026-03-01", event(7, "theirs", 11, now)),
    ];
    for batch in told.chunks(3) {
        tell(&server, batch).await;
    }
    let row = |day: &str, model: &str, answers: u64, failed: u64, tokens: [u64; 3], cost: u64| {
        json!({"day": day, "model": model, "currency": "USD", "answers": answers, "failed": failed,
               "promptTokens": tokens[0], "cachedTokens": tokens[1], "completionTokens": tokens[2],
               "costMicros": cost})
    };
    let march = [
        row("2026-03-01", "large", 1, 0, [1 << 40, 1 << 39, 1 << 40], 7),
        row("2026-03-01", "small", 2, 1, [40, 10, 60], 6_000_000_000_000_002),
    ];
    let seen = acme.get(&format!("/v1/platforms/{harbour}/usage")).await.body;
    assert_eq!((&seen["from"], &seen["to"]), (&json!("2026-03-01"), &json!("2026-03-31")));
    assert_eq!(seen["days"], json!(march));
    assert_eq!(seen["totals"][0]["costMicros"], 6_000_000_000_000_009_u64);
    assert_eq!(seen["budgets"][0].get("monthlyMicros"), None);
    let both = acme.get("/v1/usage?from=2026-02-28&to=2026-03-02").await.body;
    let mut all = vec![row("2026-02-28", "small", 1, 0, [20, 5, 30], 1)];
    all.extend(march);
    all.push(row("2026-03-02", "small", 1, 0, [20, 5, 30], 5));
    assert_eq!(both["days"], json!(all));
    let february = acme.get(&format!("/v1/platforms/{harbour}/usage?month=2026-02")).await.body;
    assert_eq!(february["days"], json!([all[0]]));
    let of_quay = acme.get(&format!("/v1/platforms/{quay}/usage")).await.body;
    assert_eq!(of_quay["totals"][0]["costMicros"], 5);
    assert_eq!(other.get("/v1/usage").await.body["totals"][0]["costMicros"], 11);
    assert_eq!(acme.get(&format!("/v1/platforms/{theirs}/usage")).await.code(), (404, "not-found"));
    for wrong in ["month=2026", "from=2026-03-01", "from=2026-01-01&to=2026-06-01", "after=x"] {
        assert_eq!(acme.get(&format!("/v1/usage?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[sqlx::test(migrations = false)]
async fn who_may_not_see_platforms_sees_no_usage_and_what_is_not_claimed_shows_none(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let server = model_server(&rig, "gpu-1").await;
    let wanted = json!({"name": "audit", "scopes": ["audit:read"]});
    let made = acme.post("/v1/keys", &wanted).await;
    let audit = rig.caller(Some(made.body["secret"].as_str().unwrap()));
    assert_eq!(audit.get("/v1/usage").await.code(), (403, "not-allowed"));
    let text = format!("{}  organization: acme\n", written("harbour", "Any"));
    rig.cluster.by_kubectl(blueprint::read(&text).unwrap());
    control_plane::observer::round(&rig.app).await.unwrap();
    assert_eq!(taken(&tell(&server, &[event(1, "harbour", 9, rig.clock.now())]).await), [1, 0, 0]);
    let found = acme.get("/v1/platforms?name=harbour").await.body["items"][0].clone();
    assert_eq!(found["offered"], json!(true));
    let path = format!("/v1/platforms/{}/usage", found["id"].as_str().unwrap());
    let seen = acme.get(&path).await.body;
    assert_eq!((&seen["days"], &seen["budgets"]), (&json!([]), &json!([])));
    assert_eq!(acme.get("/v1/usage").await.body["days"], Value::Array(Vec::new()));
}

#[sqlx::test(migrations = false)]
async fn models_beyond_those_that_cost_most_are_one_row_and_the_sum_stays(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let server = model_server(&rig, "gpu-1").await;
    let harbour = platform(&acme, "harbour").await;
    let of = |id: u64| Event {
        model: format!("model-{id:02}"),
        ..event(u128::from(id), "harbour", id, rig.clock.now())
    };
    let told: Vec<_> = (1..=30).map(of).collect();
    assert_eq!(taken(&tell(&server, &told).await), [30, 0, 0]);
    for path in ["/v1/usage".to_owned(), format!("/v1/platforms/{harbour}/usage")] {
        let seen = acme.get(&path).await.body;
        let days = seen["days"].as_array().unwrap();
        assert_eq!(days.len(), 25, "{path}");
        let others = days.iter().find(|row| row["model"] == "others").unwrap();
        assert_eq!((&others["answers"], &others["costMicros"]), (&json!(6), &json!(21)), "{path}");
        assert_eq!(seen["totals"][0]["costMicros"], 465, "{path}");
    }
}
