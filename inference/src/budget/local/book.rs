//! What was used this month and today, in one small file that is replaced as a whole.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use blueprint::Currency;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use usage::day_of;
use uuid::Uuid;

use super::shared::Shared;
use crate::prices::Micros;
use crate::spool::{Event, Position, replace};

/// The file's content, and where it is. A clone shares what neither of the two changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Book {
    #[serde(skip)]
    path: PathBuf,
    /// The first day of the month that `spent` is of.
    month: Date,
    /// By tenant and currency.
    spent: Shared<BTreeMap<String, BTreeMap<Currency, Micros>>>,
    /// The day that `tokens` is of.
    day: Date,
    /// By tenant and person.
    tokens: Shared<BTreeMap<String, Shared<BTreeMap<String, u64>>>>,
    /// What came last. Records come in one order, and what was taken in without the spool
    /// learning of it comes again first, so nothing older needs to be known.
    last: Vec<Uuid>,
    /// How far the spool's records are in here, so that nothing depends on whether the spool
    /// remembers it too.
    #[serde(default)]
    delivered: Option<Position>,
}

impl Book {
    pub(super) fn open(path: &Path, now: Timestamp) -> io::Result<Self> {
        let read = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut book = match read {
            Ok(book) => book,
            Err(error) => {
                let aside = path.with_extension("unreadable");
                std::fs::rename(path, &aside)?;
                let aside = aside.display();
                tracing::error!(%error, "the book of usage cannot be read; it is now {aside}");
                Self::default()
            }
        };
        path.clone_into(&mut book.path);
        book.turn(now);
        Ok(book)
    }

    /// Begins a new day or month, if it is time; says whether a month began. A clock that goes
    /// back begins neither.
    pub(super) fn turn(&mut self, now: Timestamp) -> bool {
        let today = day_of(now);
        if today > self.day {
            self.day = today;
            self.tokens = Shared::default();
        }
        let begins = today.first_of_month() > self.month;
        if begins {
            self.month = today.first_of_month();
            self.spent = Shared::default();
        }
        begins
    }

    pub(super) fn spent(&self, tenant: &str, currency: Currency) -> Micros {
        let of = self.spent.get(tenant).and_then(|spent| spent.get(&currency));
        of.copied().unwrap_or_default()
    }

    pub(super) fn used_today(&self) -> Vec<(String, String, u64)> {
        let people = self.tokens.iter().flat_map(|(tenant, people)| {
            people.iter().map(|(user, tokens)| (tenant.clone(), user.clone(), *tokens))
        });
        people.collect()
    }

    pub(super) fn delivered(&self) -> Option<Position> {
        self.delivered
    }

    /// Adds what is new in the batch, which ends at `upto`, and gives it.
    pub(super) fn take_in<'a>(
        &mut self,
        batch: &'a [Event],
        upto: Position,
        now: Timestamp,
    ) -> Vec<&'a Event> {
        self.turn(now);
        let last: HashSet<Uuid> = self.last.iter().copied().collect();
        let new: Vec<_> = batch.iter().filter(|event| !last.contains(&event.id)).collect();
        let (spent_by_all, tokens_of_all) = (self.spent.edit(), self.tokens.edit());
        for event in &new {
            let day = day_of(event.ended_at);
            // Late ones of an earlier month count in this one, as their money was kept until now.
            if event.cost > Micros::ZERO {
                let spent = spent_by_all.entry(event.tenant.clone()).or_default();
                let spent = spent.entry(event.currency).or_default();
                *spent = spent.plus(event.cost);
            }
            if day == self.day && event.counts_for_the_person() {
                let people = tokens_of_all.entry(event.tenant.clone()).or_default();
                let tokens = people.edit().entry(event.user.clone()).or_default();
                *tokens = tokens.saturating_add(event.tokens.all());
            }
        }
        // Where some came again, the rest of what was last may come again too.
        if new.len() == batch.len() {
            self.last.clear();
        }
        self.last.extend(new.iter().map(|event| event.id));
        self.delivered = Some(upto);
        new
    }

    /// Replaces the file; after a power cut there is the old one or the new.
    pub(super) fn save(&self) -> io::Result<()> {
        replace(&self.path, &serde_json::to_vec(self)?)
    }
}
