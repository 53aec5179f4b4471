//! What test money makes of a wish. Nothing here asks anybody.

use blueprint::{Currency, Money};
use jiff::Timestamp;

use crate::rail::{Cash, Kind, Merchant, Object, ObjectRef, Order, Sale, Standing, Trouble, Wish};

/// Something it made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub object: Object,
    /// What it is a part of.
    pub part_of: Option<String>,
    pub currency: Currency,
    /// How much it is: minor units.
    pub amount: i64,
    /// What of it is on our balance once it has moved.
    pub gross: i64,
}

/// Of what a wish takes how much, and as what.
pub(super) fn part_of(wish: &Wish) -> Option<(&str, Money, Kind)> {
    let nothing = Money::new(0, Currency::USD);
    match wish {
        Wish::Refund { payment, amount, .. } => Some((payment.as_str(), *amount, Kind::Refund)),
        Wish::Transfer { payment, amount, .. } => Some((payment.as_str(), *amount, Kind::Transfer)),
        Wish::TakeBack { transfer, amount } => Some((transfer.as_str(), *amount, Kind::TakeBack)),
        Wish::Cancel { subscription, .. } => Some((subscription.as_str(), nothing, Kind::Other)),
        Wish::InvoiceFee { invoice, .. } => Some((invoice.as_str(), nothing, Kind::Other)),
        Wish::Customer { .. }
        | Wish::Seller { .. }
        | Wish::Checkout { .. }
        | Wish::Sale { .. }
        | Wish::Subscription { .. } => None,
    }
}

/// Whether something of this kind can have such parts.
pub(super) const fn has_parts(whole: Kind, part: Kind) -> bool {
    match part {
        Kind::Refund | Kind::Transfer => {
            matches!(whole, Kind::Payment | Kind::Checkout | Kind::Invoice)
        }
        Kind::TakeBack => matches!(whole, Kind::Transfer),
        _ => matches!(whole, Kind::Subscription | Kind::Invoice),
    }
}

/// What it makes of a wish.
pub(super) fn make(
    order: &Order,
    whole: Option<&Made>,
    base: &str,
    now: Timestamp,
) -> Result<Made, Trouble> {
    order.wish.check().map_err(|error| Trouble::Refused(error.to_string()))?;
    if whole.is_some_and(|whole| whole.object.standing != Standing::Settled) {
        return Err(Trouble::Refused("what it would be a part of was never paid".to_owned()));
    }
    let nothing = Money::new(0, Currency::USD);
    let (kind, amount, gross) = match &order.wish {
        Wish::Customer { .. } => (Kind::Customer, nothing, 0),
        Wish::Seller { .. } => (Kind::Seller, nothing, 0),
        Wish::Cancel { .. } => (Kind::Subscription, nothing, 0),
        Wish::InvoiceFee { .. } => (Kind::Invoice, nothing, 0),
        Wish::Checkout { sale, .. } => (Kind::Checkout, paid_for(sale)?, on_our_balance(sale)?),
        Wish::Sale { sale } => (Kind::Payment, paid_for(sale)?, on_our_balance(sale)?),
        Wish::Subscription { sale, .. } => {
            (Kind::Subscription, paid_for(sale)?, on_our_balance(sale)?)
        }
        Wish::Refund { amount, direct, .. } => {
            let ours = direct.as_ref().map_or(amount, |(_, fee)| fee);
            (Kind::Refund, *amount, -ours.amount())
        }
        Wish::Transfer { amount, .. } => (Kind::Transfer, *amount, -amount.amount()),
        Wish::TakeBack { amount, .. } => (Kind::TakeBack, *amount, amount.amount()),
    };
    let id = format!("test_{}_{}", word(kind), order.intent.uuid().simple());
    let is_page = kind == Kind::Checkout;
    let object = Object {
        at_rail: at(kind, &id),
        kind,
        intent: Some(order.intent),
        standing: if is_page { Standing::Open } else { Standing::Settled },
        cash: None,
        back: None,
        payment: None,
        link: is_page.then(|| format!("{base}/test-money/pay/{id}")),
        at: now,
    };
    let part_of = whole.map(|whole| whole.object.at_rail.id.clone());
    let made =
        Made { object, part_of, currency: amount.currency(), amount: amount.amount(), gross };
    // A page moves what it is for once somebody paid, a subscription with each invoice.
    Ok(if matches!(kind, Kind::Checkout | Kind::Subscription) { made } else { made.moved() })
}

impl Made {
    /// Its part of our balance is there now, or gone from it.
    fn moved(mut self) -> Self {
        let gross = Money::new(self.gross, self.currency);
        let cash = Cash {
            booked_as: self.object.at_rail.id.clone(),
            gross,
            fee: Some(Money::new(0, self.currency)),
        };
        self.object.cash = Some(cash).filter(|_| self.gross != 0);
        self
    }
}

/// A page on which somebody paid.
pub(super) fn paid(mut page: Made, now: Timestamp) -> Made {
    page.object.standing = Standing::Settled;
    page.object.at = now;
    page.moved()
}

/// A subscription that goes on no more.
pub(super) fn ended(mut subscription: Made) -> Made {
    subscription.object.standing = Standing::Ended;
    subscription
}

/// One payment of a subscription.
pub(super) fn invoice(subscription: &Made, count: u32, now: Timestamp) -> Made {
    let of = &subscription.object.at_rail.id;
    let object = Object {
        at_rail: at(Kind::Invoice, &format!("test_invoice_{count}_{of}")),
        kind: Kind::Invoice,
        at: now,
        ..subscription.object.clone()
    };
    Made { object, part_of: Some(of.clone()), ..subscription.clone() }.moved()
}

/// What leaves for our bank.
pub(super) fn payout(id: &str, sum: i64, currency: Currency, now: Timestamp) -> Made {
    let object = Object {
        at_rail: at(Kind::Payout, id),
        kind: Kind::Payout,
        intent: None,
        standing: Standing::Settled,
        cash: None,
        back: None,
        payment: None,
        link: None,
        at: now,
    };
    Made { object, part_of: None, currency, amount: sum, gross: -sum }.moved()
}

fn at(kind: Kind, id: &str) -> ObjectRef {
    ObjectRef { word: word(kind).to_owned(), id: id.to_owned(), account: None }
}

fn paid_for(sale: &Sale) -> Result<Money, Trouble> {
    sale.whole().map_err(|error| Trouble::Refused(error.to_string()))
}

/// What of a sale comes to us first.
fn on_our_balance(sale: &Sale) -> Result<i64, Trouble> {
    Ok(match &sale.merchant {
        Merchant::Direct { fee, .. } => fee.amount(),
        Merchant::Factory | Merchant::OnBehalfOf { .. } => paid_for(sale)?.amount(),
    })
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Customer => "customer",
        Kind::Seller => "seller",
        Kind::Checkout => "checkout",
        Kind::Payment => "payment",
        Kind::Subscription => "subscription",
        Kind::Invoice => "invoice",
        Kind::Refund => "refund",
        Kind::Transfer => "transfer",
        Kind::TakeBack => "take-back",
        Kind::Payout => "payout",
        Kind::Dispute => "dispute",
        Kind::Other => "other",
    }
}
