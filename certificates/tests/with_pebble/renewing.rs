//! When certificates are renewed.

use certificates::Name;
use certificates::acme::Authority;
use certificates::claims::{self, Tenant};
use certificates::orders::{self, Issuer};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;
use work::Clock;

use crate::keeping::zones;
use crate::{issue, rig, root_key, settings, work};

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn a_certificate_is_renewed_when_its_authority_says_so(db: PgPool) {
    let (rig, _answers) = rig(&db).await;
    // Where none is asked for, Pebble takes any of its profiles.
    let profile = Some("default".to_owned());
    let settings = settings(vec![Authority { profile, ..rig.authority("pebble") }]);
    let working = work(&db, settings.clone());
    let mut conn = db.acquire().await.unwrap();
    let now = Clock::System.now();
    let acme = Tenant { name: "acme".to_owned(), uid: Uuid::new_v4() };
    let name: Name = "shop.example.com".parse().unwrap();
    claims::want(&mut conn, &zones(), &acme, &[name], now).await.unwrap();
    let verify = "update certificates.claim set state = 'verified', verified_at = now()";
    sqlx::query(verify).execute(&mut *conn).await.unwrap();
    issue(&db, &working, &["shop.example.com".to_owned()]).await;

    let issuer = Issuer::new(db.clone(), root_key(), settings, Clock::System);
    let renew_at = async || {
        let at = "select extract(epoch from renew_at)::bigint from certificates.certificate
                  where replaced_at is null";
        let at: i64 = sqlx::query_scalar(at).fetch_one(&db).await.unwrap();
        Timestamp::from_second(at).unwrap()
    };
    // Pebble's own: a day before or after two thirds of ninety days.
    assert_eq!(issuer.ask_when(10).await.unwrap(), 1);
    let first = renew_at().await;
    let days = first.duration_since(now).as_hours() / 24;
    assert!((58..=61).contains(&days), "{days}");
    assert_eq!(issuer.ask_when(10).await.unwrap(), 0, "not before its time");

    let chain = orders::current(&mut conn, "shop.example.com").await.unwrap().unwrap();
    let hour = SignedDuration::from_hours(1);
    let window = |from: Timestamp, to: Timestamp| json!({"suggestedWindow": {"start": from.to_string(), "end": to.to_string()}});
    let ask_now = async || {
        let now = "update certificates.certificate set ask_at = now()";
        sqlx::query(now).execute(&db).await.unwrap();
        issuer.ask_when(10).await.unwrap()
    };
    // A time that was chosen stays while it is within, and nonsense changes nothing.
    rig.set_renewal(&chain.pem, &window(first - hour, first + hour)).await;
    ask_now().await;
    assert_eq!(renew_at().await, first);
    for nonsense in [json!({"a": "b"}), json!("soon"), window(first + hour, first - hour)] {
        rig.set_renewal(&chain.pem, &nonsense).await;
        ask_now().await;
        assert_eq!(renew_at().await, first);
    }
    // Not after its end, whatever is said.
    rig.set_renewal(&chain.pem, &window(chain.not_after + hour, chain.not_after + hour * 2)).await;
    ask_now().await;
    assert!(renew_at().await < chain.not_after - hour * 24 * 8);
    // It was taken back: at once.
    rig.set_renewal(&chain.pem, &window(now - hour * 2, now - hour)).await;
    ask_now().await;
    let due = orders::due_for_renewal(&mut conn, 10, Clock::System.now()).await.unwrap();
    assert_eq!(due, ["shop.example.com"]);
    issue(&db, &working, &due).await;
    let renewed = orders::current(&mut conn, "shop.example.com").await.unwrap().unwrap();
    assert_ne!(renewed.identifier, chain.identifier);
}
