//! Objects, in the order in which they were made, and what each account has in its purse.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use crate::value::Read;

/// The objects of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    order: Vec<String>,
    by_id: HashMap<String, Value>,
}

impl Shelf {
    pub(crate) fn put(&mut self, object: Value) {
        let id = object.text("id").to_owned();
        if self.by_id.insert(id.clone(), object).is_none() {
            self.order.push(id);
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Value> {
        self.by_id.get_mut(id)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Value> {
        self.order.retain(|known| known != id);
        self.by_id.remove(id)
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }
}

/// Everything of one account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    shelves: BTreeMap<&'static str, Shelf>,
    purses: BTreeMap<String, Purse>,
}

impl Books {
    pub(crate) fn shelf_mut(&mut self, kind: &'static str) -> &mut Shelf {
        self.shelves.entry(kind).or_default()
    }

    pub(crate) fn get(&self, kind: &'static str, id: &str) -> Option<&Value> {
        self.shelves.get(kind)?.get(id)
    }

    pub(crate) fn all(&self, kind: &'static str) -> impl DoubleEndedIterator<Item = &Value> {
        self.shelves.get(kind).into_iter().flat_map(Shelf::all)
    }

    pub(crate) fn purse(&mut self, currency: &str) -> &mut Purse {
        self.purses.entry(currency.to_owned()).or_default()
    }

    /// The object with this id, whatever it is.
    pub(crate) fn find(&self, id: &str) -> Option<&Value> {
        self.shelves.values().find_map(|shelf| shelf.get(id))
    }

    /// The balance as it is told.
    pub(crate) fn balance(&mut self, now: i64) -> Value {
        let (mut available, mut pending) = (Vec::new(), Vec::new());
        for (currency, purse) in &mut self.purses {
            purse.settle(now);
            let told = |amount: i64| {
                let of = json!({ "card": amount });
                json!({ "amount": amount, "currency": currency, "source_types": of })
            };
            available.push(told(purse.available));
            pending.push(told(purse.pending()));
        }
        if available.is_empty() {
            let nothing = json!({ "amount": 0, "currency": "usd", "source_types": { "card": 0 } });
            available.push(nothing.clone());
            pending.push(nothing);
        }
        json!({
            "object": "balance", "livemode": false, "available": available, "pending": pending,
            "connect_reserved": [{ "amount": 0, "currency": "usd" }],
            "refund_and_dispute_prefunding": {
                "available": [{ "amount": 0, "currency": "usd" }],
                "pending": [{ "amount": 0, "currency": "usd" }],
            },
        })
    }
}

/// The money of one account in one currency, in minor units.
#[derive(Clone, Debug, Default)]
pub(crate) struct Purse {
    pub(crate) available: i64,
    later: BTreeMap<i64, i64>,
}

impl Purse {
    pub(crate) fn add(&mut self, net: i64, available_on: i64, now: i64) {
        if available_on <= now {
            self.available += net;
        } else {
            *self.later.entry(available_on).or_default() += net;
        }
    }

    /// What became available by now, is.
    pub(crate) fn settle(&mut self, now: i64) {
        while let Some(entry) = self.later.first_entry() {
            if *entry.key() > now {
                break;
            }
            self.available += entry.remove();
        }
    }

    pub(crate) fn pending(&self) -> i64 {
        self.later.values().sum()
    }
}
