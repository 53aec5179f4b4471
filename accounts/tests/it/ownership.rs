//! The admin link.
use accounts::events::{self, Kind};
use accounts::links::LinkError;
use accounts::ownership::{
    For, NewOwner, Welcome, WelcomeError, claim_ownership, issue, look, offer, sign_in_by_link,
};
use accounts::sign_in::sign_in;
use accounts::{NewPassword, Role, Status, people, sessions};
use sqlx::{Connection, PgPool};

use crate::{PASSWORD, days, noon, passwords, signed_up_as, trying, visit};

async fn new_owner(name: &str) -> NewOwner {
    let email = format!("{name}@example.com").parse().unwrap();
    let password = NewPassword::new(&PASSWORD.into(), &email).unwrap();
    let hash = passwords().hash(&password).await.unwrap();
    NewOwner { email, display_name: name.parse().unwrap(), hash }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn the_first_link_makes_the_owner(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let link = issue(&mut conn, noon()).await.unwrap();
    let token = link.token.expose();
    assert_eq!(look(&mut conn, token, noon()).await.unwrap(), Welcome::FirstOwner);
    let ann = new_owner("ann").await;
    let (owner, session) = claim_ownership(&mut conn, token, &ann, &visit(), noon()).await.unwrap();
    assert_eq!((owner.role, owner.status), (Role::Owner, Status::Active));
    let found = sessions::find(&mut conn, session.token.expose(), noon()).await.unwrap().unwrap();
    assert_eq!(found.person, owner);
    sign_in(&mut conn, &passwords(), trying("ann", PASSWORD), noon()).await.unwrap();

    let again = claim_ownership(&mut conn, token, &new_owner("bob").await, &visit(), noon()).await;
    assert!(matches!(again, Err(WelcomeError::Link(LinkError::Used))), "{again:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn of_two_who_claim_at_once_one_owns(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let link = issue(&mut conn, noon()).await.unwrap();
    let mut claims = Vec::new();
    for name in ["ann", "bob", "cid", "dee"] {
        let (db, token, owner) = (db.clone(), link.token.clone(), new_owner(name).await);
        claims.push(tokio::spawn(async move {
            let mut tx = db.begin().await.unwrap();
            let claimed = claim_ownership(&mut tx, token.expose(), &owner, &visit(), noon()).await;
            match claimed {
                Ok(_) => tx.commit().await.unwrap(),
                Err(_) => tx.rollback().await.unwrap(),
            }
            claimed.is_ok()
        }));
    }
    let mut owners = 0;
    for claim in claims {
        owners += usize::from(claim.await.unwrap());
    }
    assert_eq!(owners, 1);
    assert_eq!(people::list(&mut conn, None, 10).await.unwrap().people.len(), 1);
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_claim_with_a_taken_address_leaves_the_link_good(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "ann", Role::User).await;
    let link = issue(&mut conn, noon()).await.unwrap();
    let token = link.token.expose();
    let mut tx = conn.begin().await.unwrap();
    let taken = claim_ownership(&mut tx, token, &new_owner("ann").await, &visit(), noon()).await;
    assert!(matches!(taken, Err(WelcomeError::EmailTaken)), "{taken:?}");
    tx.rollback().await.unwrap();
    let bob = new_owner("bob").await;
    claim_ownership(&mut conn, token, &bob, &visit(), noon()).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_later_link_lets_the_owner_back_in(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (owner, _) = signed_up_as(&mut conn, "ann", Role::Owner).await;
    signed_up_as(&mut conn, "bob", Role::Owner).await;
    let link = issue(&mut conn, noon()).await.unwrap();
    let token = link.token.expose();
    assert_eq!(look(&mut conn, token, noon()).await.unwrap(), Welcome::Back(owner.clone()));

    let mut tx = conn.begin().await.unwrap();
    let claimed = claim_ownership(&mut tx, token, &new_owner("eve").await, &visit(), noon()).await;
    assert!(matches!(claimed, Err(WelcomeError::OwnerExists)), "{claimed:?}");
    tx.rollback().await.unwrap();

    let (person, session) = sign_in_by_link(&mut conn, token, &visit(), noon()).await.unwrap();
    assert_eq!(person, owner);
    assert!(sessions::find(&mut conn, session.token.expose(), noon()).await.unwrap().is_some());
    let events = events::list(&mut conn, owner.id, 10).await.unwrap();
    assert!(events.iter().any(|event| event.kind == Kind::SignedInByLink));
    let again = sign_in_by_link(&mut conn, token, &visit(), noon()).await;
    assert!(matches!(again, Err(WelcomeError::Link(LinkError::Used))), "{again:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_link_for_the_first_owner_is_void_once_there_is_one(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let link = issue(&mut conn, noon()).await.unwrap();
    signed_up_as(&mut conn, "ann", Role::Owner).await;
    let seen = look(&mut conn, link.token.expose(), noon()).await;
    assert!(matches!(seen, Err(WelcomeError::OwnerExists)), "{seen:?}");
    let eve = new_owner("eve").await;
    let claimed = claim_ownership(&mut conn, link.token.expose(), &eve, &visit(), noon()).await;
    assert!(matches!(claimed, Err(WelcomeError::OwnerExists)), "{claimed:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_link_lets_nobody_in_who_was_suspended_since(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (owner, _) = signed_up_as(&mut conn, "ann", Role::Owner).await;
    signed_up_as(&mut conn, "bob", Role::Owner).await;
    let link = issue(&mut conn, noon()).await.unwrap();
    people::suspend(&mut conn, Role::Owner, owner.id).await.unwrap();
    let seen = look(&mut conn, link.token.expose(), noon()).await;
    assert!(matches!(seen, Err(WelcomeError::NotActive)), "{seen:?}");
    let used = sign_in_by_link(&mut conn, link.token.expose(), &visit(), noon()).await;
    assert!(matches!(used, Err(WelcomeError::NotActive)), "{used:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_forgotten_link_is_told_to_be_too_old(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let link = issue(&mut conn, noon()).await.unwrap();
    let error = look(&mut conn, link.token.expose(), noon() + days(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "this link is too old; ask for a new one");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn an_offered_link_is_the_same_each_time_and_works_once(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let until = noon() + days(1);
    let mut offered = Vec::new();
    for _ in 0..3 {
        let token = offer(&mut conn, &[7; 32], For::FirstOwner, until, noon()).await.unwrap();
        offered.push(token.unwrap().expose().to_owned());
    }
    offered.dedup();
    let [token] = &offered[..] else { panic!("{offered:?}") };
    let ann = new_owner("ann").await;
    claim_ownership(&mut conn, token, &ann, &visit(), noon()).await.unwrap();
    for whom in [For::FirstOwner, For::Whoever] {
        let again = offer(&mut conn, &[7; 32], whom, until, noon()).await.unwrap();
        assert!(again.is_none(), "{whom:?}");
    }
    let used = look(&mut conn, token, noon()).await;
    assert!(matches!(used, Err(WelcomeError::Link(LinkError::Used))), "{used:?}");

    // Other bits let the owner back in, where that was asked for.
    assert!(offer(&mut conn, &[8; 32], For::FirstOwner, until, noon()).await.unwrap().is_none());
    let back = offer(&mut conn, &[8; 32], For::Whoever, until, noon()).await.unwrap().unwrap();
    sign_in_by_link(&mut conn, back.expose(), &visit(), noon()).await.unwrap();
    assert!(offer(&mut conn, &[8; 32], For::Whoever, until, noon()).await.unwrap().is_none());
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn an_offered_link_ends_when_it_was_to_end_also_once_nobody_knows_it_any_more(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let until = noon() + days(1);
    let token = offer(&mut conn, &[7; 32], For::FirstOwner, until, noon()).await.unwrap().unwrap();
    accounts::tidy::tidy(&mut conn, noon() + days(30)).await.unwrap();
    for later in [until, until + days(1), until + days(30)] {
        let again = offer(&mut conn, &[7; 32], For::FirstOwner, until, later).await.unwrap();
        assert!(again.is_none(), "{later}");
        assert!(look(&mut conn, token.expose(), later).await.is_err(), "{later}");
    }
}
