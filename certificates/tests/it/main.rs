//! Domain names on a real database.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod proving;
mod takeover;
mod zone;

use certificates::Name;
use certificates::claims::{self, Changed, Claim, Tenant, Zones};
use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;
use uuid::Uuid;

pub(crate) use zone::Zone;

/// The address of the edge.
const EDGE: &str = "192.0.2.80";

fn noon() -> Timestamp {
    "2026-08-01T12:00:00Z".parse().unwrap()
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn zones() -> Zones {
    Zones {
        own: vec!["soulfra.app".to_owned()],
        targets: "edge.soulfra.app".to_owned(),
        addresses: vec![EDGE.parse().unwrap()],
    }
}

fn name(name: &str) -> Name {
    name.parse().unwrap()
}

fn tenant(name: &str) -> Tenant {
    Tenant { name: name.to_owned(), uid: Uuid::new_v4() }
}

/// The names of a platform are these from now on.
async fn want(db: &PgPool, tenant: &Tenant, names: &[&str], now: Timestamp) -> Vec<Claim> {
    let names: Vec<Name> = names.iter().map(|each| name(each)).collect();
    let mut tx = db.begin().await.unwrap();
    let claims = claims::want(&mut tx, &zones(), tenant, &names, now).await.unwrap();
    tx.commit().await.unwrap();
    claims
}

/// One name of a platform that has no other.
async fn claim(db: &PgPool, tenant: &Tenant, name: &str) -> Claim {
    want(db, tenant, &[name], noon()).await.remove(0)
}

/// The claim is looked at once.
async fn look(db: &PgPool, dns: &Zone, claim: &Claim, now: Timestamp) -> Changed {
    let mut conn = db.acquire().await.unwrap();
    let claim = claims::find(&mut conn, claim.id).await.unwrap().unwrap();
    drop(conn);
    let seen = claims::look(dns, &zones(), &claim).await;
    let mut tx = db.begin().await.unwrap();
    let changed = claims::record(&mut tx, claim.id, &seen, now).await.unwrap();
    tx.commit().await.unwrap();
    changed
}

/// The claim as it is now.
async fn again(db: &PgPool, claim: &Claim) -> Claim {
    let mut conn = db.acquire().await.unwrap();
    claims::find(&mut conn, claim.id).await.unwrap().unwrap()
}

/// Whose a name is.
async fn owner(db: &PgPool, owned: &str) -> Option<Tenant> {
    let mut conn = db.acquire().await.unwrap();
    claims::verified(&mut conn, &name(owned)).await.unwrap().map(|claim| claim.tenant)
}
