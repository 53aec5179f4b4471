//! An invoice that was issued, and all that happened to it.

use std::collections::{BTreeMap, BTreeSet};

use blueprint::Slug;
use blueprint::money::{Currency, Money};
use jiff::Timestamp;

use super::draft::Draft;
use super::{Event, InvoiceName, Moved, NoInvoice, Ref, TaxKind, Taxes};
use crate::amount::{Amount, AmountError};
use crate::ledger::{Account, Book, Entry, EventKey, Journal, Party};
use crate::rating::CONTROL;
use crate::rating::dunning::Fact;
use crate::rating::line::Line;
use crate::sale::Verdict;
use crate::split::allocate;

/// What an organization owes for its lines, and what became of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    draft: Draft,
    taxes: Taxes,
    journal: Journal,
    /// What is left of each line: without tax, and the tax on it, in minor units.
    left: Vec<(i64, i64)>,
    sums: Sums,
    payments: BTreeMap<Ref, Payment>,
    /// The payment and the amount of disputes that are not judged yet.
    disputes: BTreeMap<Ref, (Ref, i64)>,
    happened: BTreeMap<(&'static str, Ref), Happened>,
    /// When the last of it happened.
    latest: Timestamp,
}

/// Minor units, none below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sums {
    total: i64,
    credited: i64,
    paid: i64,
    /// Refunded, lost in disputes, or given to other invoices.
    back: i64,
}

/// What came by a rail, and what of it can go back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Payment {
    rail: Slug,
    left: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Happened {
    event: Event,
    at: Timestamp,
    moved: Moved,
}

impl Sums {
    /// Open above zero, owed back below.
    const fn balance(self) -> i64 {
        self.total - self.credited - self.paid + self.back
    }
}

impl Invoice {
    pub(super) fn issue(draft: Draft, taxes: Taxes) -> Result<Self, NoInvoice> {
        let currency = draft.rounded.total.currency();
        let left = taxes.split(&draft.rounded.parts)?;
        let left: Vec<_> =
            left.into_iter().map(|(net, tax)| (net.amount(), tax.amount())).collect();
        let checked = |sum: i64, minor: i64| sum.checked_add(minor).ok_or(AmountError::Overflow);
        let tax = left.iter().map(|(_, tax)| *tax).try_fold(0, checked)?;
        let total = left.iter().map(|(net, _)| *net).try_fold(tax, checked)?;
        let journal = issue_journal(&draft, taxes.kind, total, tax, currency)?;
        let sums = Sums { total, credited: 0, paid: 0, back: 0 };
        let latest = draft.issued;
        Ok(Self {
            draft,
            taxes,
            journal,
            left,
            sums,
            payments: BTreeMap::new(),
            disputes: BTreeMap::new(),
            happened: BTreeMap::new(),
            latest,
        })
    }

    /// What it is called.
    pub const fn name(&self) -> &InvoiceName {
        &self.draft.name
    }

    /// Who owes it.
    pub const fn organization(&self) -> &Slug {
        &self.draft.organization
    }

    /// When it was issued.
    pub const fn issued(&self) -> Timestamp {
        self.draft.issued
    }

    /// Until when it is to be paid.
    pub fn due(&self) -> Timestamp {
        self.draft.payment.due(self.draft.issued)
    }

    /// The buyer's order that it is against.
    pub fn purchase_order(&self) -> Option<&str> {
        self.draft.payment.purchase_order()
    }

    /// Its lines, what each is to be paid with, and the tax that was told of it.
    pub fn lines(&self) -> impl Iterator<Item = (&Line, Money, Option<&super::Tax>)> {
        let taxes = self.taxes.lines.iter().map(Option::as_ref);
        self.draft.lines().zip(taxes).map(|((line, price), tax)| (line, price, tax))
    }

    /// Its lines, and what each was billed with, without tax.
    pub fn nets(&self) -> impl Iterator<Item = (&Line, Money)> {
        self.lines().map(|(line, price, tax)| match (self.taxes.kind, tax) {
            (TaxKind::Inclusive, Some(tax)) => {
                (line, self.money(price.amount() - tax.amount.amount()))
            }
            _ => (line, price),
        })
    }

    /// Whether prices have their tax in them.
    pub const fn tax_kind(&self) -> TaxKind {
        self.taxes.kind
    }

    /// What is left of a line: without tax, and the tax.
    pub fn left(&self, line: usize) -> Option<(Money, Money)> {
        self.left.get(line).map(|(net, tax)| (self.money(*net), self.money(*tax)))
    }

    /// What it came to, tax included.
    pub fn total(&self) -> Money {
        self.money(self.sums.total)
    }

    /// What is to be paid still.
    pub fn open(&self) -> Money {
        self.money(self.sums.balance().max(0))
    }

    /// What was paid and is not owed: to be refunded, or to pay another invoice.
    pub fn owed_back(&self) -> Money {
        self.money((-self.sums.balance()).max(0))
    }

    /// What issuing it moved.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// All journals of it: of what was issued, and of what happened.
    pub fn journals(&self) -> impl Iterator<Item = &Journal> {
        let happened = self.happened.values().map(|happened| &happened.moved.journal);
        std::iter::once(&self.journal).chain(happened)
    }

    /// What issuing it is for who asks whether everything is paid; nothing where nothing is to be paid.
    pub fn fact(&self) -> Option<Fact> {
        let issued = Fact::Issued { invoice: self.draft.name.clone(), due: self.due() };
        Some(issued).filter(|_| self.sums.total > 0)
    }

    /// What happened to it, under the name that whoever told it has for it. The same once more moves nothing
    /// and has the same journal.
    ///
    /// # Errors
    /// [`NoInvoice`]; nothing changes then.
    pub fn happened(
        &mut self,
        called: Ref,
        event: Event,
        at: Timestamp,
    ) -> Result<Moved, NoInvoice> {
        if let Some(moved) = self.known(&called, &event, at)? {
            return Ok(moved);
        }
        let mut after = self.clone();
        let entries = after.change(&called, &event)?;
        let moved = self.moved(&mut after, &called, &event, at, entries)?;
        after.remember(called, event, at, moved.clone());
        *self = after;
        Ok(moved)
    }

    /// What was moved when this was told before.
    fn known(
        &self,
        called: &Ref,
        event: &Event,
        at: Timestamp,
    ) -> Result<Option<Moved>, NoInvoice> {
        match self.happened.get(&(event.kind(), called.clone())) {
            None => Ok(None),
            Some(known) if known.event == *event && known.at == at => Ok(Some(known.moved.clone())),
            Some(_) => Err(NoInvoice::Conflict(called.clone())),
        }
    }

    fn remember(&mut self, called: Ref, event: Event, at: Timestamp, moved: Moved) {
        self.happened.insert((event.kind(), called), Happened { event, at, moved });
    }

    /// Changes what is counted here, and says what moves beside what the organization owes and is owed.
    fn change(&mut self, called: &Ref, event: &Event) -> Result<Vec<Entry>, NoInvoice> {
        match event {
            Event::Paid { rail, amount } => {
                let paid = self.positive(*amount)?;
                self.sums.paid = self.sums.paid.checked_add(paid).ok_or(AmountError::Overflow)?;
                self.payments.insert(called.clone(), Payment { rail: rail.clone(), left: paid });
                Ok(vec![self.entry(cash(rail), paid)?])
            }
            Event::Credited { lines, .. } => self.credit(lines),
            Event::Refunded { payment, amount } => {
                let owed = self.owed_back();
                let back = self.at_most(*amount, owed, "what is owed back")?;
                let rail = self.take(payment, *amount)?;
                self.sums.back += back;
                Ok(vec![self.entry(cash(&rail), -back)?])
            }
            Event::Disputed { payment, amount } => {
                let rail = self.take(payment, *amount)?;
                let taken = amount.amount();
                self.disputes.insert(called.clone(), (payment.clone(), taken));
                Ok(vec![
                    self.entry(cash(&rail), -taken)?,
                    self.entry(self.book(Book::Reserve), taken)?,
                ])
            }
            Event::Judged(verdict) => self.judge(called, *verdict),
            Event::Applied { amount, .. } => {
                let open = self.open();
                self.sums.paid += self.at_most(*amount, open, "what is open")?;
                Ok(Vec::new())
            }
            Event::Given { amount, .. } => {
                let owed = self.owed_back();
                self.sums.back += self.at_most(*amount, owed, "what is owed back")?;
                Ok(Vec::new())
            }
        }
    }

    fn credit(&mut self, lines: &[(usize, Money)]) -> Result<Vec<Entry>, NoInvoice> {
        let (mut net, mut tax, mut seen) = (0, 0, BTreeSet::new());
        for &(at, back) in lines {
            if !seen.insert(at) {
                return Err(NoInvoice::LineTwice(at));
            }
            let &(has_net, has_tax) = self.left.get(at).ok_or(NoInvoice::NoLine(at))?;
            let left = self.money(has_net + has_tax);
            let back = self.at_most(back, left, &format!("line {at}"))?;
            let [of_net, of_tax] = match *allocate(back, &[has_net, has_tax]) {
                [of_net, of_tax] => [of_net, of_tax],
                _ => [back, 0],
            };
            self.left[at] = (has_net - of_net, has_tax - of_tax);
            (net, tax) = (net + of_net, tax + of_tax);
        }
        self.sums.credited += net + tax;
        let factory = |book| Account::new(Party::Factory, book);
        Ok(vec![self.entry(factory(Book::Revenue), net)?, self.entry(factory(Book::Tax), tax)?])
    }

    fn judge(&mut self, dispute: &Ref, verdict: Verdict) -> Result<Vec<Entry>, NoInvoice> {
        let unknown = || NoInvoice::Unknown(dispute.clone());
        let (payment, amount) = self.disputes.remove(dispute).ok_or_else(unknown)?;
        let mut entries = vec![self.entry(self.book(Book::Reserve), -amount)?];
        match verdict {
            Verdict::Lost => self.sums.back += amount,
            Verdict::Won => {
                let paid = self.payments.get_mut(&payment).ok_or_else(unknown)?;
                paid.left += amount;
                let rail = paid.rail.clone();
                entries.push(self.entry(cash(&rail), amount)?);
            }
        }
        Ok(entries)
    }

    /// Takes so much of a payment back, and says which rail has it.
    fn take(&mut self, payment: &Ref, amount: Money) -> Result<Slug, NoInvoice> {
        let unknown = || NoInvoice::Unknown(payment.clone());
        let left = self.money(self.payments.get(payment).ok_or_else(unknown)?.left);
        let taken = self.at_most(amount, left, &format!("payment {payment}"))?;
        let paid = self.payments.get_mut(payment).ok_or_else(unknown)?;
        paid.left -= taken;
        Ok(paid.rail.clone())
    }

    /// The journal of what happened between this and what it is `after` it.
    fn moved(
        &self,
        after: &mut Self,
        called: &Ref,
        event: &Event,
        at: Timestamp,
        mut entries: Vec<Entry>,
    ) -> Result<Moved, NoInvoice> {
        entries.push(self.entry(self.book(Book::Receivable), change(self, after, Self::open))?);
        entries.push(self.entry(self.book(Book::Payable), -change(self, after, Self::owed_back))?);
        entries.retain(|entry| !entry.amount.is_zero());
        let name = &self.draft.name;
        let key = EventKey::new(CONTROL, "invoice", format!("{name}/{}/{called}", event.kind()));
        let journal = Journal::new(key, event.what(), at, entries)?;
        // Payments may be told in another order than they were made in.
        after.latest = self.latest.max(at);
        let (invoice, at) = (name.clone(), after.latest);
        let fact = match (self.open().amount(), after.open().amount()) {
            (1.., 0) => Some(Fact::Settled { invoice, at }),
            (0, 1..) => Some(Fact::Reopened { invoice, at }),
            _ => None,
        };
        Ok(Moved { journal, fact })
    }

    fn at_most(&self, asked: Money, left: Money, of: &str) -> Result<i64, NoInvoice> {
        let amount = self.positive(asked)?;
        if amount > left.amount() {
            return Err(NoInvoice::MoreThanLeft { asked, left, of: of.to_owned() });
        }
        Ok(amount)
    }

    fn positive(&self, asked: Money) -> Result<i64, NoInvoice> {
        if asked.currency() != self.currency() {
            return Err(NoInvoice::Mixed(asked.currency(), self.currency()));
        }
        if asked.amount() > 0 { Ok(asked.amount()) } else { Err(NoInvoice::NothingMoves) }
    }

    fn currency(&self) -> Currency {
        self.draft.rounded.total.currency()
    }

    fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.currency())
    }

    fn book(&self, book: Book) -> Account {
        Account::new(Party::Organization(self.draft.organization.clone()), book)
    }

    fn entry(&self, account: Account, minor: i64) -> Result<Entry, AmountError> {
        Ok(Entry::new(account, Amount::of(self.money(minor))?))
    }
}

/// Pays `to` with what `from` owes back: one journal for both.
///
/// # Errors
/// [`NoInvoice`]; nothing changes then.
pub fn apply(
    from: &mut Invoice,
    to: &mut Invoice,
    amount: Money,
    called: Ref,
    at: Timestamp,
) -> Result<Moved, NoInvoice> {
    let applied = Event::Applied { from: from.name().clone(), amount };
    let given = Event::Given { to: to.name().clone(), amount };
    // Both know it, or neither does: they are changed together.
    if let Some(moved) = to.known(&called, &applied, at)? {
        return Ok(moved);
    }
    if from.known(&called, &given, at)?.is_some() {
        return Err(NoInvoice::Conflict(called));
    }
    if from.organization() != to.organization() {
        return Err(NoInvoice::NotTheirs(from.name().clone(), to.organization().clone()));
    }
    let (mut left, mut paid) = (from.clone(), to.clone());
    left.change(&called, &given)?;
    paid.change(&called, &applied)?;
    let less = to.entry(to.book(Book::Payable), amount.amount())?;
    let moved = to.moved(&mut paid, &called, &applied, at, vec![less])?;
    left.latest = from.latest.max(at);
    left.remember(called.clone(), given, at, moved.clone());
    paid.remember(called, applied, at, moved.clone());
    (*from, *to) = (left, paid);
    Ok(moved)
}

/// Receivable is what is to be paid; unbilled use is billed, all else is earned; taxes are kept; and what
/// rounding left over is left over.
fn issue_journal(
    draft: &Draft,
    kind: TaxKind,
    total: i64,
    tax: i64,
    currency: Currency,
) -> Result<Journal, NoInvoice> {
    let organization = Party::Organization(draft.organization.clone());
    let of = |minor: i64| Amount::of(Money::new(minor, currency));
    let sum = |is_used: bool| {
        let lines = draft.lines.iter().filter(|line| line.is_used() == is_used);
        Amount::sum(currency, lines.map(Line::amount))
    };
    let included = match kind {
        TaxKind::Exclusive => 0,
        TaxKind::Inclusive => tax,
    };
    let earned = sum(false)?.minus(of(included)?)?;
    let entry = |party: &Party, book, amount| Entry::new(Account::new(party.clone(), book), amount);
    let mut entries = vec![
        entry(&organization, Book::Receivable, of(total)?),
        entry(&organization, Book::Unbilled, sum(true)?.negated()?),
        entry(&Party::Factory, Book::Revenue, earned.negated()?),
        entry(&Party::Factory, Book::Tax, of(-tax)?),
        entry(&Party::Factory, Book::Rounding, draft.rounded.left),
    ];
    entries.retain(|entry| !entry.amount.is_zero());
    let key = EventKey::new(CONTROL, "invoice", draft.name.as_str());
    Ok(Journal::new(key, "invoice", draft.issued, entries)?)
}

fn change(before: &Invoice, after: &Invoice, of: impl Fn(&Invoice) -> Money) -> i64 {
    of(after).amount() - of(before).amount()
}

fn cash(rail: &Slug) -> Account {
    Account::new(Party::Rail(rail.clone()), Book::Cash)
}

#[cfg(test)]
mod tests;
