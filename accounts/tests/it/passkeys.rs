//! Keys of devices, which are played; the rules are those of W3C Web Authentication.
use accounts::events::{self, Kind};
use accounts::passkeys::{self, PasskeyError};
use accounts::sessions::{NewSession, SignedIn};
use accounts::webauthn::{Answer, NewKey, Site};
use accounts::{Person, Role, people, sessions, sign_in};
use jiff::Timestamp;
use sqlx::{Connection as _, PgConnection, PgPool};
use work::sealed::{KeyRing, RootKey};

use crate::device::{Device, SEEN};
use crate::{PASSWORD, noon, passwords, seconds, signed_up_as, trying, visit};

const SITE: Site<'_> = Site { host: "acme.test", origin: "https://acme.test" };

fn device() -> Device {
    Device::new("acme.test", "https://acme.test")
}

fn root_key() -> KeyRing {
    KeyRing::of(RootKey::from_bytes([7; 32]))
}

async fn jane(conn: &mut PgConnection) -> SignedIn {
    let (_, session) = signed_up_as(conn, "jane", Role::User).await;
    sessions::find(conn, session.token.expose(), noon()).await.unwrap().unwrap()
}

/// What is to be signed, for who has shown the password.
async fn allowed(
    conn: &mut PgConnection,
    signed_in: &SignedIn,
    name: &str,
) -> Result<Vec<u8>, PasskeyError> {
    let request = trying(name, PASSWORD);
    let begun = sign_in::begin(conn, passwords().turn().unwrap(), request, noon()).await.unwrap();
    let verified = begun.verify().await.unwrap();
    passkeys::allow_by_password(conn, &root_key(), verified, signed_in, noon()).await
}

async fn added(
    conn: &mut PgConnection,
    signed_in: &SignedIn,
    new: &NewKey,
    now: Timestamp,
) -> Result<(), PasskeyError> {
    let mut tx = conn.begin().await.unwrap();
    let (key, name) = (root_key(), "My phone".parse().unwrap());
    passkeys::add(&mut tx, (&key, SITE), signed_in, (new, &name, &visit()), now).await?;
    tx.commit().await.unwrap();
    Ok(())
}

async fn let_in(
    conn: &mut PgConnection,
    answer: &Answer,
    now: Timestamp,
) -> Result<(Person, NewSession), PasskeyError> {
    let mut tx = conn.begin().await.unwrap();
    let entered = passkeys::sign_in(&mut tx, (&root_key(), SITE), answer, &visit(), now).await?;
    tx.commit().await.unwrap();
    Ok(entered)
}

fn challenge() -> Vec<u8> {
    passkeys::challenge(&root_key(), noon())
}

/// Jane, and her phone.
async fn with_phone(conn: &mut PgConnection) -> (SignedIn, Device) {
    let (jane, mut phone) = (jane(conn).await, device());
    let new = phone.made(&allowed(conn, &jane, "jane").await.unwrap());
    added(conn, &jane, &new, noon()).await.unwrap();
    (jane, phone)
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_device_lets_its_person_in_and_each_answer_is_taken_once(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, mut phone) = with_phone(&mut conn).await;
    let answer = phone.signed(&challenge());
    let (person, session) = let_in(&mut conn, &answer, noon()).await.unwrap();
    assert_eq!(person, jane.person);
    assert!(sessions::find(&mut conn, session.token.expose(), noon()).await.unwrap().is_some());
    let kinds: Vec<_> = events::list(&mut conn, person.id, 2).await.unwrap();
    assert_eq!((kinds[0].kind, kinds[1].kind), (Kind::SignedInByPasskey, Kind::PasskeyAdded));
    assert!(let_in(&mut conn, &answer, noon()).await.is_err());
    // Nor is a challenge, by a later signature.
    let asked = challenge();
    let (first, second) = (phone.signed(&asked), phone.signed(&asked));
    let_in(&mut conn, &first, noon()).await.unwrap();
    assert!(let_in(&mut conn, &second, noon()).await.is_err());

    let list = passkeys::list(&mut conn, person.id).await.unwrap();
    assert_eq!((list.len(), &*list[0].name, list[0].used_at), (1, "My phone", Some(noon())));
    let nobody = signed_up_as(&mut conn, "mallory", Role::User).await.0;
    let visit = visit();
    for (whose, gone) in [(nobody.id, false), (person.id, true), (person.id, false)] {
        let removed = passkeys::remove(&mut conn, whose, list[0].id, &visit, noon()).await;
        assert_eq!(removed.unwrap(), gone);
    }
    assert!(let_in(&mut conn, &phone.signed(&challenge()), noon()).await.is_err());
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn what_is_not_as_it_should_be_lets_nobody_in(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, mut phone) = with_phone(&mut conn).await;
    let mut tries = Vec::new();
    let mut used = |what, set: &dyn Fn(&mut Device), asked: &[u8]| {
        let (host, origin, flags, count) = (phone.host, phone.origin, phone.flags, phone.count);
        set(&mut phone);
        tries.push((what, phone.signed(asked)));
        (phone.host, phone.origin, phone.flags) = (host, origin, flags);
        phone.count = phone.count.max(count);
    };
    used("another site's key", &|it| it.host = "evil.test", &challenge());
    used("at another site", &|it| it.origin = "https://evil.test", &challenge());
    used("by plain HTTP", &|it| it.origin = "http://acme.test", &challenge());
    used("nobody was there", &|it| it.flags = 0, &challenge());
    used("whoever was there", &|it| it.flags = SEEN & 1, &challenge());
    used("counts back", &|it| it.count = 0, &challenge());
    let other = KeyRing::of(RootKey::from_bytes([8; 32]));
    used("somebody else's challenge", &|_| (), &passkeys::challenge(&other, noon()));
    used("no challenge of ours", &|_| (), &[0; 56]);
    used("no challenge", &|_| (), b"");
    let early = noon() - seconds(300);
    used("too late", &|_| (), &passkeys::challenge(&root_key(), early));
    used("to add one", &|_| (), &allowed(&mut conn, &jane, "jane").await.unwrap());
    let right = phone.signed(&challenge());
    for at in [0, right.device_data.len() - 1] {
        let mut changed = right.clone();
        changed.device_data[at] ^= 1;
        tries.push(("changed data", changed));
    }
    let unsigned = Answer { signature: Vec::new(), ..right.clone() };
    tries.push(("not signed", unsigned));
    let short = Answer { device_data: right.device_data[..36].to_vec(), ..right.clone() };
    tries.push(("cut short", short));
    let unknown = Answer { credential_id: vec![1; 32], ..right.clone() };
    tries.push(("unknown", unknown));
    let mut stranger = device();
    stranger.id.clone_from(&phone.id);
    tries.push(("by another key", stranger.signed(&challenge())));
    let made = phone.made(&challenge());
    let kind = Answer { client_data: made.client_data, ..right.clone() };
    tries.push(("made, not signed", kind));
    for (what, answer) in tries {
        let refused = let_in(&mut conn, &answer, noon()).await;
        assert!(matches!(refused, Err(PasskeyError::Refused)), "{what}: {refused:?}");
    }
    people::suspend(&mut conn, Role::Admin, jane.person.id).await.unwrap();
    let refused = let_in(&mut conn, &phone.signed(&challenge()), noon()).await;
    assert!(matches!(refused, Err(PasskeyError::Refused)), "{refused:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_key_is_added_by_who_has_shown_to_be_that_person(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, mut phone) = (jane(&mut conn).await, device());
    let (_, there) = signed_up_as(&mut conn, "mallory", Role::User).await;
    let mallory = sessions::find(&mut conn, there.token.expose(), noon()).await.unwrap().unwrap();
    // Not by somebody else's password.
    let other = allowed(&mut conn, &jane, "mallory").await;
    assert!(matches!(other, Err(PasskeyError::NotShown)), "{other:?}");
    // Not with what anybody gets who wants in, nor from another session, nor too late.
    let own = phone.made(&allowed(&mut conn, &jane, "jane").await.unwrap());
    for (signed_in, new, now) in [
        (&jane, &phone.made(&challenge()), noon()),
        (&mallory, &own, noon()),
        (&jane, &own, noon() + seconds(300)),
        (&jane, &NewKey { algorithm: -8, ..own.clone() }, noon()),
        (&jane, &NewKey { algorithm: -65535, ..own.clone() }, noon()),
        (&jane, &NewKey { public_key: vec![4; 65], ..own.clone() }, noon()),
        (&jane, &NewKey { device_data: own.device_data[..60].to_vec(), ..own.clone() }, noon()),
    ] {
        let refused = added(&mut conn, signed_in, new, now).await;
        assert!(matches!(refused, Err(PasskeyError::Refused)), "{refused:?}");
    }
    added(&mut conn, &jane, &own, noon()).await.unwrap();
    // One device is one person's.
    let request = trying("mallory", PASSWORD);
    let begun = sign_in::begin(&mut conn, passwords().turn().unwrap(), request, noon());
    let verified = begun.await.unwrap().verify().await.unwrap();
    let asked =
        passkeys::allow_by_password(&mut conn, &root_key(), verified, &mallory, noon()).await;
    let taken = added(&mut conn, &mallory, &phone.made(&asked.unwrap()), noon()).await;
    assert!(matches!(taken, Err(PasskeyError::NoPlace)), "{taken:?}");
    // And nobody has them without end.
    for _ in 1..20 {
        let new = device().made(&allowed(&mut conn, &jane, "jane").await.unwrap());
        added(&mut conn, &jane, &new, noon()).await.unwrap();
    }
    let new = device().made(&allowed(&mut conn, &jane, "jane").await.unwrap());
    let full = added(&mut conn, &jane, &new, noon()).await;
    assert!(matches!(full, Err(PasskeyError::NoPlace)), "{full:?}");
}
