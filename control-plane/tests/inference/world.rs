//! Tenants, claims and records, as model servers send them.

use blueprint::{Currency, Money, PlatformBlueprint};
use control_plane::db::treasury;
use control_plane::model_servers;
use jiff::Timestamp;
use serde_json::{Value, json};
use usage::{Claim, Event, Micros, Outcome, Tokens, Vault};
use uuid::Uuid;

use crate::Rig;
use crate::rig::{Answer, Caller, written};

/// Where money is asked for.
pub(crate) const LEASES: &str = "/v1/inference/leases";
/// Where it is told what was used.
pub(crate) const USAGE: &str = "/v1/inference/usage";

/// A new model server with a key.
pub(crate) async fn model_server<'a>(rig: &'a Rig, name: &str) -> Caller<'a> {
    rig.caller(Some(&key(rig, name).await))
}

/// Its key.
pub(crate) async fn key(rig: &Rig, name: &str) -> String {
    let key = model_servers::add(&rig.db, name, rig.clock.now()).await;
    key.unwrap().expose().to_owned()
}

/// Somebody has a blueprint with this budget.
pub(crate) fn has_budget(rig: &Rig, name: &str, monthly: Option<&str>) -> PlatformBlueprint {
    let mut blueprint = blueprint::read(&written(name, "Any")).unwrap();
    blueprint.spec.ai.monthly_budget = monthly.map(|it| it.parse::<Money>().unwrap());
    rig.cluster.by_kubectl(blueprint.clone());
    blueprint
}

/// A claim of a tenant's first holding.
pub(crate) fn claim(tenant: &str, number: u64, spent: u64, want: u64) -> Claim {
    Claim {
        holding: Uuid::from_u128(1),
        number,
        tenant: tenant.to_owned(),
        currency: Currency::USD,
        spent: Micros::new(spent),
        want: Micros::new(want),
    }
}

pub(crate) async fn lease(of: &Caller<'_>, claim: &Claim) -> Answer {
    of.post(LEASES, &serde_json::to_value(claim).unwrap()).await
}

/// An answer that cost so much, of this holding.
pub(crate) fn event(id: u128, tenant: &str, cost: u64, now: Timestamp) -> Event {
    Event {
        id: Uuid::from_u128(id),
        tenant: tenant.to_owned(),
        user: "ann".to_owned(),
        agent: "tutor".to_owned(),
        model: "small".to_owned(),
        request: format!("r-{id}"),
        tokens: Tokens { prompt: 20, cached: 5, completion: 30 },
        cost: Micros::new(cost),
        currency: Currency::USD,
        holding: Some(Uuid::from_u128(1)),
        outcome: Outcome::Finished,
        started_at: now,
        ended_at: now,
    }
}

pub(crate) async fn tell(of: &Caller<'_>, events: &[Event]) -> Answer {
    of.post(USAGE, &json!({"events": events})).await
}

/// What became of a batch: new, known, conflicts.
pub(crate) fn taken(answer: &Answer) -> [u64; 3] {
    assert_eq!(answer.status, 200, "{answer:?}");
    ["new", "known", "conflicts"].map(|what| answer.body[what].as_u64().unwrap())
}

/// The vault in dollars of a tenant that is nobody's platform, as it is kept.
pub(crate) async fn vault(rig: &Rig, tenant: &str) -> Vault {
    let mut conn = rig.db.acquire().await.unwrap();
    let chests = treasury::of(&mut conn, tenant, None).await.unwrap();
    let chest = chests.into_iter().find(|chest| chest.currency == Currency::USD);
    chest.map(|chest| chest.vault).unwrap_or_default()
}

/// What a lease says may be spent.
pub(crate) fn up_to(answer: &Answer) -> &Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    &answer.body["allowance"]["upTo"]
}
