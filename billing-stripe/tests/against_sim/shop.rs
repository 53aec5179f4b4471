//! A platform that sells through us: who pays, who is paid, and what is decided of their money.

use billing::amount::Amount;
use billing::ledger::{Account, Book, Entry, EventKey, Party};
use billing::rail::intent::{Booking, Intent};
use billing::rail::settle::transfer_of;
use billing::rail::{
    CustomerId, IntentId, Merchant, MethodId, Object, PaymentId, PaymentRail as _, Receiver, Sale,
    SellerId, TransferId, Wish,
};
use billing::sale::{Sale as Sold1, Sold};
use billing::split::Rule;
use blueprint::money::{Bps, Money};
use uuid::Uuid;

use crate::rig::Rig;

/// Who sells on the platform `acme`, and who buys there.
pub(crate) struct Shop {
    /// The platform's own account.
    pub(crate) tenant: SellerId,
    /// Of somebody who sells on it.
    pub(crate) creator: SellerId,
}

pub(crate) fn usd(text: &str) -> Money {
    format!("{text} USD").parse().unwrap()
}

pub(crate) fn tenant() -> Party {
    Party::Tenant("acme".parse().unwrap())
}

pub(crate) fn creator() -> Party {
    Party::Creator("acme".parse().unwrap(), Uuid::from_u128(42))
}

pub(crate) fn stripe() -> Party {
    Party::Rail("stripe".parse().unwrap())
}

pub(crate) fn intent(id: IntentId, wish: Wish, booking: Option<Booking>) -> Intent {
    Intent { id, tenant: "acme".to_owned(), rail: "stripe".parse().unwrap(), wish, booking }
}

/// Money of the rail that is somebody's.
pub(crate) fn booking(what: &str, cash: Money, whose: Account) -> Booking {
    let amount = Amount::of(cash).unwrap();
    let entries = vec![
        Entry::new(Account::new(stripe(), Book::Cash), amount),
        Entry::new(whose, amount.negated().unwrap()),
    ];
    Booking::new(what, entries).unwrap()
}

impl Shop {
    /// Opened by wishes of its own, and onboarded by whoever they are of.
    pub(crate) async fn open(rig: &Rig) -> Self {
        let seller = |whose: Party, email: &str| {
            let wish = Wish::Seller { whose, country: "US".to_owned(), email: email.to_owned() };
            intent(IntentId::of(&["seller", email]), wish, None)
        };
        let sellers =
            [seller(tenant(), "acme@example.com"), seller(creator(), "creator@example.com")];
        rig.decide(&sellers).await;
        rig.drain().await;
        let mut accounts = Vec::new();
        for seller in &sellers {
            let id = rig.made(seller.id).await.unwrap().at_rail.id;
            assert!(!rig.is_settled(seller.id).await, "nobody has said yet who they are");
            rig.sim.onboard(&id);
            accounts.push(SellerId::new(id).unwrap());
        }
        rig.drain().await;
        for seller in &sellers {
            assert!(rig.is_settled(seller.id).await, "they have said who they are");
        }
        let creator = accounts.pop().unwrap();
        Self { tenant: accounts.pop().unwrap(), creator }
    }

    /// Somebody who pays, with us or on the tenant's own account.
    pub(crate) async fn customer(
        &self,
        rig: &Rig,
        name: &str,
        on: Option<&SellerId>,
    ) -> CustomerId {
        self.customers(rig, &[name], on).await.remove(0)
    }

    /// Several of them.
    pub(crate) async fn customers(
        &self,
        rig: &Rig,
        names: &[&str],
        on: Option<&SellerId>,
    ) -> Vec<CustomerId> {
        let customer = |name: &&str| {
            let whose = Party::Customer("acme".parse().unwrap(), Uuid::from_u128(7));
            let email = format!("{name}@example.com");
            let wish = Wish::Customer { whose, email, name: (*name).to_owned(), on: on.cloned() };
            intent(IntentId::of(&["customer", name]), wish, None)
        };
        let wished: Vec<_> = names.iter().map(customer).collect();
        rig.decide(&wished).await;
        rig.drain().await;
        let mut customers = Vec::new();
        for one in &wished {
            let made = rig.made(one.id).await.unwrap();
            customers.push(CustomerId::new(made.at_rail.id).unwrap());
        }
        customers
    }

    /// A card that somebody paid with before.
    pub(crate) async fn card(&self, rig: &Rig, who: &CustomerId, on: Option<&SellerId>) -> String {
        let (given, on) = ([("customer", who.as_str())], on.map(SellerId::as_str));
        let card = rig.ask("POST", "/v1/payment_methods/pm_card_visa/attach", &given, on).await;
        card["id"].as_str().unwrap().to_owned()
    }

    /// Of a price the creator is to have 70 %, the tenant the rest less our 15 %.
    pub(crate) fn sale(
        &self,
        rig: &Rig,
        name: &str,
        (customer, card): (&CustomerId, &str),
        price: Money,
    ) -> (Intent, Sold) {
        let shares = vec![(creator(), Bps::new(7_000).unwrap())];
        let rule = Rule::new(shares, tenant(), Bps::percent(15)).unwrap();
        let tax = Money::new(price.amount() / 5, price.currency());
        let decided = Sold1 { tenant: "acme".parse().unwrap(), rail: stripe(), price, tax };
        let key = EventKey::new("acme", "shop", name);
        let (sold, journal) = decided.sell(&rule, (key, rig.clock.now())).unwrap();
        let receiver = |who: Party, account: &SellerId| Receiver {
            amount: sold.parts().of(&who),
            who,
            account: account.clone(),
        };
        let receivers = vec![receiver(creator(), &self.creator), receiver(tenant(), &self.tenant)];
        let receivers = receivers.into_iter().filter(|one| one.amount.amount() > 0).collect();
        let merchant = Merchant::OnBehalfOf { account: self.tenant.clone(), receivers };
        let sale = sale(customer, card, (price, tax), merchant);
        let id = IntentId::of(&["sale", name]);
        (intent(id, Wish::Sale { sale }, Some(Booking::of(&journal))), sold)
    }

    /// What the tenant sells alone, on its own account: this is our fee of it.
    pub(crate) fn direct(
        &self,
        name: &str,
        (customer, card): (&CustomerId, &str),
        price: Money,
        fee: Money,
    ) -> Intent {
        let merchant = Merchant::Direct { account: self.tenant.clone(), fee };
        let nothing = Money::new(0, price.currency());
        let sale = sale(customer, card, (price, nothing), merchant);
        let revenue = Account::new(Party::Factory, Book::Revenue);
        let booked = (fee.amount() != 0).then(|| booking("fee", fee, revenue));
        intent(IntentId::of(&["direct", name]), Wish::Sale { sale }, booked)
    }
}

pub(crate) fn sale(
    customer: &CustomerId,
    card: &str,
    (price, tax): (Money, Money),
    merchant: Merchant,
) -> Sale {
    Sale {
        customer: customer.clone(),
        by: Some(MethodId::new(card).unwrap()),
        label: "An agent".to_owned(),
        price,
        tax,
        merchant,
    }
}

/// Some of a sale goes back to who paid.
pub(crate) fn refund(rig: &Rig, name: &str, paid: &Object, sold: &mut Sold, back: Money) -> Intent {
    let key = EventKey::new("acme", "shop", name);
    let journal = sold.refund(back, (key, rig.clock.now())).unwrap();
    let payment = PaymentId::new(&paid.cash.as_ref().unwrap().booked_as).unwrap();
    let wish = Wish::Refund { payment, amount: back, direct: None };
    intent(IntentId::of(&["refund", name]), wish, Some(Booking::of(&journal)))
}

/// Who was passed on a part of a sale hands some of it back; `None` where they have not got it yet.
pub(crate) async fn take_back(
    rig: &Rig,
    name: &str,
    (of, place): (IntentId, usize),
    amount: Money,
) -> Option<Intent> {
    let made = rig.made(transfer_of(of, place)).await?;
    let whose = [creator(), tenant()][place].clone();
    let wish = Wish::TakeBack { transfer: TransferId::new(made.at_rail.id).unwrap(), amount };
    let booking = booking("taken back", amount, Account::new(whose, Book::Payable));
    Some(intent(IntentId::of(&["take back", name]), wish, Some(booking)))
}

/// The name of our rail is that of the account in the ledger.
pub(crate) fn is_ours(rig: &Rig) {
    assert_eq!(rig.rail.name().as_str(), "stripe");
    assert!(rig.rail.is_test_money());
}
