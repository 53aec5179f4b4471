//! What Stripe is asked for a wish. Nothing here asks anybody.

use billing::ledger::Party;
use billing::rail::{Every, LinkTo, Merchant, Order, Sale, SellerId, Wish};
use blueprint::Money;
use sha2::{Digest as _, Sha256};

use crate::form::Form;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub path: String,
    /// On whose account.
    pub on: Option<String>,
    pub form: Form,
}

/// Where something is that may have been made.
pub(crate) enum Where {
    /// In this list, newest first.
    In(Ask),
    /// At an object that was there before, under this name in its metadata.
    At(Ask, &'static str),
}

/// Under which our id stands beside what it made.
pub(crate) const INTENT: &str = "intent";
const CANCELLED_BY: &str = "cancelled_by";
const FEE_BY: &str = "fee_by";

impl Ask {
    fn at(path: impl Into<String>) -> Self {
        Self { path: path.into(), on: None, form: Form::default() }
    }

    fn on(mut self, account: Option<&SellerId>) -> Self {
        self.on = account.map(ToString::to_string);
        self
    }

    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.form = self.form.with(name, value);
        self
    }

    /// Where an object is, by Stripe's word for such objects, with what is needed of it.
    pub(crate) fn object(word: &str, id: &str, on: Option<&str>) -> Result<Self, String> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if id.is_empty() || !id.bytes().all(is_plain) {
            return Err(format!("{id:?} cannot be a name at Stripe"));
        }
        let (list, expand) = match word {
            "customer" => ("customers", None),
            "account" => ("accounts", None),
            "checkout.session" => ("checkout/sessions", None),
            "payment_intent" => ("payment_intents", Some("latest_charge.balance_transaction")),
            "charge" => ("charges", Some("balance_transaction")),
            "subscription" => ("subscriptions", Some("latest_invoice")),
            "invoice" => ("invoices", Some("payments")),
            "refund" => ("refunds", None),
            "transfer" => ("transfers", None),
            "payout" => ("payouts", None),
            "dispute" => ("disputes", None),
            _ => return Err(format!("{word:?} is none of the objects that concern us")),
        };
        let mut ask = Self::at(format!("/v1/{list}/{id}"));
        // Accounts are ours to look at, also where it is they who are told of.
        ask.on = on.filter(|_| word != "account").map(str::to_owned);
        Ok(match expand {
            Some(expand) => ask.with("expand[]", expand),
            None => ask,
        })
    }
}

/// What is asked.
pub(crate) fn ask(order: &Order) -> Result<Ask, String> {
    let intent = order.intent;
    Ok(match &order.wish {
        Wish::Customer { whose, email, name, on } => Ask::at("/v1/customers")
            .on(on.as_ref())
            .with("email", email)
            .with("name", name)
            .with("metadata[whose]", whose)
            .with("metadata[intent]", intent),
        Wish::Seller { whose, country, email } => seller(whose)
            .with("country", country)
            .with("email", email)
            .with("capabilities[card_payments][requested]", true)
            .with("capabilities[transfers][requested]", true)
            .with("metadata[whose]", whose)
            .with("metadata[intent]", intent),
        Wish::Checkout { sale, paid, left } => {
            let ask = Ask::at("/v1/checkout/sessions")
                .with("mode", "payment")
                .with("customer", &sale.customer)
                .with("success_url", paid)
                .with("cancel_url", left)
                .with("metadata[intent]", intent)
                .with("payment_intent_data[metadata][intent]", intent)
                .with("payment_intent_data[description]", &sale.label);
            let ask = line(line(ask, 0, &sale.label, sale.price), 1, "Tax", sale.tax);
            merchant(ask, sale, "payment_intent_data", &intent.to_string())
        }
        Wish::Sale { sale } => {
            let by = sale.by.as_ref().ok_or("the sale does not say what it is paid with")?;
            let whole = sale.whole().map_err(|error| error.to_string())?;
            let ask = amount(Ask::at("/v1/payment_intents"), whole)
                .with("customer", &sale.customer)
                .with("payment_method", by)
                .with("confirm", true)
                .with("off_session", true)
                .with("description", &sale.label)
                .with("metadata[intent]", intent)
                .with("expand[]", "latest_charge.balance_transaction");
            merchant(ask, sale, "", &intent.to_string())
        }
        Wish::Subscription { sale, every } => subscription(sale, *every, &intent.to_string()),
        Wish::Cancel { subscription, on } => Ask::at(format!("/v1/subscriptions/{subscription}"))
            .on(on.as_ref())
            .with("cancel_at_period_end", true)
            .with("metadata[cancelled_by]", intent),
        Wish::InvoiceFee { invoice, on, fee } => Ask::at(format!("/v1/invoices/{invoice}"))
            .on(Some(on))
            .with("application_fee_amount", fee.amount())
            .with("metadata[fee_by]", intent),
        // What of our fee goes back is another request there, and has to be another intent.
        Wish::Refund { direct: Some((_, fee)), .. } if fee.amount() != 0 => {
            return Err("a refund by Stripe cannot give back a part of our fee yet".to_owned());
        }
        Wish::Refund { payment, amount, direct } => Ask::at("/v1/refunds")
            .on(direct.as_ref().map(|(account, _)| account))
            .with(payment_field(payment.as_str()), payment)
            .with("amount", amount.amount())
            .with("metadata[intent]", intent),
        Wish::Transfer { payment, to, amount: part } => amount(Ask::at("/v1/transfers"), *part)
            .with("destination", to)
            .with("source_transaction", payment)
            .with("metadata[intent]", intent),
        Wish::TakeBack { transfer, amount } => {
            Ask::at(format!("/v1/transfers/{transfer}/reversals"))
                .with("amount", amount.amount())
                .with("metadata[intent]", intent)
        }
    })
}

/// Who is to be paid. A tenant has an account of its own with all that goes with it, and answers for its own
/// losses; who sells on a platform has one that we show them, and we answer for theirs.
fn seller(whose: &Party) -> Ask {
    let is_tenant = matches!(whose, Party::Tenant(_));
    let (payer, losses, dashboard) = if is_tenant {
        ("account", "stripe", "full")
    } else {
        ("application", "application", "express")
    };
    Ask::at("/v1/accounts")
        .with("controller[fees][payer]", payer)
        .with("controller[losses][payments]", losses)
        .with("controller[stripe_dashboard][type]", dashboard)
        .with("controller[requirement_collection]", "stripe")
}

/// What has to be there before a wish: what is paid for again and again has a name of its own.
pub(crate) fn product(wish: &Wish) -> Option<Ask> {
    let Wish::Subscription { sale, .. } = wish else { return None };
    let ask = Ask::at("/v1/products").with("id", product_of(sale)).with("name", &sale.label);
    Some(match &sale.merchant {
        Merchant::Direct { account, .. } => ask.on(Some(account)),
        Merchant::Factory | Merchant::OnBehalfOf { .. } => ask,
    })
}

/// One for each label, so that whoever asks for the same has the same.
fn product_of(sale: &Sale) -> String {
    format!("soulfra_{}", &hex::encode(Sha256::digest(&sale.label))[..32])
}

fn subscription(sale: &Sale, every: Every, intent: &str) -> Ask {
    let interval = match every {
        Every::Month => "month",
        Every::Year => "year",
    };
    let whole =
        Money::new(sale.price.amount().saturating_add(sale.tax.amount()), sale.price.currency());
    let ask = Ask::at("/v1/subscriptions")
        .with("customer", &sale.customer)
        .with("items[0][price_data][currency]", currency(whole))
        .with("items[0][price_data][product]", product_of(sale))
        .with("items[0][price_data][unit_amount]", whole.amount())
        .with("items[0][price_data][recurring][interval]", interval)
        .with("metadata[intent]", intent)
        .with("expand[]", "latest_invoice");
    let ask = match &sale.by {
        // Nobody is there to be asked: it is paid now, or there is none.
        Some(by) => ask
            .with("default_payment_method", by)
            .with("off_session", true)
            .with("payment_behavior", "error_if_incomplete"),
        // Who has to do something first, such as paying, does it on a page.
        None => ask.with("payment_behavior", "default_incomplete"),
    };
    match &sale.merchant {
        Merchant::Factory => ask,
        Merchant::Direct { account, fee } if fee.amount() == 0 => ask.on(Some(account)),
        // Our fee is an amount of each invoice: a share would be of the tax too. The first one is final at once,
        // before anybody could tell its amount.
        Merchant::Direct { account, fee } => {
            let share = share(fee.amount(), whole.amount());
            let percent = format!("{}.{:02}", share / 100, share % 100);
            ask.on(Some(account)).with("application_fee_percent", percent)
        }
        Merchant::OnBehalfOf { account, .. } => ask.with("on_behalf_of", account),
    }
}

/// Hundredths of a percent of the whole that make the fee, to the minor unit, whether Stripe rounds or cuts; where
/// none do, which is so of wholes above 5,000 minor units only, those that make the most below it.
fn share(fee: i64, whole: i64) -> i128 {
    let (fee, whole) = (i128::from(fee) * 10_000, i128::from(whole.max(1)));
    let share = (fee + whole - 1) / whole;
    if share * whole - fee < 5_000 { share } else { share - 1 }
}

/// Who sells, as a payment or a page (`inside` of which it stands) is told.
fn merchant(ask: Ask, sale: &Sale, inside: &str, intent: &str) -> Ask {
    let name = |name: &str| {
        if inside.is_empty() { name.to_owned() } else { format!("{inside}[{name}]") }
    };
    match &sale.merchant {
        Merchant::Factory => ask,
        Merchant::Direct { account, fee } if fee.amount() == 0 => ask.on(Some(account)),
        Merchant::Direct { account, fee } => {
            ask.on(Some(account)).with(&name("application_fee_amount"), fee.amount())
        }
        Merchant::OnBehalfOf { account, .. } => {
            ask.with(&name("on_behalf_of"), account).with(&name("transfer_group"), intent)
        }
    }
}

fn line(ask: Ask, place: usize, label: &str, price: Money) -> Ask {
    if price.amount() == 0 {
        return ask;
    }
    let name = |name: &str| format!("line_items[{place}]{name}");
    ask.with(&name("[quantity]"), 1)
        .with(&name("[price_data][currency]"), currency(price))
        .with(&name("[price_data][unit_amount]"), price.amount())
        .with(&name("[price_data][product_data][name]"), label)
}

fn amount(ask: Ask, money: Money) -> Ask {
    ask.with("amount", money.amount()).with("currency", currency(money))
}

fn currency(money: Money) -> String {
    money.currency().code().to_lowercase()
}

fn payment_field(payment: &str) -> &'static str {
    if payment.starts_with("pi_") { "payment_intent" } else { "charge" }
}

/// Where what a wish may have made would be.
pub(crate) fn list(wish: &Wish) -> Where {
    let sold = |path: &str, sale: &Sale| {
        let on = match &sale.merchant {
            Merchant::Direct { account, .. } => Some(account),
            Merchant::Factory | Merchant::OnBehalfOf { .. } => None,
        };
        Where::In(Ask::at(path).on(on).with("customer", &sale.customer))
    };
    match wish {
        Wish::Customer { on, email, .. } => {
            Where::In(Ask::at("/v1/customers").on(on.as_ref()).with("email", email))
        }
        Wish::Seller { .. } => Where::In(Ask::at("/v1/accounts")),
        Wish::Checkout { sale, .. } => sold("/v1/checkout/sessions", sale),
        Wish::Sale { sale } => sold("/v1/payment_intents", sale),
        Wish::Subscription { sale, .. } => match sold("/v1/subscriptions", sale) {
            // Those that ended are listed only when all are asked for.
            Where::In(ask) => Where::In(ask.with("status", "all")),
            at @ Where::At(..) => at,
        },
        Wish::Cancel { subscription, on } => Where::At(
            Ask::at(format!("/v1/subscriptions/{subscription}")).on(on.as_ref()),
            CANCELLED_BY,
        ),
        Wish::InvoiceFee { invoice, on, .. } => {
            Where::At(Ask::at(format!("/v1/invoices/{invoice}")).on(Some(on)), FEE_BY)
        }
        Wish::Refund { payment, direct, .. } => Where::In(
            Ask::at("/v1/refunds")
                .on(direct.as_ref().map(|(account, _)| account))
                .with(payment_field(payment.as_str()), payment),
        ),
        Wish::Transfer { to, .. } => Where::In(Ask::at("/v1/transfers").with("destination", to)),
        Wish::TakeBack { transfer, .. } => {
            Where::In(Ask::at(format!("/v1/transfers/{transfer}/reversals")))
        }
    }
}

/// What is asked for a page that people are sent to.
pub(crate) fn link(to: &LinkTo) -> Ask {
    match to {
        LinkTo::Onboarding { seller, back, anew } => Ask::at("/v1/account_links")
            .with("account", seller)
            .with("type", "account_onboarding")
            .with("return_url", back)
            .with("refresh_url", anew),
        LinkTo::Portal { customer, on, back } => Ask::at("/v1/billing_portal/sessions")
            .on(on.as_ref())
            .with("customer", customer)
            .with("return_url", back),
    }
}

#[cfg(test)]
mod tests {
    use billing::rail::{CustomerId, IntentId, MethodId, PaymentId, Receiver, TransferId};

    use super::*;

    fn usd(text: &str) -> Money {
        format!("{text} USD").parse().unwrap()
    }

    fn order(wish: Wish) -> Order {
        let intent = IntentId::of(&["one"]);
        Order { intent, key: intent.key(), wish }
    }

    fn sale(merchant: Merchant) -> Sale {
        Sale {
            customer: CustomerId::new("cus_1").unwrap(),
            by: Some(MethodId::new("pm_1").unwrap()),
            label: "An agent".to_owned(),
            price: usd("10.00"),
            tax: usd("1.90"),
            merchant,
        }
    }

    fn account(id: &str) -> SellerId {
        SellerId::new(id).unwrap()
    }

    #[test]
    fn a_sale_with_several_receivers_is_ours_in_the_tenants_name() {
        let receiver =
            Receiver { who: Party::Factory, account: account("acct_creator"), amount: usd("7.00") };
        let merchant =
            Merchant::OnBehalfOf { account: account("acct_tenant"), receivers: vec![receiver] };
        let asked = ask(&order(Wish::Sale { sale: sale(merchant) })).unwrap();
        let get = |name| asked.form.get(name);
        assert_eq!((asked.path.as_str(), asked.on.as_deref()), ("/v1/payment_intents", None));
        assert_eq!((get("amount"), get("currency")), (Some("1190"), Some("usd")));
        assert_eq!(get("on_behalf_of"), Some("acct_tenant"));
        assert_eq!(get("application_fee_amount"), None);
        let intent = IntentId::of(&["one"]).to_string();
        assert_eq!(get("metadata[intent]"), Some(intent.as_str()));
        assert_eq!(get("transfer_group"), Some(intent.as_str()));
    }

    #[test]
    fn what_a_tenant_is_paid_directly_is_theirs_less_an_amount() {
        let direct = || Merchant::Direct { account: account("acct_1"), fee: usd("1.50") };
        let page = Wish::Checkout {
            sale: sale(direct()),
            paid: "https://acme.example/paid".to_owned(),
            left: "https://acme.example".to_owned(),
        };
        let asked = ask(&order(page)).unwrap();
        assert_eq!(asked.on.as_deref(), Some("acct_1"));
        let get = |name| asked.form.get(name);
        assert_eq!(get("payment_intent_data[application_fee_amount]"), Some("150"));
        assert_eq!(get("line_items[0][price_data][unit_amount]"), Some("1000"));
        assert_eq!(get("line_items[1][price_data][unit_amount]"), Some("190"));
        let tier = Wish::Subscription { sale: sale(direct()), every: Every::Month };
        let asked = ask(&order(tier.clone())).unwrap();
        assert_eq!(asked.form.get("application_fee_percent"), Some("12.61"), "of 11.90 it is 1.50");
        assert_eq!(asked.form.get("payment_behavior"), Some("error_if_incomplete"));
        assert_eq!(asked.form.get("items[0][price_data][recurring][interval]"), Some("month"));
        let product = product(&tier).unwrap();
        assert_eq!(product.on.as_deref(), Some("acct_1"));
        assert_eq!(product.form.get("id"), asked.form.get("items[0][price_data][product]"));
    }

    #[test]
    fn the_share_of_a_first_payment_makes_the_fee_and_never_more() {
        for whole in 1..=12_000_i128 {
            for fee in [1, whole / 7, whole * 15 / 100, whole / 4, whole * 3 / 10, whole] {
                let [fee64, whole64] = [fee, whole].map(|money| i64::try_from(money).unwrap());
                let made = share(fee64, whole64) * whole;
                let (cut, rounded) = (made / 10_000, (made + 5_000) / 10_000);
                assert!(rounded <= fee && fee - cut <= 2, "{fee} of {whole}: {cut} or {rounded}");
                assert!(whole > 5_000 || (cut, rounded) == (fee, fee), "{fee} of {whole}");
            }
        }
    }

    #[test]
    fn what_goes_back_names_what_it_is_of() {
        let refund = Wish::Refund {
            payment: PaymentId::new("ch_1").unwrap(),
            amount: usd("1.00"),
            direct: None,
        };
        assert_eq!(ask(&order(refund)).unwrap().form.get("charge"), Some("ch_1"));
        let back =
            Wish::TakeBack { transfer: TransferId::new("tr_1").unwrap(), amount: usd("1.00") };
        assert_eq!(ask(&order(back)).unwrap().path, "/v1/transfers/tr_1/reversals");
        let of_fee = Wish::Refund {
            payment: PaymentId::new("pi_1").unwrap(),
            amount: usd("1.00"),
            direct: Some((account("acct_1"), usd("0.10"))),
        };
        assert!(ask(&order(of_fee)).is_err());
    }

    #[test]
    fn losses_of_tenants_are_stripes_and_those_of_creators_ours() {
        let losses = |whose: &str| {
            let whose: Party = whose.parse().unwrap();
            let seller = Wish::Seller { whose, country: "US".into(), email: "a@b.example".into() };
            let asked = ask(&order(seller)).unwrap();
            asked.form.get("controller[losses][payments]").unwrap().to_owned()
        };
        assert_eq!(losses("tenant:acme"), "stripe");
        let creator = "creator:acme:00000000-0000-0000-0000-00000000002a";
        assert_eq!(losses(creator), "application");
    }

    #[test]
    fn an_object_is_asked_for_by_a_plain_name_alone() {
        assert_eq!(Ask::object("charge", "ch_1", None).unwrap().path, "/v1/charges/ch_1");
        assert!(Ask::object("charge", "../accounts", None).is_err());
        assert!(Ask::object("product", "prod_1", None).is_err());
    }
}
