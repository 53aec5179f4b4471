//! What a grant may say, and the ways in which it lies.

use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://console.example";
const HOST: &str = "harbour.platforms.example";
const WANTED: Wanted<'static> =
    Wanted { issuer: ISSUER, audience: "harbour/0192f0c8", host: HOST, kind: Kind::AdminLink };
const ASKED: (Kind, &str) = (Kind::AdminLink, HOST);

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn trust(keys: &[&SigningKey]) -> Trust {
    Trust {
        issuer: ISSUER.to_owned(),
        audience: audience("harbour", "0192f0c8"),
        keys: keys.iter().map(|key| key.public().clone()).collect(),
    }
}

/// As a grant is signed, with other claims and another header.
fn forged(key: &SigningKey, claims: &Value, header: impl FnOnce(&mut Header)) -> String {
    let second = now().as_second();
    let mut all = json!({
        "iss": ISSUER, "aud": "harbour/0192f0c8", "host": HOST, "kind": "admin-link", "iat": second,
        "exp": second + 60, "jti": "AAAAAAAAAAAAAAAAAAAAAA",
    });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let mut head = Header::new(Algorithm::EdDSA);
    (head.typ, head.kid) = (Some(TYPE.to_owned()), Some(key.public().id().to_owned()));
    header(&mut head);
    jsonwebtoken::encode(&head, &all, key.encoding()).unwrap()
}

#[test]
fn a_grant_is_good_for_a_minute_and_each_has_an_id_of_its_own() {
    let (key, secret) = SigningKey::random().unwrap();
    let (other, _) = SigningKey::random().unwrap();
    let trust = trust(&[&other, &key]);
    let again = SigningKey::read(&secret).unwrap();
    let grants = [&key, &again].map(|key| sign(key, WANTED, now()).unwrap());
    let checked = |at: usize, later: i64| {
        let at_that_time = now() + SignedDuration::from_secs(later);
        verify(&trust, grants[at].expose_secret(), ASKED, at_that_time)
    };
    let [one, two] = [0, 1].map(|at| checked(at, 0).unwrap());
    assert_ne!(one.id, two.id);
    for later in [-5, 60, 65] {
        assert_eq!(checked(0, later), Ok(one.clone()), "{later}");
    }
    for later in [-6, 66, 3_600] {
        assert_eq!(checked(0, later), Err(Refused::Time), "{later}");
    }
    // Until nobody would take it any more.
    assert_eq!(one.until, now() + SignedDuration::from_secs(66));
}

#[test]
fn twelve_ways_in_which_a_grant_lies_are_found_and_told_apart() {
    let (key, _) = SigningKey::random().unwrap();
    let (foreign, _) = SigningKey::random().unwrap();
    let trust = trust(&[&key]);
    let second = now().as_second();
    let claims = |claims: Value| forged(&key, &claims, |_| {});
    let good = claims(json!({}));
    assert!(verify(&trust, &good, ASKED, now()).is_ok());
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let unsigned = encoded(r#"{"alg":"none","typ":"soulfra-grant+jwt"}"#);
    let kid = key.public().id().to_owned();
    // Everybody knows the public key: as a secret it proves nothing.
    let public = jsonwebtoken::EncodingKey::from_secret(key.public().bytes());
    let mut by_secret = Header::new(Algorithm::HS256);
    (by_secret.typ, by_secret.kid) = (Some(TYPE.to_owned()), Some(kid.clone()));
    let by_secret = jsonwebtoken::encode(&by_secret, &json!({}), &public).unwrap();
    let lies = [
        (format!("{unsigned}.{body}."), Refused::Algorithm),
        (by_secret, Refused::Algorithm),
        (forged(&foreign, &json!({}), |_| {}), Refused::Key),
        (forged(&foreign, &json!({}), |head| head.kid = Some(kid)), Refused::Signature),
        (format!("{head}.{}.{signature}", encoded("{}")), Refused::Signature),
        (forged(&key, &json!({}), |head| head.typ = Some("JWT".to_owned())), Refused::Type),
        (claims(json!({"iss": "https://console.example.evil"})), Refused::Issuer),
        (claims(json!({"aud": "harbour/0192f0c9"})), Refused::Audience),
        (claims(json!({"host": "shop.example"})), Refused::Host),
        (claims(json!({"kind": "paid"})), Refused::Kind),
        (claims(json!({"iat": second - 66, "exp": second - 6})), Refused::Time),
        (claims(json!({"jti": "x"})), Refused::Id),
    ];
    for (at, (lie, why)) in lies.iter().enumerate() {
        assert_eq!(verify(&trust, lie, ASKED, now()), Err(*why), "lie {at}");
    }
}

#[test]
fn what_no_clock_has_what_is_too_long_and_what_is_no_token_is_refused() {
    let (key, _) = SigningKey::random().unwrap();
    let trust = trust(&[&key]);
    let second = now().as_second();
    let refused = |token: &str| verify(&trust, token, ASKED, now()).unwrap_err();
    for (iat, exp) in [
        (i64::MIN, i64::MAX),
        (second, i64::MAX),
        (second, second + 61),
        (second, second - 1),
        (second + 6, second + 60),
    ] {
        let token = forged(&key, &json!({"iat": iat, "exp": exp}), |_| {});
        assert_eq!(refused(&token), Refused::Time, "{iat} {exp}");
    }
    for ids in [json!(["harbour/0192f0c8"]), json!(null), json!(7)] {
        let token = forged(&key, &json!({"aud": ids}), |_| {});
        assert_eq!(refused(&token), Refused::Signature, "{ids}");
    }
    assert_eq!(refused(&"x".repeat(LONGEST + 1)), Refused::Unreadable);
    for none in ["", ".", "..", "a.b.c", "\u{0}"] {
        assert_eq!(refused(none), Refused::Algorithm, "{none:?}");
    }
    // Extensions that have to be understood are not.
    let critical = forged(&key, &json!({}), |head| head.crit = Some(vec!["b64".to_owned()]));
    assert!(verify(&trust, &critical, ASKED, now()).is_err());
}

#[test]
fn a_public_key_is_read_as_it_is_shown_and_no_other_one_is_taken_for_it() {
    let (key, _) = SigningKey::random().unwrap();
    let shown = serde_json::to_value(key.public()).unwrap();
    assert_eq!(shown["kid"], key.public().id());
    assert_eq!(serde_json::from_value::<PublicKey>(shown.clone()).unwrap(), *key.public());
    let mut bare = shown.clone();
    for left_out in ["alg", "use"] {
        bare.as_object_mut().unwrap().remove(left_out);
    }
    assert_eq!(serde_json::from_value::<PublicKey>(bare).unwrap(), *key.public());
    for (name, value) in [
        ("kty", "RSA"),
        ("crv", "X25519"),
        ("alg", "HS256"),
        ("use", "enc"),
        ("kid", "mine"),
        ("x", "AAAA"),
        ("d", "private"),
    ] {
        let mut other = shown.clone();
        other[name] = json!(value);
        assert!(serde_json::from_value::<PublicKey>(other).is_err(), "{name}");
    }
    // RFC 8037, appendix A.
    let bytes = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let known = PublicKey::of(&bytes).unwrap();
    assert_eq!(known.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert!(SigningKey::read(&"nothing".into()).is_err());
}
