//! An `OpenID` provider, as an organization has one: it can also misbehave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;
use work::Clock;

use crate::browser::Page;

pub(crate) const CLIENT: &str = "console of acme";
pub(crate) const SECRET: &str = "between: us & nobody else";
const PATH: &str = "/signin/company/return";

/// How it goes about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    #[default]
    Well,
    /// It repeats another nonce.
    OtherNonce,
    /// Its word is for another client.
    OtherAudience,
    /// It signs nothing at all.
    Unsigned,
    /// It signs with what both know.
    BySecret,
    /// It signs with a key that it does not list.
    UnknownKey,
    /// The same, under the name of one that it lists.
    ForgedKey,
    /// Its word is over.
    Expired,
    /// It calls itself otherwise in its word.
    OtherIssuer,
    /// It has not seen that the address is theirs.
    Unverified,
    /// It has new keys of late.
    NewKeys,
}

/// What a code is about: whom, the nonce, and then the challenge and where they go back to.
type About = (Value, String, (String, String));

struct Key {
    name: String,
    key: EncodingKey,
}

struct Inner {
    url: String,
    clock: Clock,
    manner: Mutex<Manner>,
    key: Mutex<Key>,
    /// Codes that were handed out.
    codes: Mutex<HashMap<String, About>>,
    discovered: Mutex<u32>,
}

#[derive(Clone)]
pub(crate) struct Provider(Arc<Inner>);

impl Provider {
    pub(crate) async fn new(clock: &Clock) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            url: format!("http://{}", listener.local_addr().unwrap()),
            clock: clock.clone(),
            manner: Mutex::default(),
            key: Mutex::new(key()),
            codes: Mutex::default(),
            discovered: Mutex::default(),
        };
        let provider = Self(Arc::new(inner));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.0.url
    }

    /// From now on it goes about it so.
    pub(crate) fn goes_about_it(&self, manner: Manner) {
        *self.0.manner.lock().unwrap() = manner;
        if manner == Manner::NewKeys {
            *self.0.key.lock().unwrap() = key();
        }
    }

    /// So often it was asked what it is.
    pub(crate) fn discovered(&self) -> u32 {
        *self.0.discovered.lock().unwrap()
    }

    /// Somebody signs in there, sent by this page; where they are sent back to.
    pub(crate) fn lets_in(&self, page: &Page, subject: &str, email: &str) -> String {
        page.is(200).says("Your company lets you in at 127.0.0.1");
        let place =
            page.between("href=\"http://127", "\"").replace("&amp;", "&").replace("&#x3D;", "=");
        let place: Url = format!("http://127{place}").parse().unwrap();
        let asked: HashMap<_, _> = place.query_pairs().into_owned().collect();
        assert!(place.as_str().starts_with(&format!("{}/authorize?", self.0.url)), "{place}");
        let to = &*asked["redirect_uri"];
        assert!(to.starts_with(&format!("{}{PATH}/org_", crate::rig::URL)), "{to}");
        assert_eq!((&*asked["response_type"], &*asked["client_id"]), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut codes = self.0.codes.lock().unwrap();
        let code = format!("code {:x} of {subject}", rand::random::<u64>());
        let who = json!({"sub": subject, "email": email, "email_verified": true});
        let challenge = (asked["code_challenge"].clone(), to.to_owned());
        let about = (who, asked["nonce"].clone(), challenge);
        codes.insert(code.clone(), about);
        let mut back: Url = to.parse().unwrap();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", &self.0.url);
        format!("{}?{}", back.path(), back.query().unwrap())
    }

    fn word(&self, mut claims: Value, nonce: &str) -> String {
        let (manner, now) = (*self.0.manner.lock().unwrap(), self.0.clock.now().as_second());
        let nonce = if manner == Manner::OtherNonce { "another" } else { nonce };
        let audience = if manner == Manner::OtherAudience { "somebody" } else { CLIENT };
        let until = if manner == Manner::Expired { now - 120 } else { now + 300 };
        let issuer = if manner == Manner::OtherIssuer { "https://idp.test" } else { &*self.0.url };
        for (name, value) in [
            ("iss", json!(issuer)),
            ("aud", json!(audience)),
            ("exp", json!(until)),
            ("iat", json!(now - 5)),
            ("nonce", json!(nonce)),
        ] {
            claims[name] = value;
        }
        if manner == Manner::Unverified {
            claims["email_verified"] = json!(false);
        }
        let own = self.0.key.lock().unwrap();
        let header = |way, kid: &str| Header { kid: Some(kid.to_owned()), ..Header::new(way) };
        let signed = |header: Header, key: &EncodingKey| {
            jsonwebtoken::encode(&header, &claims, key).unwrap()
        };
        match manner {
            Manner::Unsigned => {
                let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
                let header = json!({"alg": "none", "kid": own.name});
                format!("{}.{}.", part(&header), part(&claims))
            }
            Manner::BySecret => {
                let key = EncodingKey::from_secret(SECRET.as_bytes());
                signed(header(Algorithm::HS256, &own.name), &key)
            }
            Manner::UnknownKey => {
                let other = key();
                signed(header(Algorithm::ES256, &other.name), &other.key)
            }
            Manner::ForgedKey => signed(header(Algorithm::ES256, &own.name), &key().key),
            _ => signed(header(Algorithm::ES256, &own.name), &own.key),
        }
    }
}

fn key() -> Key {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let key = EncodingKey::from_ec_der(made.unwrap().as_ref());
    Key { name: format!("key {:x}", rand::random::<u64>()), key }
}

async fn discovery(State(Provider(provider)): State<Provider>) -> Json<Value> {
    *provider.discovered.lock().unwrap() += 1;
    let url = &provider.url;
    Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(Provider(provider)): State<Provider>) -> Json<Value> {
    let own = provider.key.lock().unwrap();
    let mut jwk = Jwk::from_encoding_key(&own.key, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some(own.name.clone());
    Json(json!({"keys": [{"kty": "unheard of", "kid": "x"}, jwk]}))
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let encoded =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let basic = STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)));
    let is_ours = headers[header::AUTHORIZATION] == format!("Basic {basic}");
    let found = provider.0.codes.lock().unwrap().remove(&form["code"]);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    match found {
        Some((claims, nonce, asked))
            if is_ours && asked == (challenge, form["redirect_uri"].clone()) =>
        {
            Json(json!({"id_token": provider.word(claims, &nonce), "token_type": "Bearer"}))
                .into_response()
        }
        _ => (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response(),
    }
}
