//! Numbers for whoever watches the process, in the text format of `OpenMetrics`.
//!
//! No number is about a tenant or a person, and none could be: there are no labels for them, and a
//! label's value is one of a few words that were fixed before ([`Metrics::new`],
//! [`Metrics::add_models`]), or the name of an upstream as the operators' configuration has it.
//! Whatever else is named counts as `other`, so a client cannot make the list longer.

mod labels;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use labels::{Kind, Outcome};

use blueprint::Currency;

use crate::engine::{BreakerState, Health, Usage};
use crate::prices::Micros;
use labels::{STATES, Word, Words};

/// How an answer to a scrape calls itself.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// More models than any process has had.
const MODELS: usize = 256;

/// More upstreams than any process has had.
const UPSTREAMS: usize = 256;

/// All numbers of a server. Clones are the same.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    classes: Words,
    models: RwLock<Words>,
    requests: Family<ByOutcome, Counter>,
    tokens: Family<ByKind, Counter>,
    queue: Family<ByClass, Gauge>,
    wait: Family<ByModel, Histogram, Buckets>,
    first_token: Family<ByModel, Histogram, Buckets>,
    each_token: Family<ByModel, Histogram, Buckets>,
    room: Gauge,
    running: Gauge,
    spool: Gauge<i64>,
    deaths: Family<ByModel, Counter>,
    breakers: Family<ByBreaker, Gauge>,
    /// Held while the two above are brought up to date and told.
    upstreams: Mutex<Words>,
    forgone: Family<ByCurrency, Gauge>,
}

/// A job that waits.
#[derive(Debug)]
pub struct Queued(Gauge);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: Outcome,
    class: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    model: Word,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClass {
    class: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByModel {
    model: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByBreaker {
    model: Word,
    upstream: Word,
    state: BreakerState,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCurrency {
    /// One of ISO 4217.
    currency: &'static str,
}

type Buckets = fn() -> Histogram;

/// From a token in a fast engine to a prompt in a slow one, in seconds.
fn seconds() -> Histogram {
    Histogram::new([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0])
}

fn token_seconds() -> Histogram {
    Histogram::new([0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0, 10.0])
}

impl Metrics {
    /// Numbers by these classes of service.
    pub fn new(classes: impl IntoIterator<Item: Into<String>>) -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("inference"),
            classes: Words::new(classes),
            models: RwLock::new(Words::new(Vec::<String>::new())),
            requests: Family::default(),
            tokens: Family::default(),
            queue: Family::default(),
            wait: Family::new_with_constructor(seconds),
            first_token: Family::new_with_constructor(seconds),
            each_token: Family::new_with_constructor(token_seconds),
            room: Gauge::default(),
            running: Gauge::default(),
            spool: Gauge::default(),
            deaths: Family::default(),
            breakers: Family::default(),
            upstreams: Mutex::new(Words::new(Vec::<String>::new())),
            forgone: Family::default(),
        };
        inner.register();
        Self(Arc::new(inner))
    }

    /// These models have numbers of their own from now on, also when they are gone again.
    pub fn add_models<'a>(&self, models: impl IntoIterator<Item = &'a str>) {
        let mut known = self.0.models.write().unwrap_or_else(PoisonError::into_inner);
        models.into_iter().for_each(|model| known.add(model, MODELS));
    }

    /// A request has ended.
    pub fn request(&self, outcome: Outcome, class: &str) {
        let labels = ByOutcome { outcome, class: self.0.classes.find(class) };
        self.0.requests.get_or_create(&labels).inc();
    }

    /// A job was settled.
    pub fn used(&self, model: &str, usage: Usage) {
        let fresh = usage.prompt_tokens.saturating_sub(usage.cached_tokens);
        let model = self.model(model);
        for (kind, tokens) in [
            (Kind::Prompt, fresh),
            (Kind::Cached, usage.cached_tokens),
            (Kind::Completion, usage.completion_tokens),
        ] {
            let labels = ByKind { model: model.clone(), kind };
            self.0.tokens.get_or_create(&labels).inc_by(count(tokens));
        }
    }

    /// A job of this class waits, until what comes back is dropped.
    pub fn queued(&self, class: &str) -> Queued {
        let labels = ByClass { class: self.0.classes.find(class) };
        let depth = self.0.queue.get_or_create(&labels).clone();
        depth.inc();
        Queued(depth)
    }

    /// A job waited so long for its turn.
    pub fn waited(&self, model: &str, time: Duration) {
        self.0.wait.get_or_create(&self.by_model(model)).observe(time.as_secs_f64());
    }

    /// The first text of an answer came so long after its turn did.
    pub fn first_token(&self, model: &str, time: Duration) {
        self.0.first_token.get_or_create(&self.by_model(model)).observe(time.as_secs_f64());
    }

    /// An answer's further tokens took so long, all together.
    pub fn further_tokens(&self, model: &str, tokens: usize, time: Duration) {
        if tokens > 0 {
            #[expect(clippy::cast_precision_loss, reason = "no answer has 2^52 tokens")]
            let each = time.as_secs_f64() / tokens as f64;
            self.0.each_token.get_or_create(&self.by_model(model)).observe(each);
        }
    }

    /// The engine has room for so many jobs, and so many run.
    pub fn engine(&self, room: usize, running: usize) {
        self.0.room.set(gauge(room));
        self.0.running.set(gauge(running));
    }

    /// So many bytes of usage are written down and not delivered yet.
    pub fn spool_bytes(&self, bytes: u64) {
        self.0.spool.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// So much was spent beyond budgets since the start, and nobody pays it.
    pub fn forgone(&self, currency: Currency, sum: Micros) {
        let labels = ByCurrency { currency: currency.code() };
        let sum = i64::try_from(sum.get()).unwrap_or(i64::MAX);
        self.0.forgone.get_or_create(&labels).set(sum);
    }

    /// Everything, for a scrape; as [`CONTENT_TYPE`]. `engines` are those that are there now, by
    /// their models.
    pub fn render(&self, engines: &[(String, Health)]) -> String {
        let mut upstreams = self.0.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a model that was let go nothing is told any more.
        self.0.breakers.clear();
        for (model, Health { deaths, breakers }) in engines {
            let labels = self.by_model(model);
            self.0.deaths.get_or_create(&labels).inner().store(*deaths, Ordering::Relaxed);
            for (name, now) in breakers {
                upstreams.add(name, UPSTREAMS);
                for state in STATES {
                    let (model, upstream) = (labels.model.clone(), upstreams.find(name));
                    let labels = ByBreaker { model, upstream, state };
                    self.0.breakers.get_or_create(&labels).set(i64::from(state == *now));
                }
            }
        }
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut text, &self.0.registry);
        text
    }

    fn model(&self, id: &str) -> Word {
        self.0.models.read().unwrap_or_else(PoisonError::into_inner).find(id)
    }

    fn by_model(&self, id: &str) -> ByModel {
        ByModel { model: self.model(id) }
    }
}

impl Inner {
    fn register(&mut self) {
        let Self { registry: all, .. } = self;
        all.register("requests", "Requests that have ended", self.requests.clone());
        all.register("tokens", "Tokens read and made", self.tokens.clone());
        all.register("queue_depth", "Jobs that wait", self.queue.clone());
        for (name, help, histogram) in [
            ("wait", "From arrival to the turn", &self.wait),
            ("first_token", "From the turn to the first text", &self.first_token),
            ("token", "Each further token, as the mean of its answer", &self.each_token),
        ] {
            all.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        }
        all.register("engine_room", "Jobs the engine works on at most", self.room.clone());
        all.register("engine_running", "Jobs in the engine", self.running.clone());
        all.register("engine_deaths", "Engines that died and were replaced", self.deaths.clone());
        all.register("breaker", "1 for what the breaker does now", self.breakers.clone());
        all.register("spool_bytes", "Bytes of usage not delivered yet", self.spool.clone());
        let help = "Millionths spent beyond budgets since the start, which nobody pays";
        all.register("forgone_micros", help, self.forgone.clone());
    }
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every method called once, with names that clients could have sent.
    fn all(model: &str, class: &str) -> Metrics {
        let metrics = Metrics::new(["free", "paid"]);
        metrics.add_models(["small"]);
        for outcome in Outcome::ALL {
            metrics.request(outcome, class);
        }
        let usage = Usage { prompt_tokens: 10, cached_tokens: 4, completion_tokens: 3 };
        metrics.used(model, usage);
        std::mem::forget(metrics.queued(class));
        metrics.waited(model, Duration::from_millis(20));
        metrics.first_token(model, Duration::from_secs(2));
        metrics.further_tokens(model, 2, Duration::from_millis(80));
        metrics.engine(4, 1);
        metrics.spool_bytes(7);
        metrics.forgone(Currency::USD, Micros::new(9));
        metrics
    }

    /// An engine that died twice, behind two breakers.
    fn engine(model: &str) -> [(String, Health); 1] {
        let breakers = [("here", BreakerState::Closed), ("hub", BreakerState::Open)];
        let breakers = breakers.map(|(name, state)| (name.to_owned(), state)).into();
        [(model.to_owned(), Health { deaths: 2, breakers })]
    }

    #[test]
    fn every_number_is_in_the_text() {
        let text = all("small", "paid").render(&engine("small"));
        for line in [
            "inference_requests_total{outcome=\"answered\",class=\"paid\"} 1",
            "inference_tokens_total{model=\"small\",kind=\"prompt\"} 6",
            "inference_tokens_total{model=\"small\",kind=\"cached\"} 4",
            "inference_tokens_total{model=\"small\",kind=\"completion\"} 3",
            "inference_queue_depth{class=\"paid\"} 1",
            "inference_wait_seconds_bucket{le=\"0.03\",model=\"small\"} 1",
            "inference_first_token_seconds_sum{model=\"small\"} 2.0",
            "inference_token_seconds_bucket{le=\"0.05\",model=\"small\"} 1",
            "inference_engine_room 4",
            "inference_engine_running 1",
            "inference_spool_bytes 7",
            "inference_engine_deaths_total{model=\"small\"} 2",
            "inference_breaker{model=\"small\",upstream=\"here\",state=\"closed\"} 1",
            "inference_breaker{model=\"small\",upstream=\"here\",state=\"open\"} 0",
            "inference_breaker{model=\"small\",upstream=\"hub\",state=\"closed\"} 0",
            "inference_breaker{model=\"small\",upstream=\"hub\",state=\"half-open\"} 0",
            "inference_breaker{model=\"small\",upstream=\"hub\",state=\"open\"} 1",
            "inference_forgone_micros{currency=\"USD\"} 9",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn no_label_tells_of_a_tenant_or_a_person_or_takes_a_word_of_a_client() {
        let text = all("tenant-acme/user-ada", "acme\"\n").render(&engine("tenant-acme"));
        assert!(!text.contains("acme") && !text.contains("ada"), "{text}");
        let labels = text.lines().filter(|line| !line.starts_with('#'));
        let labels = labels.filter_map(|line| line.split_once('{')?.1.split_once('}'));
        for label in labels.flat_map(|(labels, _)| labels.split(',')) {
            let (name, value) = label.split_once('=').unwrap();
            let known =
                ["outcome", "class", "model", "kind", "le", "upstream", "state", "currency"];
            assert!(known.contains(&name), "{name} is a label");
            let is_word = !["class", "model"].contains(&name);
            assert!(is_word || ["\"other\"", "\"far\""].contains(&value), "{name}={value}");
        }
    }

    #[test]
    fn breakers_of_a_model_that_was_let_go_are_told_no_more_but_its_deaths_are() {
        let metrics = all("small", "paid");
        metrics.render(&engine("small"));
        let text = metrics.render(&[]);
        assert!(!text.contains("inference_breaker{"), "{text}");
        assert!(text.contains("inference_engine_deaths_total{model=\"small\"} 2"), "{text}");
    }

    #[test]
    fn names_of_models_are_bounded() {
        let metrics = Metrics::new(["free"]);
        for n in 0..2 * MODELS {
            let model = format!("m{n}");
            metrics.add_models([model.as_str()]);
            metrics.waited(&model, Duration::ZERO);
        }
        let text = metrics.render(&[]);
        let models = text.lines().filter(|line| line.starts_with("inference_wait_seconds_count"));
        assert_eq!(models.count(), MODELS + 1);
    }
}
