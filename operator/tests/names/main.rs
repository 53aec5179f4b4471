//! The database of names, on a real Postgres.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

use std::str::FromStr as _;
use std::sync::Arc;

use blueprint::status::DomainState;
use certificates::claims::{self, Look, Zones};
use certificates::served::{self, Platform, Standing};
use database::Admin;
use operator::domains::{Domains as _, DomainsError, EDGE_ROLE, Register, Wish};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use uuid::Uuid;
use work::Clock;

/// An installation's register, which goes with its test.
struct Rig {
    admin: Admin,
    name: String,
    register: Arc<Register>,
}

fn zones() -> Zones {
    Zones {
        own: vec!["platforms.test".to_owned()],
        targets: "edge.platforms.test".to_owned(),
        addresses: Vec::new(),
    }
}

impl Rig {
    async fn open(options: &PgConnectOptions) -> Self {
        let name = format!("test_{}", &Uuid::new_v4().simple().to_string()[..12]);
        let admin = Admin::new(options.clone());
        let register = Register::new(admin.clone(), &name, zones(), &name, None, Clock::System);
        register.take_charge(1).await;
        Self { admin, name, register }
    }

    async fn conn(&self) -> PgConnection {
        self.admin.connect_to(&self.name).await.unwrap()
    }

    /// Everybody who claims something proves that it is theirs.
    async fn prove_all(&self) {
        let mut conn = self.conn().await;
        let now = Clock::System.now();
        for claim in claims::due(&mut conn, 100, now).await.unwrap() {
            let look = Look { token_sought: claim.token, token: true, ..Look::default() };
            claims::record(&mut conn, claim.id, &look, now).await.unwrap();
        }
    }

    /// Who has proven a name.
    async fn owner(&self, name: &str) -> Option<Uuid> {
        let claim = claims::verified(&mut self.conn().await, &name.parse().unwrap()).await;
        claim.unwrap().map(|claim| claim.tenant.uid)
    }

    async fn close(self) {
        let mut conn = self.admin.connect().await.unwrap();
        let Self { name, .. } = &self;
        for sql in [
            format!("DROP DATABASE {name} WITH (FORCE)"),
            format!("DROP ROLE soulfra_fence_{name}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        }
    }
}

fn wish(uid: Uuid, names: &[&str]) -> Wish {
    let platform = Platform {
        uid,
        name: "acme".to_owned(),
        backend: "runtime.tenant-acme.svc:80".to_owned(),
        own_host: "acme.platforms.test".to_owned(),
        primary_host: None,
        standing: Standing::Serving,
        display_name: "Acme".to_owned(),
        support_email: None,
        looks: None,
        sleeps: None,
    };
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Wish { platform, names, comes_back: false, recheck: None, gone: None }
}

#[sqlx::test(migrations = false)]
async fn names_are_claimed_once_and_told_in_their_order_with_what_to_do(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rig = Rig::open(&options).await;
    let wish = wish(Uuid::new_v4(), &["shop.example.com", "acme.platforms.test", "example.org"]);
    let first = rig.register.keep(&wish).await.unwrap();
    let states = |kept: &operator::domains::Kept| {
        kept.names.iter().map(|it| (it.status.name.clone(), it.status.state)).collect::<Vec<_>>()
    };
    let waits = DomainState::WaitingForRecord;
    let expected = [
        ("shop.example.com", waits),
        ("acme.platforms.test", DomainState::Failed),
        ("example.org", waits),
    ];
    assert_eq!(states(&first), expected.map(|(name, state)| (name.to_owned(), state)));
    let why = first.names[1].stands.clone().unwrap();
    assert_eq!(why.reason, "BadName");
    assert!(why.message.contains("belongs to the service itself"), "{}", why.message);
    let second = rig.register.keep(&wish).await.unwrap();
    let records = |kept: &operator::domains::Kept| {
        kept.names.iter().map(|it| it.status.record.clone()).collect::<Vec<_>>()
    };
    assert_eq!(records(&first), records(&second), "claimed once");
    rig.prove_all().await;
    let proven = rig.register.keep(&wish).await.unwrap();
    assert_eq!(proven.names[0].status.state, DomainState::Verified);
    rig.close().await;
}

#[sqlx::test(migrations = false)]
async fn nobody_loses_a_name_before_it_was_asked_whether_that_is_so(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rig = Rig::open(&options).await;
    let uid = Uuid::new_v4();
    rig.register.keep(&wish(uid, &["shop.example.com"])).await.unwrap();
    rig.prove_all().await;
    let mut without = wish(uid, &[]);
    let unsure = DomainsError::Unsure { others: Vec::new() };
    assert_eq!(rig.register.keep(&without).await, Err(unsure));
    assert_eq!(rig.owner("shop.example.com").await, Some(uid));
    without.gone = Some(Vec::new());
    rig.register.keep(&without).await.unwrap();
    assert_eq!(rig.owner("shop.example.com").await, None);
    rig.close().await;
}

#[sqlx::test(migrations = false)]
async fn a_platform_that_comes_back_has_its_names_and_a_new_one_of_its_name_has_none(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rig = Rig::open(&options).await;
    let [first, second, third] = [(); 3].map(|()| Uuid::new_v4());
    let names = ["shop.example.com"];
    rig.register.keep(&wish(first, &names)).await.unwrap();
    rig.prove_all().await;
    rig.register.close(first).await.unwrap();
    assert_eq!(rig.register.of_name("acme").await.unwrap(), [first], "it is kept for it");
    assert_eq!(rig.register.keep(&wish(first, &names)).await, Err(DomainsError::Ended));

    let mut again = wish(second, &names);
    again.comes_back = true;
    let unsure = DomainsError::Unsure { others: vec![first] };
    assert_eq!(rig.register.keep(&again).await, Err(unsure));
    again.gone = Some(vec![first]);
    let kept = rig.register.keep(&again).await.unwrap();
    assert_eq!(kept.names[0].status.state, DomainState::Verified);
    assert_eq!(rig.owner("shop.example.com").await, Some(second));

    let mut new = wish(third, &names);
    new.gone = Some(vec![second]);
    let kept = rig.register.keep(&new).await.unwrap();
    assert_eq!(kept.names[0].status.state, DomainState::WaitingForRecord);
    assert_eq!(rig.owner("shop.example.com").await, None);
    rig.register.release(third).await.unwrap();
    assert!(rig.register.of_name("acme").await.unwrap().is_empty());
    rig.close().await;
}

#[sqlx::test(migrations = false)]
async fn an_operator_that_is_not_in_charge_any_more_changes_no_names(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rig = Rig::open(&options).await;
    let (uid, name) = (Uuid::new_v4(), rig.name.clone());
    rig.register.keep(&wish(uid, &[])).await.unwrap();
    let newer = Register::new(rig.admin.clone(), &name, zones(), &name, None, Clock::System);
    newer.take_charge(2).await;
    // What it had open was ended, and then it is told why.
    let old = async || rig.register.keep(&wish(uid, &["shop.example.com"])).await;
    assert!(matches!(old().await, Err(DomainsError::Fenced | DomainsError::Unreachable(_))));
    newer.keep(&wish(uid, &["example.org"])).await.unwrap();
    let all = claims::of_tenant(&mut rig.conn().await, uid).await.unwrap();
    assert_eq!(all.iter().map(|claim| claim.name.as_str()).collect::<Vec<_>>(), ["example.org"]);
    rig.close().await;
}

#[sqlx::test(migrations = false)]
async fn an_edge_reads_what_it_serves_and_nothing_beside_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rig = Rig::open(&options).await;
    let password = Some("of the edges".to_owned().into());
    let admin = rig.admin.clone();
    let register = Register::new(admin, &rig.name, zones(), &rig.name, password, Clock::System);
    register.take_charge(1).await;
    register.keep(&wish(Uuid::new_v4(), &["shop.example.com"])).await.unwrap();
    let login = options.clone().username(EDGE_ROLE).password("of the edges").database(&rig.name);
    let mut edge = login.connect().await.unwrap();
    let met = served::all(&mut edge).await.unwrap();
    assert_eq!(met.hosts.len(), 1);
    served::since(&mut edge, met.next).await.unwrap();
    let forbidden = [
        "select token from certificates.claim",
        "select key from certificates.account",
        "select key from certificates.acme_order",
        "update certificates.platform set backend = 'mine'",
        "insert into certificates.challenge values ('a', 'b', 'c', now())",
    ];
    for sql in forbidden {
        let refused = sqlx::raw_sql(sql).execute(&mut edge).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{sql}: {refused}");
    }
    rig.close().await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_not_waited_for_each_time() {
    let nowhere = PgConnectOptions::from_str("postgres://postgres@127.0.0.1:1/postgres").unwrap();
    let admin = Admin::new(nowhere);
    let register = Register::new(admin, "fleet", zones(), "test", None, Clock::System);
    for why in ["refused", "did not answer a moment ago"] {
        let kept = register.keep(&wish(Uuid::nil(), &[])).await.unwrap_err();
        assert!(kept.to_string().contains(why), "{kept}");
    }
}

#[sqlx::test(migrations = false)]
async fn what_one_platform_asks_for_keeps_no_other_from_its_names(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rig = Rig::open(&options).await;
    let mut odd = wish(Uuid::new_v4(), &["shop.example.com"]);
    for since in ["-009000-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-30T00:00:00Z"] {
        odd.recheck = Some(since.parse().unwrap());
        rig.register.keep(&odd).await.unwrap();
    }
    // Postgres takes no such character: that is nobody else's trouble.
    odd.platform.display_name = "\0".to_owned();
    assert!(matches!(rig.register.keep(&odd).await, Err(DomainsError::Failed(_))));
    let mut other = wish(Uuid::new_v4(), &["example.org"]);
    other.platform.name = "bolt".to_owned();
    other.platform.own_host = "bolt.platforms.test".to_owned();
    rig.register.keep(&other).await.unwrap();
    rig.close().await;
}
