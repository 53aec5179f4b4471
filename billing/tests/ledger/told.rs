//! Journals by chance, from a seed.

use billing::amount::Amount;
use billing::ledger::{Account, Entry, EventKey, Journal};
use jiff::{SignedDuration, Timestamp};

/// Numbers from a seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end).unwrap()).unwrap()
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

pub(crate) const CURRENCIES: [&str; 3] = ["USD", "JPY", "KWD"];
const ACCOUNTS: [&str; 8] = [
    "rail:stripe/cash",
    "rail:test/cash",
    "factory/revenue",
    "factory/cost",
    "tenant:acme/payable",
    "tenant:harbour/payable",
    "creator:acme:00000000-0000-0000-0000-00000000002a/payable",
    "organization:acme/receivable",
];

/// When the first of them happened.
pub(crate) fn beginning() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// One of so many events; the same event says the same but once in eight times.
pub(crate) fn journal(chance: &mut Chance, events: usize) -> Journal {
    let event = chance.below(events);
    let mut says = Chance::new(u64::try_from(event).unwrap());
    if chance.once_in(8) {
        says.0 ^= 1 << 40;
    }
    let mut entries = Vec::new();
    for _ in 0..=says.below(2) {
        let currency = CURRENCIES[says.below(3)].parse().unwrap();
        let mut left = 0_i64;
        for _ in 0..=says.below(3) {
            let micros = i64::try_from(1 + says.below(10_000_000)).unwrap();
            let micros = if says.once_in(2) { micros } else { -micros };
            left += micros;
            entries.push(Entry::new(account(&mut says), Amount::new(micros, currency)));
        }
        if left != 0 {
            entries.push(Entry::new(account(&mut says), Amount::new(-left, currency)));
        }
    }
    let key = EventKey::new("acme", "stripe", format!("evt_{event}"));
    let at = beginning() + SignedDuration::from_mins(i64::try_from(says.below(10_000)).unwrap());
    // Two that undo each other are two all the same.
    Journal::new(key, "moved", at, entries).unwrap()
}

fn account(chance: &mut Chance) -> Account {
    ACCOUNTS[chance.below(ACCOUNTS.len())].parse().unwrap()
}
