//! Our accounts at authorities: who wants to know of them beforehand, who does not answer, and keys
//! that change.

use certificates::acme::{Authority, Binding};
use certificates::orders::{self, Advanced, Issuer};
use jiff::SignedDuration;
use sqlx::PgPool;
use work::Clock;

use crate::answers::Answers;
use crate::rig::{Looks, Rig};
use crate::{issue, root_key, settings, work};

const WHO: (&str, &str) =
    ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn an_authority_that_knows_us_from_elsewhere_lets_us_in(db: PgPool) {
    let answers = Answers::from(&db).await;
    let looks = Looks { asks_who: Some(WHO), ..Looks::at(answers.port) };
    let rig = Rig::start(looks, &[]).await;
    // Whom it does not know it lets make no account.
    let stranger = Issuer::new(
        db.clone(),
        root_key(),
        settings(vec![rig.authority("as a stranger")]),
        Clock::System,
    );
    let mut conn = db.acquire().await.unwrap();
    let now = Clock::System.now();
    orders::want(&mut conn, &root_key(), "a.example.com", now).await.unwrap();
    let order = orders::open(&mut conn, "a.example.com").await.unwrap().unwrap();
    let Advanced::Later(trouble) = stranger.one(&order).await else { panic!("it was let in") };
    assert!(trouble.to_string().contains("xternal"), "{trouble}");

    let binding = Binding { id: WHO.0.to_owned(), key: WHO.1.into() };
    let known = Authority { binding: Some(binding), ..rig.authority("as ourselves") };
    let working = work(&db, settings(vec![known]));
    issue(&db, &working, &["b.example.com".to_owned()]).await;
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn an_account_goes_on_with_another_key(db: PgPool) {
    let (rig, _answers) = crate::rig(&db).await;
    let authority = rig.authority("pebble");
    let stored = async || {
        let account = "select key, url from certificates.account";
        sqlx::query_as::<_, (Vec<u8>, String)>(account).fetch_one(&db).await.unwrap()
    };
    let issuer = || {
        let settings = settings(vec![authority.clone()]);
        Issuer::new(db.clone(), root_key(), settings, Clock::System)
    };
    let now = Clock::System.now();
    let first = issuer();
    first.accounts().at(&authority, now).await.unwrap();
    let (key, url) = stored().await;
    first.accounts().change_key(&authority, now).await.unwrap();
    let (changed, same) = stored().await;
    assert!(changed != key && same == url);
    // Who had it open goes on, and so does who opens it now.
    let mut conn = db.acquire().await.unwrap();
    for (issuer, name) in [(first, "a.example.com"), (issuer(), "b.example.com")] {
        orders::want(&mut conn, &root_key(), name, now).await.unwrap();
        let order = orders::open(&mut conn, name).await.unwrap().unwrap();
        assert!(matches!(issuer.one(&order).await, Advanced::Issued), "{name}");
    }
    assert_eq!(stored().await, (changed, url));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn where_one_authority_is_silent_the_next_is_asked(db: PgPool) {
    let (rig, _answers) = crate::rig(&db).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directory = format!("https://{nobody}/dir");
    let silent = Authority { directory, ..rig.authority("the silent one") };
    let start = Clock::System.now();
    let clock = Clock::fixed(start);
    let authorities = settings(vec![silent, rig.authority("the other")]);
    let issuer = Issuer::new(db.clone(), root_key(), authorities, clock.clone());
    let mut conn = db.acquire().await.unwrap();
    orders::want(&mut conn, &root_key(), "a.example.com", start).await.unwrap();
    let mut said = Vec::new();
    for _ in 0..20 {
        let order = orders::open(&mut conn, "a.example.com").await.unwrap().unwrap();
        match issuer.one(&order).await {
            Advanced::Issued => break,
            Advanced::Later(trouble) => said.push(trouble.to_string()),
        }
        clock.advance(SignedDuration::from_mins(3));
    }
    assert!((2..10).contains(&said.len()), "{said:#?}");
    let by: String = sqlx::query_scalar("select authority from certificates.certificate")
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(by, "the other");
}
