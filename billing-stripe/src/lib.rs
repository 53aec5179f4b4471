//! Stripe as a [`PaymentRail`]: its words for ours, and back.
//!
//! `request` says what is asked for a wish and `object` what an answer means; both ask nobody. `client`
//! sends one request once and says which of its failures did something, did nothing, or may have: whoever
//! holds the intent decides what follows.

mod client;
mod form;
mod object;
mod request;

use async_trait::async_trait;
use billing::rail::{
    Kind, LinkTo, Movement, Object, ObjectRef, Order, Page, PaymentRail, PayoutId, Search,
    SellerId, Standing, Trouble, Wish,
};
use blueprint::Slug;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::Value;

use client::Client;
use form::Form;
use request::Ask;

/// In which version of its words Stripe is spoken to. Endpoints of webhooks are made with the same.
pub const VERSION: &str = "2026-09-30.endive";
/// Of what Stripe's endpoints are to be told: what we look at, and nothing else.
pub const EVENTS: [&str; 30] = [
    "account.updated",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.updated",
    "invoice.created",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.voided",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "payout.canceled",
    "payout.created",
    "payout.failed",
    "payout.paid",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "transfer.created",
];
/// A page of a list has no more.
const PAGE: &str = "100";
/// Whoever looks for something looks through no more pages.
const MOST_PAGES: u32 = 200;
/// Clocks differ by less.
const SLACK: i64 = 600;

/// Stripe, with the key of one account.
#[derive(Debug)]
pub struct Stripe {
    name: Slug,
    client: Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum NoStripe {
    /// The key cannot be a key.
    #[error("the key of Stripe holds what no header can")]
    Key,
    /// TLS.
    #[error("cannot make a client for Stripe: {0}")]
    Client(#[from] reqwest::Error),
}

impl Stripe {
    /// Under this name in the ledger, at `url`: `https://api.stripe.com`, or what stands for it in a test.
    ///
    /// # Errors
    /// [`NoStripe`]
    pub fn new(name: Slug, url: Url, key: &SecretString) -> Result<Self, NoStripe> {
        Ok(Self { name, client: Client::new(url, key)? })
    }

    /// The first object of a list that an intent made, newest first, in the time in which it may have.
    async fn look_through(&self, whole: &Ask, search: &Search) -> Result<Option<Value>, Trouble> {
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut ask = whole.clone();
            ask.form.add("limit", PAGE);
            if let Some(after) = &after {
                ask.form.add("starting_after", after);
            }
            let page = self.client.get(&ask).await?;
            let objects = page["data"].as_array().cloned().unwrap_or_default();
            for object in &objects {
                if object::intent(object) == Some(search.intent) {
                    return Ok(Some(object.clone()));
                }
            }
            let last = objects.last().and_then(|last| last["id"].as_str());
            match last {
                Some(last) if page["has_more"] == true => after = Some(last.to_owned()),
                _ => return Ok(None),
            }
        }
        Err(Trouble::Unknown(format!("there is more in {} than can be looked through", whole.path)))
    }

    /// What an answer means; what it leaves out is asked for.
    async fn read(&self, answer: &Value, on: Option<&str>) -> Result<Object, Trouble> {
        let object = object::read(answer, on).map_err(Trouble::Unknown)?;
        // An invoice does not say by which charge it was paid: its payment does.
        let paid_by = object.payment.clone().filter(|_| {
            matches!(object.kind, Kind::Invoice | Kind::Checkout)
                && object.standing == Standing::Settled
                && object.cash.is_none()
        });
        let Some(payment) = paid_by else { return Ok(object) };
        let ask = Ask::object("payment_intent", &payment, on).map_err(Trouble::Unknown)?;
        let payment = object::read(&self.client.get(&ask).await?, on).map_err(Trouble::Unknown)?;
        Ok(Object { cash: payment.cash, at: payment.at, ..object })
    }

    async fn get(&self, object: &ObjectRef) -> Result<Object, Trouble> {
        let on = object.account.as_ref().map(SellerId::as_str);
        let ask = Ask::object(&object.word, &object.id, on).map_err(Trouble::Refused)?;
        let answer = self.client.get(&ask).await?;
        self.read(&answer, on).await
    }
}

#[async_trait]
impl PaymentRail for Stripe {
    fn name(&self) -> &Slug {
        &self.name
    }

    fn is_test_money(&self) -> bool {
        self.client.is_sandbox()
    }

    async fn send(&self, order: &Order) -> Result<Object, Trouble> {
        if let Some(product) = request::product(&order.wish) {
            // What is paid for again and again has a name of its own there; it is there already, mostly. That name
            // makes it one: under a key, an error that Stripe keeps would stop us for a day.
            match self.client.post_anew(&product).await {
                Ok(_) => {}
                Err(Trouble::Refused(why)) if why.contains("resource_already_exists") => {}
                // Nobody paid anything yet.
                Err(Trouble::Unknown(why)) => return Err(Trouble::Again { why, after: None }),
                Err(trouble) => return Err(trouble),
            }
        }
        let ask = request::ask(order).map_err(Trouble::Refused)?;
        let answer = self.client.post(&ask, &order.key).await?;
        self.read(&answer, ask.on.as_deref()).await
    }

    async fn find(&self, search: &Search) -> Result<Option<Object>, Trouble> {
        let list = match request::list(&search.wish) {
            request::Where::In(list) => list,
            request::Where::At(object, mark) => {
                let answer = self.client.get(&object).await?;
                let is_marked = answer["metadata"][mark] == search.intent.to_string();
                if !is_marked {
                    return Ok(None);
                }
                return self.read(&answer, object.on.as_deref()).await.map(Some);
            }
        };
        let mut list = list;
        if !matches!(search.wish, Wish::TakeBack { .. }) {
            let (since, until) = (search.since.as_second(), search.until.as_second());
            list.form.add("created[gte]", &(since - SLACK).to_string());
            list.form.add("created[lte]", &(until + SLACK).to_string());
        }
        let found = self.look_through(&list, search).await?;
        let Some(found) = found else { return Ok(None) };
        if matches!(search.wish, Wish::TakeBack { .. }) {
            return self.read(&found, None).await.map(Some);
        }
        // As it is now, with all that a list leaves out.
        let (Some(word), Some(id)) = (found["object"].as_str(), found["id"].as_str()) else {
            return Err(Trouble::Unknown("an object of a list has no name".to_owned()));
        };
        let ask = Ask::object(word, id, list.on.as_deref()).map_err(Trouble::Unknown)?;
        let answer = self.client.get(&ask).await?;
        self.read(&answer, list.on.as_deref()).await.map(Some)
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Object, Trouble> {
        self.get(object).await
    }

    async fn link(&self, to: &LinkTo) -> Result<String, Trouble> {
        let ask = request::link(to);
        let answer = self.client.post_anew(&ask).await?;
        let url = answer["url"].as_str().map(str::to_owned);
        url.ok_or_else(|| Trouble::Unknown("the answer has no address".to_owned()))
    }

    async fn movements(&self, payout: &PayoutId, after: Option<&str>) -> Result<Page, Trouble> {
        let mut form = Form::default();
        form.add("payout", payout.as_str());
        form.add("limit", PAGE);
        if let Some(after) = after {
            form.add("starting_after", after);
        }
        let ask = Ask { path: "/v1/balance_transactions".to_owned(), on: None, form };
        let page = self.client.get(&ask).await?;
        let rows = page["data"].as_array().cloned().unwrap_or_default();
        let movements: Result<Vec<Movement>, String> = rows.iter().map(object::movement).collect();
        let movements = movements.map_err(Trouble::Unknown)?;
        let last = movements.last().map(|movement| movement.id.clone());
        Ok(Page { movements, next: last.filter(|_| page["has_more"] == true) })
    }
}
