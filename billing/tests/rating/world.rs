//! An organization, a ledger, and everything that is told of them, written down as it happens.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use billing::amount::Amount;
use billing::ledger::memory::Ledger;
use billing::ledger::{Journal, Posted};
use billing::rating::contract::Agreement;
use billing::rating::dated::Dated;
use billing::rating::dunning::{Dunning, Fact, State};
use billing::rating::invoice::{
    Draft, Event, Invoice, InvoiceName, Moved, Payer, Ref, Tax, TaxKind, Taxes,
};
use billing::rating::line::Line;
use billing::rating::markup::Meter;
use billing::rating::subscription::{Accepted, Items, Quote, Subscription, Wish};
use billing::rating::time::Month;
use billing::rating::usage::{self, Metered, Use, Window};
use blueprint::name::BlueprintName;
use blueprint::{Money, Slug};
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) fn at(text: &str) -> Timestamp {
    if text.contains('T') { text.parse().unwrap() } else { at(&format!("{text}T00:00:00Z")) }
}

pub(crate) fn called(name: &str) -> Ref {
    name.parse().unwrap()
}

/// What a line is taxed with, in percent.
#[derive(Clone, Copy)]
pub(crate) struct Rate(pub(crate) TaxKind, pub(crate) i64);

pub(crate) struct World {
    pub(crate) organization: Slug,
    pub(crate) tenant: BlueprintName,
    pub(crate) agreement: Agreement,
    pub(crate) had: Option<Subscription>,
    pub(crate) invoices: BTreeMap<InvoiceName, Invoice>,
    pub(crate) ledger: Ledger,
    pub(crate) dunning: Dunning,
    pub(crate) stored: Dated<u64>,
    rate: Rate,
    windows: BTreeMap<Month, (Meter, Vec<Metered>)>,
    state: State,
    text: String,
}

macro_rules! say {
    ($world:expr, $($what:tt)*) => { writeln!($world.text, $($what)*).unwrap() };
}

impl World {
    pub(crate) fn new(agreement: Agreement, rate: Rate) -> Self {
        Self {
            organization: "acme".parse().unwrap(),
            tenant: "harbour".parse().unwrap(),
            agreement,
            had: None,
            invoices: BTreeMap::new(),
            ledger: Ledger::default(),
            dunning: Dunning::default(),
            stored: Dated::new(0),
            rate,
            windows: BTreeMap::new(),
            state: State::Current,
            text: String::new(),
        }
    }

    fn had(&mut self) -> &mut Subscription {
        self.had.as_mut().unwrap()
    }

    pub(crate) fn begin(&mut self, items: Items, now: Timestamp) -> InvoiceName {
        let (begun, lines) = Subscription::begin(&self.agreement, items, now).unwrap();
        self.had = Some(begun);
        let name = InvoiceName::change(&self.organization, &called("begin"));
        self.bill(name, lines, now)
    }

    /// Asks what it costs, is shown it, and does it, twice.
    pub(crate) fn change(
        &mut self,
        name: &str,
        wish: &Wish,
        now: Timestamp,
    ) -> Option<InvoiceName> {
        let agreement = self.agreement.clone();
        let quote: Quote = self.had().quote(&agreement, wish, now).unwrap();
        let line = quote.line().cloned();
        let cost = line.as_ref().map_or("nothing".into(), |line| line.amount().to_string());
        let (from, monthly) = (quote.from(), quote.monthly());
        say!(self, "{now} {name} would cost {cost}, from {from} on {monthly} a month");
        let had = self.had();
        assert_eq!(had.accept(called(name), &quote, now), Ok(Accepted::New));
        assert_eq!(had.accept(called(name), &quote, now), Ok(Accepted::Again));
        let about = InvoiceName::change(&self.organization, &called(name));
        line.map(|line| self.bill(about, vec![line], now))
    }

    /// One window of so many answers.
    pub(crate) fn uses(&mut self, now: Timestamp, answers: u32, micros_each: i64) {
        let month = Month::of(now);
        let currency = self.agreement.currency();
        let plan = self.had().plans().at(now).unwrap();
        let tiers = self.agreement.markup(plan, now).unwrap().clone();
        let (meter, windows) =
            self.windows.entry(month).or_insert_with(|| (Meter::new(currency), Vec::new()));
        let number = u32::try_from(windows.len()).unwrap();
        let window = Window::of(self.tenant.clone(), "smol", now, number);
        let answer = |id: u32| Use {
            id: Uuid::from_u128(u128::from(number) << 64 | u128::from(id)),
            at: now,
            cost: Amount::new(micros_each, currency),
        };
        let answers: Vec<_> = (0..answers).map(answer).collect();
        let counted = window.count(&self.organization, &answers, meter, &tiers).unwrap();
        let Metered { answers, cost, markup, journal, .. } = counted.clone();
        windows.push(counted);
        say!(self, "{now} {answers} answers cost {cost} and {markup}");
        self.post(&journal.unwrap());
    }

    /// What was used in the month before this one, and is in no invoice yet.
    pub(crate) fn used(&self, month: Month) -> Line {
        let before = Month::of(month.begins() - jiff::SignedDuration::from_secs(1));
        usage::line(&self.tenant, before, &self.windows[&before].1).unwrap()
    }

    /// What the rest of the month costs in which everything is had again.
    pub(crate) fn resumes(&mut self, now: Timestamp) -> InvoiceName {
        let agreement = self.agreement.clone();
        let lines = self.had().resume(&agreement, now).unwrap().unwrap();
        assert_eq!(self.had().resume(&agreement, now), Ok(None));
        let name = InvoiceName::change(&self.organization, &called("resumed"));
        self.bill(name, lines, now)
    }

    /// What the month costs in advance where platforms run, and what was used in the one before it.
    pub(crate) fn month(&mut self, month: &str, mut more: Vec<Line>) -> Option<InvoiceName> {
        let now = at(&format!("{month}-01"));
        let (month, agreement) = (Month::of(now), self.agreement.clone());
        let mut lines = if self.look(now).is_live() {
            self.had().renew(&agreement, month).unwrap().unwrap()
        } else {
            assert_eq!(self.had().pause(month), Ok(true));
            Vec::new()
        };
        assert_eq!(self.had().renew(&agreement, month), Ok(None));
        let before = Month::of(now - jiff::SignedDuration::from_secs(1));
        if let Some((_, windows)) = self.windows.remove(&before) {
            lines.push(usage::line(&self.tenant, before, &windows).unwrap());
        }
        let (plans, tenant) = (self.had().plans().clone(), &self.tenant);
        lines.extend(Line::storage(&agreement, &plans, tenant, before, &self.stored).unwrap());
        lines.append(&mut more);
        let name = InvoiceName::month(&self.organization, month);
        (!lines.is_empty()).then(|| self.bill(name, lines, now))
    }

    fn bill(&mut self, name: InvoiceName, lines: Vec<Line>, now: Timestamp) -> InvoiceName {
        let payer = Payer { organization: &self.organization, agreement: &self.agreement };
        let draft = Draft::new(name.clone(), payer, lines, now).unwrap();
        let taxes = self.rate.of(&draft);
        let invoice = draft.issue(taxes).unwrap();
        self.text.push_str(&shown(&invoice));
        self.post(&invoice.journal().clone());
        if let Some(fact) = invoice.fact() {
            self.told(&fact);
        }
        assert!(self.invoices.insert(name.clone(), invoice).is_none());
        self.look(now);
        name
    }

    pub(crate) fn happens(
        &mut self,
        name: &InvoiceName,
        called_as: &str,
        event: Event,
        now: Timestamp,
    ) {
        let invoice = self.invoices.get_mut(name).unwrap();
        let moved = invoice.happened(called(called_as), event.clone(), now).unwrap();
        assert_eq!(invoice.happened(called(called_as), event, now), Ok(moved.clone()));
        self.moved(name, &moved);
        self.look(now);
    }

    pub(crate) fn moved(&mut self, name: &InvoiceName, moved: &Moved) {
        let invoice = &self.invoices[name];
        let (open, owed) = (invoice.open(), invoice.owed_back());
        let journal = &moved.journal;
        say!(self, "{} {name}: {}; open {open}, owed back {owed}", journal.at(), journal.what());
        for entry in journal.entries() {
            say!(self, "    = {} {}", entry.account, entry.amount);
        }
        self.post(journal);
        if let Some(fact) = moved.fact.clone() {
            self.told(&fact);
        }
    }

    /// All of it, by the only rail there is.
    pub(crate) fn pays(&mut self, name: &InvoiceName, called_as: &str, now: Timestamp) {
        let amount = self.invoices[name].open();
        self.happens(name, called_as, paid(amount), now);
    }

    /// Facts come twice, as everything does.
    fn told(&mut self, fact: &Fact) {
        self.dunning.told(fact);
        self.dunning.told(fact);
    }

    /// Where it stands at this time, told where it stands elsewhere than before.
    pub(crate) fn look(&mut self, now: Timestamp) -> State {
        let standing = self.dunning.standing(self.agreement.patience(now), now);
        if let Some(step) = standing.state.after(self.state) {
            say!(self, "{now} {step:?}: {standing}");
        }
        self.state = standing.state;
        standing.state
    }

    fn post(&mut self, journal: &Journal) {
        assert!(matches!(self.ledger.post(journal.clone()), Posted::New(_)), "{journal:?}");
        assert!(matches!(self.ledger.post(journal.clone()), Posted::Again(_)));
    }

    /// All that was written down, and what is on each account in the end.
    pub(crate) fn ends(mut self) -> String {
        let currency = self.agreement.currency();
        let balances = self.ledger.balances().clone();
        assert_eq!(balances.values().sum::<i128>(), 0);
        assert!(self.ledger.conflicts().is_empty());
        let on = |account: &str| {
            let account = format!("organization:{}/{account}", self.organization);
            self.ledger.balance(&account.parse().unwrap(), currency)
        };
        let sum = |of: fn(&Invoice) -> Money| {
            let each = self.invoices.values().map(|it| Amount::of(of(it)).unwrap().micros());
            i128::from(each.sum::<i64>())
        };
        assert_eq!(
            (on("receivable"), on("payable")),
            (sum(Invoice::open), -sum(Invoice::owed_back))
        );
        say!(self, "in the end");
        for ((account, currency), micros) in balances {
            if micros != 0 {
                let amount = Amount::new(i64::try_from(micros).unwrap(), currency);
                say!(self, "    {account} {amount}");
            }
        }
        self.text
    }
}

impl Rate {
    /// As a provider would, for each line of what it is to be paid with.
    fn of(self, draft: &Draft) -> Taxes {
        let Self(kind, percent) = self;
        let whole = if kind == TaxKind::Exclusive { 100 } else { 100 + percent };
        let lines = draft.lines().map(|(_, price)| {
            let tax = (price.amount() * percent * 2 + whole) / (2 * whole);
            let what = format!("VAT {percent} %");
            (percent > 0).then(|| Tax { what, amount: Money::new(tax, price.currency()) })
        });
        Taxes { kind, lines: lines.collect() }
    }
}

pub(crate) fn paid(amount: Money) -> Event {
    Event::Paid { rail: "test".parse().unwrap(), amount }
}

fn shown(invoice: &Invoice) -> String {
    let mut text = String::new();
    let (name, issued, due) = (invoice.name(), invoice.issued(), invoice.due());
    write!(text, "{issued} invoice {name}, due {due}").unwrap();
    let order = invoice.purchase_order().map(|order| format!(", order {order}"));
    writeln!(text, "{}", order.unwrap_or_default()).unwrap();
    for (line, price, tax) in invoice.lines() {
        writeln!(text, "    {} | {} | {price}", line.what(), line.period()).unwrap();
        for reason in line.why() {
            writeln!(text, "        {}: {}", reason.what, reason.amount).unwrap();
        }
        if let Some(tax) = tax {
            let within = if invoice.tax_kind() == TaxKind::Inclusive { "within " } else { "" };
            writeln!(text, "        {within}{} {}", tax.what, tax.amount).unwrap();
        }
    }
    writeln!(text, "    total {}", invoice.total()).unwrap();
    for entry in invoice.journal().entries() {
        writeln!(text, "    = {} {}", entry.account, entry.amount).unwrap();
    }
    text
}
