//! Model servers have keys of their own kind.

use blueprint::PlanName;
use control_plane::model_servers;
use serde_json::json;
use sqlx::PgPool;

use crate::Rig;
use crate::world::{LEASES, USAGE, claim, has_budget, key, lease, model_server, tell};

#[sqlx::test(migrations = false)]
async fn a_key_of_an_organization_is_none_of_a_model_server_and_the_other_way_round(db: PgPool) {
    let rig = Rig::new(db).await;
    let acme = rig.admit("acme", PlanName::Starter).await;
    let server = model_server(&rig, "gpu-1").await;
    has_budget(&rig, "harbour", None);
    let claim = claim("harbour", 1, 0, 5);
    for who in [&acme, &rig.caller(None), &rig.caller(Some("soulfra_models_x"))] {
        assert_eq!(lease(who, &claim).await.code(), (401, "no-key"));
        assert_eq!(tell(who, &[]).await.code(), (401, "no-key"));
    }
    for path in ["/v1/platforms", "/v1/usage", "/v1/organization", "/v1/audit"] {
        assert_eq!(server.get(path).await.code(), (401, "no-key"), "{path}");
    }
    assert_eq!(lease(&server, &claim).await.status, 200);
    assert_eq!(tell(&server, &[]).await.status, 200);
}

#[sqlx::test(migrations = false)]
async fn a_key_that_was_taken_back_is_good_for_nothing_and_its_name_is_free(db: PgPool) {
    let rig = Rig::new(db).await;
    let first = key(&rig, "gpu-1").await;
    let server = rig.caller(Some(&first));
    assert_eq!(tell(&server, &[]).await.status, 200);
    let now = rig.clock.now();
    let taken = model_servers::add(&rig.db, "gpu-1", now).await.unwrap_err().to_string();
    assert!(taken.contains("gpu-1") && taken.contains("revoke"), "{taken}");
    model_servers::revoke(&rig.db, "gpu-1", now).await.unwrap();
    assert_eq!(tell(&server, &[]).await.code(), (401, "no-key"));
    assert!(model_servers::revoke(&rig.db, "gpu-1", now).await.is_err());
    let second = key(&rig, "gpu-1").await;
    assert_eq!(tell(&rig.caller(Some(&second)), &[]).await.status, 200);
    let lines = model_servers::list(&rig.db).await.unwrap();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("gpu-1 mds_") && lines[0].contains("seen 2026-03-01"),
        "{lines:?}"
    );
    assert!(lines[1].contains("revoked 2026-03-01"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains(&first) && !line.contains(&second)));
    for wrong in ["", "GPU", "a b", "-a", "a-", &"a".repeat(41)] {
        assert!(model_servers::add(&rig.db, wrong, now).await.is_err(), "{wrong}");
    }
}

#[sqlx::test(migrations = false)]
async fn no_rate_of_people_holds_model_servers_and_nothing_unreadable_is_taken(db: PgPool) {
    let rig = Rig::new(db).await;
    let server = model_server(&rig, "gpu-1").await;
    let asked = tell(&server, &[]).await;
    assert_eq!((asked.status.as_u16(), asked.header("ratelimit")), (200, ""));
    for (path, body) in [
        (LEASES, json!({"tenant": "acme"})),
        (USAGE, json!({"events": [{"id": 1}]})),
        (USAGE, json!([])),
    ] {
        assert_eq!(server.post(path, &body).await.code(), (400, "unreadable"), "{path}");
    }
    // Larger than anything else that may be sent, and still read.
    let long = format!("{{\"events\": [], \"more\": \"{}\"}}", "x".repeat(7 << 20));
    assert_eq!(server.send("POST", USAGE, &[], long).await.status, 200);
    let longer = format!("{{\"events\": [], \"more\": \"{}\"}}", "x".repeat(9 << 20));
    assert!(server.send("POST", USAGE, &[], longer).await.status.is_client_error());
}
