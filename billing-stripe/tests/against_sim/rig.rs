//! `stripe-sim` on a port, and everything of ours that works against it, by one clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Kept};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use billing::amount::Amount;
use billing::ledger::{Account, Book, Party, store};
use billing::rail::intent::{self, Intent, State};
use billing::rail::limits::Limits;
use billing::rail::reconcile::{Report, Window, reconcile};
use billing::rail::runner::{Runner, Turn};
use billing::rail::webhook::{Intake, Looker, Secrets, intake, parked};
use billing::rail::{IntentId, Object, PaymentRail as _, PayoutId};
use billing_stripe::Stripe;
use blueprint::money::{Currency, Money};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sqlx::PgPool;
use stripe_sim::{Request, RequestFaults, Settings, Sim, WebhookFaults};
use work::Clock;

use crate::books::Keeper;

/// Where the clocks begin.
pub(crate) const BEGINNING: i64 = 1_790_000_000;
/// The only key that the simulator knows.
pub(crate) const KEY: &str = "sk_test_simulated";
/// Stripe's numbers, but for how often it may be asked: nothing here waits for real time.
pub(crate) const LIMITS: Limits = Limits { all: 1_000, each: 1_000, ..Limits::STRIPE };

/// By which secrets each address of ours believes what it is told.
type Believed = Arc<Mutex<BTreeMap<String, Arc<Secrets>>>>;

pub(crate) struct Rig {
    pub(crate) db: PgPool,
    pub(crate) clock: Clock,
    pub(crate) sim: Sim,
    pub(crate) url: String,
    /// Where our own addresses are.
    pub(crate) hooks: String,
    pub(crate) rail: Arc<Stripe>,
    pub(crate) runner: Runner,
    pub(crate) looker: Looker,
    /// The simulator's names of our two endpoints: of our own account, and of all others.
    pub(crate) endpoints: [String; 2],
    /// The secrets they began with.
    pub(crate) secrets: [String; 2],
    pub(crate) believed: Believed,
    faults: Mutex<(RequestFaults, WebhookFaults)>,
}

#[derive(Clone)]
struct Hooks {
    intake: Intake,
    believed: Believed,
}

async fn told(
    Kept(hooks): Kept<Hooks>,
    Path(which): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let secrets = hooks.believed.lock().unwrap().get(&which).cloned().unwrap();
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    match hooks.intake.take(&secrets, signature.unwrap_or_default(), body.to_vec()).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a soak goes on for longer, from a seed that is told"
)]
pub(crate) fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |value| value.parse().unwrap())
}

/// Names and values, encoded.
fn encoded(given: &[(&str, &str)]) -> String {
    let plain = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = given.iter().map(|(name, value)| format!("{}={}", plain(name), plain(value)));
    pairs.collect::<Vec<_>>().join("&")
}

pub(crate) fn client(url: &str) -> Arc<Stripe> {
    let key = KEY.to_owned().into();
    Arc::new(Stripe::new("stripe".parse().unwrap(), url.parse().unwrap(), &key).unwrap())
}

impl Rig {
    pub(crate) async fn start(db: &PgPool, seed: u64) -> Self {
        billing::MIGRATOR.run(db).await.unwrap();
        let sim = Sim::new(Settings { seed, start: BEGINNING, ..Settings::default() });
        let url = format!("http://{}", sim.start().await.unwrap());
        let clock = Clock::fixed(Timestamp::from_second(BEGINNING).unwrap());
        let rail = client(&url);
        let runner =
            Runner { db: db.clone(), rail: rail.clone(), limits: LIMITS, clock: clock.clone() };
        let looker = Looker {
            db: db.clone(),
            rail: rail.clone(),
            books: Arc::new(Keeper),
            limits: LIMITS,
            clock: clock.clone(),
        };
        let believed = Believed::default();
        let mut rig = Self {
            db: db.clone(),
            clock,
            sim,
            url,
            hooks: String::new(),
            rail,
            runner,
            looker,
            endpoints: <[String; 2]>::default(),
            secrets: <[String; 2]>::default(),
            believed,
            faults: Mutex::default(),
        };
        rig.listen().await;
        // Whoever is paid out each day.
        rig.ask("GET", "/v1/account", &[], None).await;
        let daily = [("settings[payouts][schedule][interval]", "daily")];
        let own = format!("/v1/accounts/{}", rig.sim.platform());
        rig.ask("POST", &own, &daily, None).await;
        rig
    }

    /// Two addresses for webhooks, as Stripe wants them: each has secrets of its own.
    async fn listen(&mut self) {
        let (name, clock) = (self.rail.name().clone(), self.clock.clone());
        let (intake, storing) = intake(self.db.clone(), name, clock);
        tokio::spawn(storing);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.hooks = format!("http://{}", listener.local_addr().unwrap());
        let state = Hooks { intake, believed: self.believed.clone() };
        let app = Router::new().route("/hooks/{which}", post(told)).with_state(state);
        tokio::spawn(async move { axum::serve(listener, app).await });
        for (place, (which, connect)) in [("own", "false"), ("others", "true")].iter().enumerate() {
            let url = format!("{}/hooks/{which}", self.hooks);
            let mut given = vec![("url", url.as_str()), ("connect", connect)];
            given.extend(billing_stripe::EVENTS.iter().map(|event| ("enabled_events[]", *event)));
            let endpoint = self.ask("POST", "/v1/webhook_endpoints", &given, None).await;
            endpoint["id"].as_str().unwrap().clone_into(&mut self.endpoints[place]);
            let secret = endpoint["secret"].as_str().unwrap();
            secret.clone_into(&mut self.secrets[place]);
            let secrets = Secrets::new(secret, None);
            self.believed.lock().unwrap().insert((*which).to_owned(), Arc::new(secrets));
        }
    }

    /// Asks the simulator as its owner, whom nothing goes wrong for.
    pub(crate) async fn try_ask(
        &self,
        method: &str,
        path: &str,
        given: &[(&str, &str)],
        on: Option<&str>,
    ) -> Result<Value, String> {
        let form = encoded(given);
        let is_get = method == "GET";
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: if is_get { form.clone() } else { String::new() },
            body: if is_get { Vec::new() } else { form.into_bytes() },
            authorization: Some(format!("Bearer {KEY}")),
            account: on.map(str::to_owned),
            ..Request::default()
        };
        self.sim.faults(RequestFaults::default(), self.webhook_faults());
        let answer = self.sim.request(request).await;
        let (requests, webhooks) = *self.faults.lock().unwrap();
        self.sim.faults(requests, webhooks);
        match answer.status() {
            Some(200) => Ok(answer.body()),
            _ => Err(answer.code()),
        }
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        given: &[(&str, &str)],
        on: Option<&str>,
    ) -> Value {
        self.try_ask(method, path, given, on).await.unwrap()
    }

    /// All of a list.
    pub(crate) async fn all(&self, path: &str, on: Option<&str>) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        loop {
            let last = found.last().and_then(|last| last["id"].as_str()).map(str::to_owned);
            let mut given = vec![("limit", "100")];
            given.extend(last.as_deref().map(|last| ("starting_after", last)));
            let page = self.ask("GET", path, &given, on).await;
            found.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] != true {
                return found;
            }
        }
    }

    fn webhook_faults(&self) -> WebhookFaults {
        self.faults.lock().unwrap().1
    }

    /// What goes wrong from now on.
    pub(crate) fn storms(&self, requests: RequestFaults, webhooks: WebhookFaults) {
        *self.faults.lock().unwrap() = (requests, webhooks);
        self.sim.faults(requests, webhooks);
    }

    pub(crate) fn is_calm(&self) {
        self.storms(RequestFaults::default(), WebhookFaults::default());
    }

    /// Time goes by, here and there.
    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.sim.advance(seconds);
    }

    /// Writes what was decided, as whoever decides does.
    pub(crate) async fn decide(&self, intents: &[Intent]) {
        let mut tx = self.db.begin().await.unwrap();
        intent::write(&mut tx, intents, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn turn(&self) -> Turn {
        self.runner.turn().await.unwrap()
    }

    /// What an intent is, the one that was made in its place if it was.
    pub(crate) async fn newest(&self, id: IntentId) -> Option<(State, Option<Object>)> {
        let mut conn = self.db.acquire().await.unwrap();
        intent::get(&mut conn, id).await.unwrap()?;
        let newest = intent::newest(&mut conn, id).await.unwrap();
        intent::get(&mut conn, newest).await.unwrap()
    }

    /// What the rail made of an intent that is done.
    pub(crate) async fn made(&self, id: IntentId) -> Option<Object> {
        let (state, object) = self.newest(id).await?;
        object.filter(|_| state == State::Done)
    }

    pub(crate) async fn cause(&self, id: IntentId) -> String {
        let cause =
            sqlx::query_scalar("select coalesce(cause, '') from billing.intent where id = $1");
        cause.bind(id.uuid()).fetch_one(&self.db).await.unwrap()
    }

    pub(crate) async fn is_settled(&self, id: IntentId) -> bool {
        let settled =
            sqlx::query_scalar("select settled_at is not null from billing.intent where id = $1");
        settled.bind(id.uuid()).fetch_one(&self.db).await.unwrap()
    }

    /// When something is to be done next, by the clock that both have.
    async fn next(&self) -> Option<Timestamp> {
        let mut conn = self.db.acquire().await.unwrap();
        let due = intent::next_due(&mut conn, self.rail.name()).await.unwrap();
        let told: Option<f64> = sqlx::query_scalar(
            "select extract(epoch from min(next_at))::float8 from billing.told where parked_at is null",
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "seconds of our time")]
        let told = told.map(|told| Timestamp::from_second(told.ceil() as i64).unwrap());
        let webhook = self.clock.now() + SignedDuration::from_secs(300);
        let webhook = (self.sim.undelivered() > 0).then_some(webhook);
        [due, told, webhook].into_iter().flatten().min()
    }

    /// Goes on until nothing is to be done any more.
    pub(crate) async fn drain(&self) {
        for _ in 0..20_000 {
            self.sim.deliver().await;
            let Some(next) = self.next().await else { return };
            let wait = next.duration_since(self.clock.now()).as_millis();
            let seconds = i64::try_from((wait + 999).div_euclid(1_000)).unwrap();
            self.wait(seconds.max(1));
            self.turn().await;
            self.looker.turn().await.unwrap();
        }
        panic!("something is never done");
    }

    /// What Stripe has of us and the ledger says of it, thing by thing and all together; how many things.
    pub(crate) async fn agrees(&self) -> usize {
        let mut moved: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut balance: BTreeMap<String, i64> = BTreeMap::new();
        for row in self.all("/v1/balance_transactions", None).await {
            let about = row["source"].as_str().or(row["id"].as_str()).unwrap().to_owned();
            let code = row["currency"].as_str().unwrap().to_uppercase();
            let net = Money::new(row["net"].as_i64().unwrap(), code.parse().unwrap());
            let micros = Amount::of(net).unwrap().micros();
            *moved.entry((about, code.clone())).or_default() += micros;
            *balance.entry(code).or_default() += micros;
        }
        let booked: Vec<(String, String, i64)> = sqlx::query_as(
            "select split_part(event, ':', 1), currency, sum(micros)::bigint
             from billing.entry join billing.journal on number = journal
             where account = 'rail:stripe/cash' group by 1, 2",
        )
        .fetch_all(&self.db)
        .await
        .unwrap();
        let count = moved.len();
        let booked: BTreeMap<(String, String), i64> =
            booked.into_iter().map(|(about, code, micros)| ((about, code), micros)).collect();
        let (all_moved, all_booked) = (moved.clone(), booked.clone());
        moved.retain(|about, micros| all_booked.get(about) != Some(micros));
        let booked: Vec<_> = booked
            .into_iter()
            .filter(|(about, micros)| all_moved.get(about) != Some(micros))
            .collect();
        assert!(moved.is_empty() && booked.is_empty(), "moved {moved:?}, booked {booked:?}");
        let mut conn = self.db.acquire().await.unwrap();
        let cash = Account::new(Party::Rail(self.rail.name().clone()), Book::Cash);
        for (code, micros) in balance {
            let currency: Currency = code.parse().unwrap();
            let booked = store::balance(&mut conn, &cash, currency).await.unwrap();
            assert_eq!(booked, i128::from(micros), "{currency}");
        }
        assert_eq!(store::conflicts(&mut conn).await.unwrap(), []);
        count
    }

    /// How many intents are in a state.
    pub(crate) async fn count(&self, state: State) -> i64 {
        let mut conn = self.db.acquire().await.unwrap();
        let counts = intent::count(&mut conn, self.rail.name()).await.unwrap();
        counts.into_iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| count)
    }

    /// How many intents are done, and their money is booked.
    pub(crate) async fn settled(&self) -> i64 {
        let settled = "select count(*) from billing.intent where booking is not null and settled_at is not null";
        sqlx::query_scalar(settled).fetch_one(&self.db).await.unwrap()
    }

    /// How many somebody has who is, or was until just now, about to send them.
    pub(crate) async fn under_way(&self) -> i64 {
        let under_way = "select count(*) from billing.intent
                         where state = 'sent' and extract(epoch from next_at) > $1";
        let now = self.clock.now().as_second();
        sqlx::query_scalar(under_way).bind(now).fetch_one(&self.db).await.unwrap()
    }

    /// How many things were told of and not looked at yet.
    pub(crate) async fn told(&self) -> i64 {
        let told = "select count(*) from billing.told where parked_at is null";
        sqlx::query_scalar(told).fetch_one(&self.db).await.unwrap()
    }

    /// Nothing is open, and nothing was given up.
    pub(crate) async fn is_at_rest(&self) {
        for open in [State::Waiting, State::Sent, State::Unknown] {
            assert_eq!(self.count(open).await, 0, "{open:?}");
        }
        let mut conn = self.db.acquire().await.unwrap();
        assert_eq!(parked(&mut conn, self.rail.name(), 10).await.unwrap(), []);
    }

    /// Holds every payout of ours against the ledger.
    pub(crate) async fn reconcile(&self) -> Vec<Report> {
        let mut reports = Vec::new();
        for payout in self.all("/v1/payouts", None).await.iter().rev() {
            let id = PayoutId::new(payout["id"].as_str().unwrap()).unwrap();
            let now = self.clock.now() + SignedDuration::from_secs(1);
            let window = Window { since: now, until: now };
            reports.push(reconcile(&self.db, &*self.rail, &id, window, now).await.unwrap());
        }
        reports
    }
}
