//! What is wished of a rail, in our words.

use blueprint::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::limits::Endpoint;
use super::{CustomerId, InvoiceId, MethodId, PaymentId, SellerId, SubscriptionId, TransferId};
use crate::ledger::Party;

/// One sale is passed on to no more than these.
pub const MOST_RECEIVERS: usize = crate::split::MOST_PARTIES;

/// One thing to be done at a rail: one request, under one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "kebab-case")]
pub enum Wish {
    /// Somebody who will pay.
    Customer {
        /// Who.
        whose: Party,
        /// Where receipts go.
        email: String,
        /// What they are called on them.
        name: String,
        /// With whom, where that is a tenant that is paid directly.
        on: Option<SellerId>,
    },
    /// Somebody who will be paid.
    Seller {
        /// Who.
        whose: Party,
        /// Where they are, as ISO 3166 has it: `US`.
        country: String,
        /// Where the rail writes to.
        email: String,
    },
    /// A page on which somebody pays for a sale.
    Checkout {
        /// What is sold.
        sale: Sale,
        /// Where they go once they have paid.
        paid: String,
        /// Where they go if they do not.
        left: String,
    },
    /// Somebody pays now, by what they paid with before.
    Sale {
        /// What is sold.
        sale: Sale,
    },
    /// Somebody pays again and again, beginning now: a tier of a tenant, or a plan of ours.
    Subscription {
        /// What each time costs. Receivers are not among it: they are known when an invoice is.
        sale: Sale,
        /// How often.
        every: Every,
    },
    /// No more payments after the time that is paid for.
    Cancel {
        /// Of which.
        subscription: SubscriptionId,
        /// On whose account.
        on: Option<SellerId>,
    },
    /// Our fee of one payment of a subscription on a tenant's account: an amount, not a share, since the rail
    /// would take the share of the tax too.
    InvoiceFee {
        /// Of which.
        invoice: InvoiceId,
        /// On whose account.
        on: SellerId,
        /// How much.
        fee: Money,
    },
    /// Money goes back to who paid.
    Refund {
        /// Of which payment.
        payment: PaymentId,
        /// How much.
        amount: Money,
        /// How much of our fee goes back with it, and on whose account, where a tenant was paid directly.
        direct: Option<(SellerId, Money)>,
    },
    /// Money of a payment goes to who is paid.
    Transfer {
        /// Of which.
        payment: PaymentId,
        /// To whom.
        to: SellerId,
        /// How much.
        amount: Money,
    },
    /// What was passed on comes back, as far as they still have it.
    TakeBack {
        /// Of which.
        transfer: TransferId,
        /// How much.
        amount: Money,
    },
}

/// What somebody pays for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Who pays.
    pub customer: CustomerId,
    /// What they pay with, where they are not there to be asked.
    pub by: Option<MethodId>,
    /// For what, as it stands on the receipt.
    pub label: String,
    /// Without tax.
    pub price: Money,
    /// On top of it.
    pub tax: Money,
    /// Who sells.
    pub merchant: Merchant,
}

/// Who sells, and so who answers for it: who stands on the receipt, and who pays for refunds and disputes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Merchant {
    /// Ourselves: an organization pays for its platforms.
    Factory,
    /// A tenant on its own account, of which the rail hands us our fee. Disputes are theirs.
    Direct {
        /// Theirs.
        account: SellerId,
        /// Ours.
        fee: Money,
    },
    /// A tenant, through us: several have a part in it. It stands under their name on the receipt; disputes
    /// are ours.
    OnBehalfOf {
        /// Theirs.
        account: SellerId,
        /// Who is handed what once it is paid, the tenant among them.
        receivers: Vec<Receiver>,
    },
}

/// Who has a part in a sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// Who.
    pub who: Party,
    /// Their account.
    pub account: SellerId,
    /// How much.
    pub amount: Money,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Every {
    /// Each month.
    Month,
    /// Each year.
    Year,
}

/// Why it cannot be wished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWish {
    /// Two currencies.
    #[error("{0} and {1} cannot be paid together")]
    Mixed(Currency, Currency),
    /// Nothing, or less.
    #[error("{0} is nothing that can be paid")]
    Nothing(Money),
    /// More than there is.
    #[error("{asked} is more than the {whole} that is paid")]
    MoreThanPaid {
        /// What was asked for.
        asked: Money,
        /// What is paid.
        whole: Money,
    },
    /// More than can be paid one by one.
    #[error("a sale is passed on to at most {MOST_RECEIVERS}, not {0}")]
    TooMany(usize),
    /// Who has a part in each payment of a subscription is known when that is paid.
    #[error("a subscription names no receivers")]
    Receivers,
    /// A text that a receipt cannot hold.
    #[error("{0} is empty, too long or holds control characters")]
    Text(&'static str),
}

impl Sale {
    /// All that is paid.
    ///
    /// # Errors
    /// [`NoWish`]
    pub fn whole(&self) -> Result<Money, NoWish> {
        same(self.price, self.tax)?;
        self.price.checked_add(self.tax).map_err(|_| NoWish::Nothing(self.price))
    }

    fn check(&self) -> Result<(), NoWish> {
        let whole = self.whole()?;
        if self.tax.amount() < 0 {
            return Err(NoWish::Nothing(self.tax));
        }
        above_zero(whole)?;
        text("the label", &self.label)?;
        match &self.merchant {
            Merchant::Factory => Ok(()),
            Merchant::Direct { fee, .. } if fee.amount() == 0 => same(whole, *fee),
            Merchant::Direct { fee, .. } => within(*fee, whole),
            Merchant::OnBehalfOf { receivers, .. } => {
                if receivers.len() > MOST_RECEIVERS {
                    return Err(NoWish::TooMany(receivers.len()));
                }
                let mut sum = Money::new(0, whole.currency());
                for receiver in receivers {
                    above_zero(receiver.amount)?;
                    same(whole, receiver.amount)?;
                    let more = NoWish::MoreThanPaid { asked: receiver.amount, whole };
                    sum = sum.checked_add(receiver.amount).map_err(|_| more)?;
                }
                if sum.amount() > whole.amount() {
                    return Err(NoWish::MoreThanPaid { asked: sum, whole });
                }
                Ok(())
            }
        }
    }
}

impl Wish {
    /// Whether it can be wished at all.
    ///
    /// # Errors
    /// [`NoWish`]
    pub fn check(&self) -> Result<(), NoWish> {
        match self {
            Self::Customer { email, name, .. } => {
                text("the e-mail address", email)?;
                text("the name", name)
            }
            Self::Seller { country, email, .. } => {
                text("the country", country)?;
                text("the e-mail address", email)
            }
            Self::Checkout { sale, paid, left } => {
                text("the address", paid)?;
                text("the address", left)?;
                sale.check()
            }
            Self::Sale { sale } => sale.check(),
            Self::Subscription { sale, .. } => {
                if matches!(&sale.merchant, Merchant::OnBehalfOf { receivers, .. } if !receivers.is_empty())
                {
                    return Err(NoWish::Receivers);
                }
                sale.check()
            }
            Self::Cancel { .. } => Ok(()),
            Self::InvoiceFee { fee, .. } => above_zero(*fee),
            Self::Refund { amount, direct, .. } => {
                above_zero(*amount)?;
                match direct {
                    Some((_, fee)) if fee.amount() != 0 => within(*fee, *amount),
                    _ => Ok(()),
                }
            }
            Self::Transfer { amount, .. } | Self::TakeBack { amount, .. } => above_zero(*amount),
        }
    }

    /// Where at the rail it is done.
    pub const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Customer { .. } => Endpoint::Customers,
            Self::Seller { .. } => Endpoint::Sellers,
            Self::Checkout { .. } => Endpoint::Checkouts,
            Self::Sale { .. } => Endpoint::Payments,
            Self::Subscription { .. } | Self::Cancel { .. } => Endpoint::Subscriptions,
            Self::InvoiceFee { .. } => Endpoint::Invoices,
            Self::Refund { .. } => Endpoint::Refunds,
            Self::Transfer { .. } | Self::TakeBack { .. } => Endpoint::Transfers,
        }
    }

    /// Whether it is still wished when a day has passed: what we owe is. Who wanted to pay then is asked
    /// again, not made to.
    pub const fn lasts(&self) -> bool {
        match self {
            Self::Checkout { .. } | Self::Sale { .. } | Self::Subscription { .. } => false,
            Self::Customer { .. }
            | Self::Seller { .. }
            | Self::Cancel { .. }
            | Self::InvoiceFee { .. }
            | Self::Refund { .. }
            | Self::Transfer { .. }
            | Self::TakeBack { .. } => true,
        }
    }

    /// Who is to have a part of what is paid, once it is.
    pub fn receivers(&self) -> &[Receiver] {
        match self {
            Self::Checkout { sale, .. } | Self::Sale { sale } => match &sale.merchant {
                Merchant::OnBehalfOf { receivers, .. } => receivers,
                Merchant::Factory | Merchant::Direct { .. } => &[],
            },
            _ => &[],
        }
    }
}

fn text(which: &'static str, text: &str) -> Result<(), NoWish> {
    let is_plain = (1..=500).contains(&text.len()) && !text.contains(char::is_control);
    if is_plain { Ok(()) } else { Err(NoWish::Text(which)) }
}

fn same(one: Money, other: Money) -> Result<(), NoWish> {
    if one.currency() == other.currency() {
        Ok(())
    } else {
        Err(NoWish::Mixed(one.currency(), other.currency()))
    }
}

fn above_zero(amount: Money) -> Result<(), NoWish> {
    if amount.amount() > 0 { Ok(()) } else { Err(NoWish::Nothing(amount)) }
}

fn within(asked: Money, whole: Money) -> Result<(), NoWish> {
    above_zero(asked)?;
    same(whole, asked)?;
    if asked.amount() > whole.amount() {
        return Err(NoWish::MoreThanPaid { asked, whole });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Money {
        format!("{text} USD").parse().unwrap()
    }

    fn sale(merchant: Merchant) -> Sale {
        Sale {
            customer: CustomerId::new("cus_1").unwrap(),
            by: None,
            label: "An agent".to_owned(),
            price: usd("10.00"),
            tax: usd("1.90"),
            merchant,
        }
    }

    fn passed_on(amounts: &[&str]) -> Sale {
        let account = SellerId::new("acct_1").unwrap();
        let receiver = |amount: &&str| Receiver {
            who: "tenant:acme/payable".parse::<crate::ledger::Account>().unwrap().party,
            account: account.clone(),
            amount: usd(amount),
        };
        let receivers = amounts.iter().map(receiver).collect();
        sale(Merchant::OnBehalfOf { account: account.clone(), receivers })
    }

    #[test]
    fn nobody_is_passed_on_more_than_was_paid() {
        let check = |sale: Sale| Wish::Sale { sale }.check();
        assert_eq!(check(passed_on(&["7.00", "4.90"])), Ok(()));
        let more = NoWish::MoreThanPaid { asked: usd("11.91"), whole: usd("11.90") };
        assert_eq!(check(passed_on(&["7.00", "4.91"])), Err(more.clone()));
        let fee = Merchant::Direct { account: SellerId::new("acct_1").unwrap(), fee: usd("11.91") };
        assert_eq!(check(sale(fee)), Err(more));
        assert_eq!(check(passed_on(&["0.00"])), Err(NoWish::Nothing(usd("0.00"))));
        assert_eq!(check(passed_on(&["0.01"; 21])), Err(NoWish::TooMany(21)));
        let monthly = Wish::Subscription { sale: passed_on(&["7.00"]), every: Every::Month };
        assert_eq!(monthly.check(), Err(NoWish::Receivers));
    }

    #[test]
    fn a_wish_is_read_as_it_was_written() {
        let wish = Wish::Sale { sale: passed_on(&["7.00"]) };
        let text = serde_json::to_string(&wish).unwrap();
        assert_eq!(serde_json::from_str::<Wish>(&text).unwrap(), wish);
        let refund = Wish::Refund {
            payment: PaymentId::new("pi_1").unwrap(),
            amount: usd("1.00"),
            direct: None,
        };
        let text = serde_json::to_string(&refund).unwrap();
        assert_eq!(serde_json::from_str::<Wish>(&text).unwrap(), refund);
    }
}
