//! Everything that the simulator knows, behind one lock.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::agenda::{Agenda, Due};
use crate::chance::Chance;
use crate::faults::Faults;
use crate::keys::Keys;
use crate::limits::Buckets;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::store::Books;
use crate::value::{Read, told};
use crate::webhooks::Deliveries;

/// The version of Stripe's API that is spoken.
pub const API_VERSION: &str = "2026-09-30.endive";

/// The account that the secret key belongs to.
pub(crate) const PLATFORM: &str = "acct_platform";

/// The whole of it.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) now: i64,
    pub(crate) chance: Chance,
    pub(crate) books: BTreeMap<String, Books>,
    pub(crate) keys: Keys,
    pub(crate) buckets: Buckets,
    pub(crate) faults: Faults,
    pub(crate) agenda: Agenda,
    pub(crate) deliveries: Deliveries,
    /// Who asks at the moment: told in events.
    pub(crate) asking: (Option<String>, Option<String>),
}

impl State {
    pub(crate) fn new(settings: Settings) -> Self {
        let faults = Faults::new(settings.request_faults, settings.seed ^ 0x5eed);
        let deliveries = Deliveries::new(settings.webhook_faults, settings.seed ^ 0x00e7_e275);
        let mut state = Self {
            now: settings.start,
            chance: Chance::new(settings.seed),
            books: BTreeMap::new(),
            keys: Keys::default(),
            buckets: Buckets::default(),
            faults,
            agenda: Agenda::default(),
            deliveries,
            asking: (None, None),
            settings,
        };
        state.books.insert(PLATFORM.to_owned(), Books::default());
        state.agenda.put(None, state.next_midnight(), Due::Midnight);
        state
    }

    /// An id that nobody has.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}_{}", self.chance.word(24))
    }

    pub(crate) fn next_midnight(&self) -> i64 {
        (self.now.div_euclid(86_400) + 1) * 86_400
    }

    pub(crate) fn of(&mut self, account: &str) -> &mut Books {
        self.books.entry(account.to_owned()).or_default()
    }

    pub(crate) fn look(&self, account: &str, kind: &'static str, id: &str) -> Option<&Value> {
        self.books.get(account)?.get(kind, id)
    }

    /// An object that a parameter names.
    pub(crate) fn get(
        &self,
        account: &str,
        kind: &'static str,
        id: &str,
        param: &str,
    ) -> Result<Value, Refusal> {
        let found = self.look(account, kind, id).cloned();
        found.ok_or_else(|| Refusal::missing(kind, id, param))
    }

    /// Puts an object where its kind belongs.
    pub(crate) fn put(&mut self, account: &str, kind: &'static str, object: Value) {
        self.of(account).shelf_mut(kind).put(object);
    }

    /// Changes an object that is there.
    pub(crate) fn change(
        &mut self,
        account: &str,
        kind: &'static str,
        id: &str,
        change: impl FnOnce(&mut Value),
    ) -> Value {
        let Some(object) = self.of(account).shelf_mut(kind).get_mut(id) else {
            return Value::Null;
        };
        change(object);
        object.clone()
    }

    pub(crate) fn all(&self, account: &str, kind: &'static str) -> Vec<Value> {
        self.books.get(account).map(|books| books.all(kind).cloned().collect()).unwrap_or_default()
    }

    /// The time of a customer: that of their test clock, or everybody's.
    pub(crate) fn time_of(&self, account: &str, customer: &str) -> i64 {
        let clock = self.clock_of(account, customer);
        let clock = clock.and_then(|id| self.look(account, "test_helpers.test_clock", &id));
        clock.map_or(self.now, |clock| clock.int("frozen_time"))
    }

    pub(crate) fn clock_of(&self, account: &str, customer: &str) -> Option<String> {
        self.look(account, "customer", customer)?.maybe("test_clock")
    }

    /// Tells everybody who listens that something happened to an object.
    pub(crate) fn emit(&mut self, account: &str, kind: &str, object: &Value) {
        self.emit_with(account, kind, object, None);
    }

    pub(crate) fn emit_change(&mut self, account: &str, kind: &str, before: &Value, after: &Value) {
        let (before, after) = (told(before), told(after));
        let previous = previous(&before, &after);
        self.emit_with(account, kind, &after, Some(previous));
    }

    fn emit_with(&mut self, account: &str, kind: &str, object: &Value, previous: Option<Value>) {
        let mut data = json!({ "object": told(object) });
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        let (request, key) = self.asking.clone();
        let mut event = json!({
            "id": self.id("evt"), "object": "event", "api_version": API_VERSION,
            "created": self.now, "livemode": false, "type": kind, "data": data,
            "pending_webhooks": 0,
            "request": { "id": request, "idempotency_key": key },
        });
        if account != PLATFORM {
            event["account"] = json!(account);
        }
        let waiting = self.schedule(account, &event);
        event["pending_webhooks"] = json!(waiting);
        self.put(account, "event", event);
    }
}

/// What the fields that differ were before.
fn previous(before: &Value, after: &Value) -> Value {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        return json!({});
    };
    let differ = |(name, value): &(&String, &Value)| after.get(*name) != Some(*value);
    before.iter().filter(differ).map(|(name, value)| (name.clone(), value.clone())).collect()
}
