//! A simulator on a port, and a client that lets nothing pass which Stripe does not describe.

use reqwest::Client;
use serde_json::{Value, json};
use stripe_sim::{Settings, Sim};
use url::form_urlencoded;

use crate::description;

/// A simulator and somebody who calls it.
pub(crate) struct Stripe {
    pub(crate) sim: Sim,
    pub(crate) url: String,
    http: Client,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    given: Value,
    key: Option<String>,
    account: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    headers: reqwest::header::HeaderMap,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> &str {
        self.body["error"]["type"].as_str().unwrap_or_default()
    }

    pub(crate) fn param(&self) -> &str {
        self.body["error"]["param"].as_str().unwrap_or_default()
    }
}

pub(crate) fn post(path: impl Into<String>, given: Value) -> Ask {
    Ask { method: "POST", path: path.into(), given, key: None, account: None }
}

pub(crate) fn get(path: impl Into<String>) -> Ask {
    Ask { method: "GET", path: path.into(), given: json!({}), key: None, account: None }
}

pub(crate) fn list(path: impl Into<String>, given: Value) -> Ask {
    Ask { given, ..get(path) }
}

pub(crate) fn delete(path: impl Into<String>) -> Ask {
    Ask { method: "DELETE", ..get(path) }
}

impl Ask {
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// In the name of a connected account.
    pub(crate) fn of(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }
}

impl Stripe {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let sim = Sim::new(settings);
        let url = format!("http://{}", sim.start().await.unwrap());
        let redirect = reqwest::redirect::Policy::none();
        let http = Client::builder().no_proxy().retry(reqwest::retry::never()).redirect(redirect);
        Self { sim, url, http: http.build().unwrap() }
    }

    /// The answer, unless the connection was closed without one.
    pub(crate) async fn send(&self, ask: Ask) -> Option<Reply> {
        let (status, body, headers) = raw(&self.http, &self.url, &ask).await?;
        check(&ask, status, &body);
        Some(Reply { status, body, headers })
    }

    /// What was asked for was done.
    pub(crate) async fn ok(&self, ask: Ask) -> Value {
        let reply = self.send(ask).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    /// What was asked for was refused.
    pub(crate) async fn no(&self, ask: Ask) -> Reply {
        let reply = self.send(ask).await.unwrap();
        assert_ne!(reply.status, 200, "{}", reply.body);
        reply
    }

    pub(crate) fn http(&self) -> &Client {
        &self.http
    }

    /// A charge that succeeded, of an intent in one go.
    pub(crate) async fn paid(&self, amount: i64, more: Value) -> Value {
        let mut given = json!({
            "amount": amount, "currency": "usd", "confirm": true,
            "payment_method": "pm_card_visa", "payment_method_types": ["card"],
            "expand": ["latest_charge"],
        });
        for (name, value) in more.as_object().unwrap() {
            given[name] = value.clone();
        }
        let account = given.as_object_mut().unwrap().remove("account");
        let ask = post("/v1/payment_intents", given);
        let ask = match account.as_ref().and_then(Value::as_str) {
            Some(account) => ask.of(account),
            None => ask,
        };
        self.ok(ask).await["latest_charge"].clone()
    }

    /// Available and pending, of one account.
    pub(crate) async fn balance(&self, account: Option<&str>) -> (i64, i64) {
        let ask = get("/v1/balance");
        let balance = self.ok(account.map_or(ask.clone(), |account| ask.of(account))).await;
        let of = |name: &str| balance[name][0]["amount"].as_i64().unwrap();
        (of("available"), of("pending"))
    }

    /// An account that can sell.
    pub(crate) async fn seller(&self) -> String {
        let given = json!({
            "type": "express", "country": "US", "email": "seller@example.com",
            "capabilities": {
                "card_payments": { "requested": true }, "transfers": { "requested": true },
            },
        });
        let account = self.ok(post("/v1/accounts", given)).await;
        let id = account["id"].as_str().unwrap().to_owned();
        self.sim.onboard(&id);
        id
    }
}

/// A request to anybody who speaks the API.
pub(crate) async fn raw(
    http: &Client,
    url: &str,
    ask: &Ask,
) -> Option<(u16, Value, reqwest::header::HeaderMap)> {
    let form = form(&ask.given);
    let mut url = format!("{url}{}", ask.path);
    if ask.method != "POST" && !form.is_empty() {
        url = format!("{url}?{form}");
    }
    let method = ask.method.parse().unwrap();
    let mut request = http.request(method, url).bearer_auth("sk_test_simulated");
    if ask.method == "POST" {
        request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    }
    if let Some(key) = &ask.key {
        request = request.header("Idempotency-Key", key);
    }
    if let Some(account) = &ask.account {
        request = request.header("Stripe-Account", account);
    }
    let answer = request.send().await.ok()?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Some((status, answer.json().await.unwrap(), headers))
}

/// Both sides of a call, as Stripe describes them.
fn check(ask: &Ask, status: u16, body: &Value) {
    // What the simulator alone says is in no description.
    let Some(operation) = description::operation(ask.method, &ask.path) else { return };
    if status == 200 {
        let wrong = operation.request_faults(&ask.given);
        assert!(wrong.is_empty(), "{} was taken: {wrong:#?}", operation.id);
    }
    let expanded = !ask.given["expand"].is_null();
    let wrong = operation.reply_faults(status, expanded, body);
    assert!(wrong.is_empty(), "{} answered {status}: {wrong:#?}\n{body:#}", operation.id);
}

/// Values in bracket notation.
pub(crate) fn form(given: &Value) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    flatten(&mut pairs, "", given);
    pairs.finish()
}

fn flatten(pairs: &mut form_urlencoded::Serializer<'_, String>, name: &str, value: &Value) {
    let inside = |key: &str| if name.is_empty() { key.into() } else { format!("{name}[{key}]") };
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                flatten(pairs, &inside(key), value);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                flatten(pairs, &inside(&place.to_string()), value);
            }
        }
        Value::String(text) => {
            pairs.append_pair(name, text);
        }
        Value::Null => {
            pairs.append_pair(name, "");
        }
        other => {
            pairs.append_pair(name, &other.to_string());
        }
    }
}
