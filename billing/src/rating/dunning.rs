//! What becomes of a platform whose bill is not paid: nothing at first, then less and less, and all of it again
//! when it is paid.
//!
//! ```text
//! current -> past due -> grace -> suspended -> retained
//!    ^----------+----------+----------+-----------'        whenever nothing is overdue any more
//! ```
//!
//! There are no transitions to be missed or made twice: what was told is kept as facts, of which it makes no
//! difference in what order and how often they come, and where an organization stands is reckoned from them and
//! the time. Nothing here deletes anything: what is retained is kept until a person ends it.

use std::collections::BTreeMap;
use std::fmt;

use blueprint::status::PAST_GRACE;
use jiff::{SignedDuration, Timestamp};

use super::invoice::InvoiceName;

/// How long what is unpaid is borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// What a payment takes; until then nothing is said.
    pub settling: SignedDuration,
    /// Then it is past due: it is asked for.
    pub past_due: SignedDuration,
    /// Then there is so long until the platform is stopped.
    pub grace: SignedDuration,
    /// So long it is stopped and stands by; then only its data is kept.
    pub suspended: SignedDuration,
}

/// Something that was told of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It is to be paid.
    Issued {
        /// Which.
        invoice: InvoiceName,
        /// Until when.
        due: Timestamp,
    },
    /// Nothing of it is to be paid any more.
    Settled {
        /// Which.
        invoice: InvoiceName,
        /// Since when.
        at: Timestamp,
    },
    /// Something is to be paid again: a dispute was lost.
    Reopened {
        /// Which.
        invoice: InvoiceName,
        /// Since when.
        at: Timestamp,
    },
}

/// All that was told of an organization's invoices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dunning {
    invoices: BTreeMap<InvoiceName, Known>,
}

/// The latest that was told of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    due: Option<Timestamp>,
    settled: Option<Timestamp>,
    reopened: Option<Timestamp>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing is overdue.
    Current,
    /// Something is; everything runs.
    PastDue,
    /// It will be stopped; everything runs.
    Grace,
    /// It is stopped.
    Suspended,
    /// Only its data is kept.
    Retained,
}

/// Where an organization stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How far it has come.
    pub state: State,
    /// What is overdue for longest, and since when.
    pub overdue: Option<(InvoiceName, Timestamp)>,
    /// When it will be worse if nothing is paid, as far as is known.
    pub next: Option<Timestamp>,
}

/// What is to be done, and told, where one state follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask for the payment.
    Remind,
    /// Say when it will be stopped.
    Warn,
    /// Stop it.
    Stop,
    /// Stand by no longer; keep the data.
    Retain,
    /// It is live again.
    Revive,
    /// Nothing is overdue any more; it never stopped.
    Thank,
}

/// What the status condition [`Standing::CONDITION`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `True` or `False`.
    pub status: &'static str,
    /// In a word.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

impl Default for Patience {
    fn default() -> Self {
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        Self { settling: days(1), past_due: days(7), grace: days(14), suspended: days(30) }
    }
}

impl Patience {
    /// From when on it is each of these, where something was due at that time.
    fn times(self, due: Timestamp) -> [(State, Timestamp); 4] {
        let later = |time: Timestamp, by: SignedDuration| {
            time.checked_add(by.max(SignedDuration::ZERO)).unwrap_or(Timestamp::MAX)
        };
        let past_due = later(due, self.settling);
        let grace = later(past_due, self.past_due);
        let suspended = later(grace, self.grace);
        let retained = later(suspended, self.suspended);
        [
            (State::PastDue, past_due),
            (State::Grace, grace),
            (State::Suspended, suspended),
            (State::Retained, retained),
        ]
    }
}

impl Known {
    /// Since when it is to be paid, if it is.
    fn open_since(self) -> Option<Timestamp> {
        match (self.settled, self.reopened) {
            (None, None) => self.due,
            (Some(settled), reopened) if reopened.is_none_or(|reopened| reopened <= settled) => {
                None
            }
            (_, reopened) => reopened.max(self.due),
        }
    }
}

impl Dunning {
    /// Takes a fact, in any order and however often it comes. Of two dues of one invoice the later counts.
    pub fn told(&mut self, fact: &Fact) {
        let (Fact::Issued { invoice, .. }
        | Fact::Settled { invoice, .. }
        | Fact::Reopened { invoice, .. }) = fact;
        let known = self.invoices.entry(invoice.clone()).or_default();
        let (place, time) = match fact {
            Fact::Issued { due, .. } => (&mut known.due, due),
            Fact::Settled { at, .. } => (&mut known.settled, at),
            Fact::Reopened { at, .. } => (&mut known.reopened, at),
        };
        *place = (*place).max(Some(*time));
    }

    /// Where the organization stands now.
    pub fn standing(&self, patience: Patience, now: Timestamp) -> Standing {
        let open = self.invoices.iter();
        let open = open.filter_map(|(name, known)| Some((known.open_since()?, name)));
        let Some((since, name)) = open.min() else {
            return Standing { state: State::Current, overdue: None, next: None };
        };
        let times = patience.times(since);
        let reached = times.iter().rev().find(|(_, from)| *from <= now);
        let state = reached.map_or(State::Current, |(state, _)| *state);
        let next = times.iter().find(|(_, from)| *from > now).map(|(_, from)| *from);
        let overdue = Some((name.clone(), since)).filter(|_| state > State::Current);
        Standing { state, overdue, next }
    }
}

impl State {
    /// Whether platforms run.
    pub fn is_live(self) -> bool {
        self < Self::Suspended
    }

    /// What is to be done where `before` was before it.
    pub fn after(self, before: Self) -> Option<Step> {
        match (before, self) {
            _ if before == self => None,
            _ if self.is_live() && !before.is_live() => Some(Step::Revive),
            (_, Self::Current) => Some(Step::Thank),
            // An older invoice was paid and a younger one is overdue for less long: nothing new is asked.
            _ if self < before => None,
            (_, Self::PastDue) => Some(Step::Remind),
            (_, Self::Grace) => Some(Step::Warn),
            (_, Self::Suspended) => Some(Step::Stop),
            (_, Self::Retained) => Some(Step::Retain),
        }
    }
}

impl Standing {
    /// The type of the condition.
    pub const CONDITION: &'static str = "BillingCurrent";

    /// What the platforms' status says of it.
    pub fn condition(&self) -> Condition {
        let (status, reason) = match self.state {
            State::Current => ("True", "Paid"),
            State::PastDue => ("False", "PastDue"),
            State::Grace => ("False", "InGrace"),
            // One word for both: it is what the operator stops a platform for, and keeps it stopped.
            State::Suspended | State::Retained => ("False", PAST_GRACE),
        };
        Condition { status, reason, message: self.to_string() }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((invoice, since)) = &self.overdue else {
            return f.write_str("nothing is overdue");
        };
        write!(f, "{invoice} is to be paid since {since}")?;
        match (self.state, self.next) {
            (State::PastDue | State::Current, _) => f.write_str("; please pay it"),
            (State::Grace, Some(next)) => write!(f, "; platforms are stopped at {next}"),
            (State::Suspended, Some(next)) => {
                write!(
                    f,
                    "; platforms are stopped until it is, and from {next} on only their data is kept"
                )
            }
            _ => f.write_str("; the data of platforms is kept, and they are live again once it is"),
        }
    }
}

#[cfg(test)]
mod tests;
