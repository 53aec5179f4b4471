//! Beside the password: codes of an app, and codes on paper.
use accounts::events::{self, Kind};
use accounts::factors::{self, Sealing, StoreError};
use accounts::second_factor::{self, FactorError};
use accounts::sessions::{NewSession, SignedIn};
use accounts::sign_in::{self, Entered, SignInError};
use accounts::{NewHalf, Person, Proof, RecoveryCode, Role, Secret, people, sessions};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection, PgPool};
use work::sealed::{self, KeyRing, RootKey};

use crate::{PASSWORD, noon, passwords, seconds, signed_up_as, trying, visit, visit_from};

/// What is sealed with, where nobody looks at the key.
fn root_key() -> KeyRing {
    KeyRing::of(RootKey::from_bytes([7; 32]))
}

fn with(keys: &KeyRing) -> Sealing<'_> {
    Sealing { keys, tenant: "acme" }
}

fn typed(text: &str) -> Proof {
    Proof::read(&text.into()).unwrap()
}

/// What the app shows.
fn code(secret: &Secret, at: Timestamp) -> Proof {
    typed(&secret.code_at(at))
}

async fn found(conn: &mut PgConnection, session: &NewSession) -> SignedIn {
    sessions::find(conn, session.token.expose(), noon()).await.unwrap().unwrap()
}

async fn offered(
    conn: &mut PgConnection,
    signed_in: &SignedIn,
    password: &str,
) -> Result<Secret, FactorError> {
    let request = trying("jane", password);
    let begun = sign_in::begin(conn, passwords().turn().unwrap(), request, noon()).await.unwrap();
    let verified = begun.verify().await.unwrap();
    second_factor::offer(conn, with(&root_key()), verified, signed_in, noon()).await
}

async fn confirmed(
    conn: &mut PgConnection,
    signed_in: &SignedIn,
    proof: &Proof,
) -> Result<Vec<RecoveryCode>, FactorError> {
    let mut tx = conn.begin().await.unwrap();
    let key = root_key();
    let with = with(&key);
    let codes = second_factor::confirm(&mut tx, with, signed_in, (proof, &visit()), noon()).await?;
    tx.commit().await.unwrap();
    Ok(codes)
}

/// Jane, who has set one up at noon.
async fn jane(conn: &mut PgConnection) -> (SignedIn, Secret, Vec<RecoveryCode>) {
    let (_, session) = signed_up_as(conn, "jane", Role::User).await;
    let signed_in = found(conn, &session).await;
    let secret = offered(conn, &signed_in, PASSWORD).await.unwrap();
    let codes = confirmed(conn, &signed_in, &code(&secret, noon())).await.unwrap();
    (signed_in, secret, codes)
}

/// Half way in, by the password.
async fn half_way(conn: &mut PgConnection, now: Timestamp) -> NewHalf {
    let request = trying("jane", PASSWORD);
    let begun = sign_in::begin(conn, passwords().turn().unwrap(), request, now).await.unwrap();
    let verified = begun.verify().await.unwrap();
    match sign_in::finish_or_ask(conn, verified, now).await.unwrap() {
        Entered::HalfWay(half) => half,
        Entered::In(..) => panic!("let in by the password alone"),
    }
}

async fn finished(
    conn: &mut PgConnection,
    half: &NewHalf,
    proof: &Proof,
    now: Timestamp,
) -> Result<(Person, NewSession), FactorError> {
    let begun = second_factor::begin(conn, half.token.expose(), visit(), now).await?;
    let mut tx = conn.begin().await.unwrap();
    let finished = second_factor::finish(&mut tx, with(&root_key()), begun, proof, now).await?;
    tx.commit().await.unwrap();
    Ok(finished)
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_password_alone_lets_nobody_in_who_has_a_second_factor(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, secret, _) = jane(&mut conn).await;
    let alone = sign_in::sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), noon()).await;
    assert!(matches!(alone, Err(SignInError::SecondFactor)), "{alone:?}");
    // Only the right password learns that there is one.
    let wrong = sign_in::sign_in(&mut conn, &passwords(), trying("jane", "wrong"), noon()).await;
    assert!(matches!(wrong, Err(SignInError::Refused)), "{wrong:?}");

    let later = noon() + seconds(60);
    let half = half_way(&mut conn, later).await;
    let (person, session) = finished(&mut conn, &half, &code(&secret, later), later).await.unwrap();
    assert_eq!(found(&mut conn, &session).await.person, person);
    let events = events::list(&mut conn, person.id, 2).await.unwrap();
    assert_eq!((events[0].kind, events[0].failures), (Kind::SignedIn, 2));
    assert_eq!(events[1].kind, Kind::SecondFactorSetUp);
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn who_is_half_way_in_is_nowhere_and_not_for_long(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (signed_in, secret, _) = jane(&mut conn).await;
    let now = noon() + seconds(60);
    let half = half_way(&mut conn, now).await;
    let session = sessions::find(&mut conn, half.token.expose(), now).await.unwrap();
    assert!(session.is_none());
    assert_eq!(sessions::list(&mut conn, signed_in.person.id, now).await.unwrap().len(), 1);

    let late = now + seconds(300);
    let gone = finished(&mut conn, &half, &code(&secret, late), late).await;
    assert!(matches!(gone, Err(FactorError::Gone)), "{gone:?}");
    // A session is no half one either, nor is nonsense.
    for token in ["nonsense", half.token.expose()] {
        assert!(!second_factor::is_half_way(&mut conn, token, late).await.unwrap());
    }
    // Neither a new password nor a suspension lets it go on.
    let half = half_way(&mut conn, late).await;
    sqlx::query("update accounts.password set changed_at = changed_at + interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let gone = finished(&mut conn, &half, &code(&secret, late), late).await;
    assert!(matches!(gone, Err(FactorError::Gone)), "{gone:?}");
    let half = half_way(&mut conn, late).await;
    let begun = second_factor::begin(&mut conn, half.token.expose(), visit(), late).await.unwrap();
    people::suspend(&mut conn, Role::Admin, signed_in.person.id).await.unwrap();
    let key = root_key();
    let proof = code(&secret, late);
    let gone = second_factor::finish(&mut conn, with(&key), begun, &proof, late).await;
    assert!(matches!(gone, Err(FactorError::Gone)), "{gone:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_code_is_taken_once_and_so_is_half_a_way_in(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, secret, _) = jane(&mut conn).await;
    // The one that turned it on is used up.
    let half = half_way(&mut conn, noon()).await;
    let again = finished(&mut conn, &half, &code(&secret, noon()), noon()).await;
    assert!(matches!(again, Err(FactorError::Refused)), "{again:?}");
    // That of the phone's next half minute is good, and from then on none before it.
    let next = noon() + seconds(30);
    finished(&mut conn, &half, &code(&secret, next), noon()).await.unwrap();
    let gone = finished(&mut conn, &half, &code(&secret, next), noon()).await;
    assert!(matches!(gone, Err(FactorError::Gone)), "{gone:?}");
    let half = half_way(&mut conn, next).await;
    for used in [noon(), next] {
        let again = finished(&mut conn, &half, &code(&secret, used), next).await;
        assert!(matches!(again, Err(FactorError::Refused)), "{again:?}");
    }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn of_two_who_send_the_same_code_at_once_one_is_let_in(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, secret, paper) = jane(&mut conn).await;
    let now = noon() + seconds(60);
    for proof in [secret.code_at(now), paper[0].text().expose_secret().to_owned()] {
        let mut tries = Vec::new();
        for _ in 0..2 {
            let half = half_way(&mut conn, now).await;
            let (db, proof) = (db.clone(), typed(&proof));
            tries.push(async move {
                let mut conn = db.acquire().await.unwrap();
                finished(&mut conn, &half, &proof, now).await
            });
        }
        let tries: Vec<_> = tries.into_iter().map(tokio::spawn).collect();
        let mut let_in = 0;
        for one in tries {
            match one.await.unwrap() {
                Ok(_) => let_in += 1,
                Err(FactorError::Refused) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(let_in, 1);
    }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_code_on_paper_is_good_once_and_its_persons_alone(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (signed_in, _, paper) = jane(&mut conn).await;
    assert_eq!(paper.len(), 10);
    let used = typed(paper[3].text().expose_secret());
    let half = half_way(&mut conn, noon()).await;
    finished(&mut conn, &half, &used, noon()).await.unwrap();
    let id = signed_in.person.id;
    assert_eq!(factors::of(&mut conn, id).await.unwrap().unwrap().recovery_codes, 9);
    let events = events::list(&mut conn, id, 1).await.unwrap();
    assert_eq!(events[0].kind, Kind::SignedInByRecoveryCode);
    let half = half_way(&mut conn, noon()).await;
    let again = finished(&mut conn, &half, &used, noon()).await;
    assert!(matches!(again, Err(FactorError::Refused)), "{again:?}");
    // What is stored does not tell it.
    let kept: String =
        sqlx::query_scalar("select string_agg(hash::text, ' ') from accounts.recovery_code")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    assert!(!kept.contains(&paper[0].text().expose_secret().replace('-', "")), "{kept}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn guesses_are_slowed_and_a_right_password_does_not_wipe_them_out(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (signed_in, secret, _) = jane(&mut conn).await;
    let mut now = noon() + seconds(60);
    let right = secret.code_at(now).parse::<u32>().unwrap();
    let mut guesses = 0;
    // As fast as one may, for a day, from all over the world.
    while now < noon() + seconds(24 * 3600) {
        let half = half_way(&mut conn, now).await;
        let from = visit_from(&format!("192.0.{}.{}", guesses / 200, guesses % 200));
        match second_factor::begin(&mut conn, half.token.expose(), from, now).await {
            Ok(begun) => {
                let guess = typed(&format!("{:06}", (right + 1 + guesses) % 1_000_000));
                let mut tx = conn.begin().await.unwrap();
                let key = root_key();
                let tried = second_factor::finish(&mut tx, with(&key), begun, &guess, now).await;
                assert!(matches!(tried, Err(FactorError::Refused)), "{tried:?}");
                guesses += 1;
            }
            Err(FactorError::TooMany(wait)) => now += seconds(wait.seconds()),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!((90..130).contains(&guesses), "{guesses}");
    // Nor does a session that is open guess, nor two halves at once.
    let asked = second_factor::ask(&mut conn, &signed_in, visit(), now).await;
    assert!(asked.is_ok(), "the wait is over");
    let asked = second_factor::ask(&mut conn, &signed_in, visit(), now).await;
    assert!(matches!(asked, Err(FactorError::TooMany(_))), "{asked:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn it_is_set_up_from_the_session_that_knew_the_password_and_ends_all_others(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, here) = signed_up_as(&mut conn, "jane", Role::User).await;
    let (_, there) =
        sign_in::sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), noon()).await.unwrap();
    let (here, stolen) = (found(&mut conn, &here).await, found(&mut conn, &there).await);
    let secret = offered(&mut conn, &here, PASSWORD).await.unwrap();
    // Until the first code nothing is asked for.
    assert!(!factors::has(&mut conn, here.person.id).await.unwrap());
    let right = code(&secret, noon());
    let key = root_key();
    for late in [
        second_factor::offered(&mut conn, with(&key), &stolen, noon()).await.map(|_| ()),
        second_factor::offered(&mut conn, with(&key), &here, noon() + seconds(1200))
            .await
            .map(|_| ()),
        confirmed(&mut conn, &stolen, &right).await.map(|_| ()),
    ] {
        assert!(matches!(late, Err(FactorError::Gone)), "{late:?}");
    }
    let other =
        typed(&format!("{:06}", (secret.code_at(noon()).parse::<u32>().unwrap() + 1) % 1_000_000));
    let wrong = confirmed(&mut conn, &here, &other).await;
    assert!(matches!(wrong, Err(FactorError::Refused)), "{wrong:?}");
    confirmed(&mut conn, &here, &right).await.unwrap();
    let ended = sessions::find(&mut conn, there.token.expose(), noon()).await.unwrap();
    assert!(ended.is_none());
    // There is one, and nobody puts another in its place.
    let again = offered(&mut conn, &here, PASSWORD).await;
    assert!(matches!(again, Err(FactorError::IsOn)), "{again:?}");
    let twice = confirmed(&mut conn, &here, &right).await;
    assert!(matches!(twice, Err(FactorError::Gone)), "{twice:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn it_is_turned_off_by_who_has_it(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (signed_in, secret, paper) = jane(&mut conn).await;
    let (key, now) = (root_key(), noon() + seconds(60));
    let proof = typed(paper[0].text().expose_secret());
    let asked = second_factor::ask(&mut conn, &signed_in, visit(), now).await.unwrap();
    let proven = second_factor::prove(&mut conn, with(&key), asked, &proof, now).await.unwrap();
    let fresh = second_factor::renew_codes(&mut conn, proven, now).await.unwrap();
    // Those there were are good no more.
    let asked = second_factor::ask(&mut conn, &signed_in, visit(), now).await.unwrap();
    let old = typed(paper[1].text().expose_secret());
    let refused = second_factor::prove(&mut conn, with(&key), asked, &old, now).await;
    assert!(matches!(refused, Err(FactorError::Refused)), "{refused:?}");
    assert_eq!(fresh.len(), 10);

    let asked = second_factor::ask(&mut conn, &signed_in, visit(), now).await.unwrap();
    let proof = code(&secret, now);
    let proven = second_factor::prove(&mut conn, with(&key), asked, &proof, now).await.unwrap();
    second_factor::turn_off(&mut conn, proven, now).await.unwrap();
    assert!(factors::of(&mut conn, signed_in.person.id).await.unwrap().is_none());
    sign_in::sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), now).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_sealed_secret_opens_in_its_persons_row_and_under_its_key_alone(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (signed_in, secret, _) = jane(&mut conn).await;
    let (mallory, session) = signed_up_as(&mut conn, "mallory", Role::User).await;
    let mallory_in = found(&mut conn, &session).await;
    // Who writes in the table gives another person the secret that they have.
    sqlx::query(
        "insert into accounts.totp
         select $1, secret, begun_from, begun_at, confirmed_at, 0 from accounts.totp",
    )
    .bind(mallory.id)
    .execute(&mut *conn)
    .await
    .unwrap();
    let proof = code(&secret, noon());
    let asked = second_factor::ask(&mut conn, &mallory_in, visit(), noon()).await.unwrap();
    let moved = second_factor::prove(&mut conn, with(&root_key()), asked, &proof, noon()).await;
    let refused = sealed::Error::Refused;
    assert!(matches!(moved, Err(FactorError::Store(StoreError::Sealed(it))) if it == refused));
    let other = KeyRing::of(RootKey::from_bytes([8; 32]));
    let asked = second_factor::ask(&mut conn, &signed_in, visit(), noon()).await.unwrap();
    let told = second_factor::prove(&mut conn, with(&other), asked, &proof, noon()).await;
    assert!(told.unwrap_err().to_string().contains("bring back the file of that key"));
}
