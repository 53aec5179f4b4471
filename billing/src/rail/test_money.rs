//! Test money: the rail of one machine. It decides at once and keeps what it decided; nobody pays anything, and
//! whatever it makes says so: its names begin with `test_`, its cash is on an account of its own.
//!
//! What it does not let happen is what a real rail does not: more given back or passed on than was paid.

mod made;

use async_trait::async_trait;
use blueprint::{Currency, Money, Slug};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use work::Clock;

use made::Made;

use super::{
    CheckoutId, Kind, LinkTo, Movement, Object, ObjectRef, Order, Page, PaymentRail, PayoutId,
    Search, Standing, SubscriptionId, Trouble, Wish, intent, webhook,
};

/// A page of movements has no more.
const PAGE: i64 = 1_000;

/// Test money, kept in a database.
#[derive(Clone, Debug)]
pub struct TestMoney {
    name: Slug,
    db: PgPool,
    clock: Clock,
    /// Where its pages are.
    base: String,
}

impl TestMoney {
    /// Under this name, with pages below this address.
    pub fn new(name: Slug, db: PgPool, clock: Clock, base: impl Into<String>) -> Self {
        Self { name, db, clock, base: base.into() }
    }

    /// Somebody pays on a page. The page's object is looked at after that.
    ///
    /// # Errors
    /// [`Trouble::Refused`]: there is no such page.
    pub async fn pay(&self, checkout: &CheckoutId) -> Result<(), Trouble> {
        let mut tx = self.begin().await?;
        let page = lock(&mut tx, checkout.as_str()).await?;
        if page.object.kind != Kind::Checkout {
            return Err(refused(checkout.as_str(), "is no page to pay on"));
        }
        if page.object.standing == Standing::Open {
            keep(&mut tx, &made::paid(page.clone(), self.clock.now())).await?;
        }
        let told = webhook::look_again(&mut tx, &self.name, &page.object.at_rail, self.clock.now());
        told.await.map_err(unknown)?;
        tx.commit().await.map_err(unknown)
    }

    /// The next payment of a subscription comes, where it goes on. Its object, an invoice, is looked at after
    /// that. `count` says which payment it is: each comes once.
    ///
    /// # Errors
    /// [`Trouble::Refused`]: there is no such subscription, or it goes on no more.
    pub async fn bill(&self, subscription: &SubscriptionId, count: u32) -> Result<(), Trouble> {
        let mut tx = self.begin().await?;
        let of = lock(&mut tx, subscription.as_str()).await?;
        if of.object.kind != Kind::Subscription || of.object.standing != Standing::Settled {
            return Err(refused(subscription.as_str(), "is no subscription that goes on"));
        }
        let key = format!("{subscription} {count}");
        if by_key(&mut tx, &key).await?.is_some() {
            return Ok(());
        }
        let invoice = made::invoice(&of, count, self.clock.now());
        add(&mut tx, Some(&key), &invoice).await?;
        let told =
            webhook::look_again(&mut tx, &self.name, &invoice.object.at_rail, self.clock.now());
        told.await.map_err(unknown)?;
        tx.commit().await.map_err(unknown)
    }

    /// What is there in a currency leaves for our bank; `None`: nothing is.
    ///
    /// # Errors
    /// [`Trouble::Unknown`]: the database.
    pub async fn pay_out(&self, currency: Currency) -> Result<Option<PayoutId>, Trouble> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query!(
            "select number, gross from billing.test_money
             where currency = $1 and has_moved and gross <> 0 and payout is null
             order by number for update",
            currency.code(),
        );
        let rows = rows.fetch_all(&mut *tx).await.map_err(unknown)?;
        let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
        let sum: i64 = rows.iter().map(|row| row.gross).sum();
        let Some(last) = numbers.last().filter(|_| sum > 0) else { return Ok(None) };
        let payout = made::payout(&format!("test_payout_{last}"), sum, currency, self.clock.now());
        add(&mut tx, None, &payout).await?;
        let id = &payout.object.at_rail.id;
        sqlx::query!(
            "update billing.test_money set payout = $2 where number = any($1) or id = $2",
            &numbers,
            id,
        )
        .execute(&mut *tx)
        .await
        .map_err(unknown)?;
        let told =
            webhook::look_again(&mut tx, &self.name, &payout.object.at_rail, self.clock.now());
        told.await.map_err(unknown)?;
        tx.commit().await.map_err(unknown)?;
        PayoutId::new(id.clone()).map(Some).map_err(|error| Trouble::Refused(error.to_string()))
    }

    async fn begin(&self) -> Result<sqlx::PgTransaction<'static>, Trouble> {
        self.db
            .begin()
            .await
            .map_err(|error| Trouble::Again { why: error.to_string(), after: None })
    }
}

#[async_trait]
impl PaymentRail for TestMoney {
    fn name(&self) -> &Slug {
        &self.name
    }

    fn is_test_money(&self) -> bool {
        true
    }

    async fn send(&self, order: &Order) -> Result<Object, Trouble> {
        let mut tx = self.begin().await?;
        if let Some(made) = by_key(&mut tx, &order.key).await? {
            return Ok(made.object);
        }
        let whole = match made::part_of(&order.wish) {
            Some((id, amount, kind)) => Some(whole_of(&mut tx, id, amount, kind).await?),
            None => None,
        };
        let made = made::make(order, whole.as_ref(), &self.base, self.clock.now())?;
        add(&mut tx, Some(&order.key), &made).await?;
        if let (Wish::Cancel { .. }, Some(subscription)) = (&order.wish, whole) {
            keep(&mut tx, &made::ended(subscription)).await?;
        }
        tx.commit().await.map_err(unknown)?;
        Ok(made.object)
    }

    async fn find(&self, search: &Search) -> Result<Option<Object>, Trouble> {
        let object = sqlx::query_scalar!(
            "select object from billing.test_money where intent = $1 and key = $2",
            search.intent.uuid(),
            search.intent.key(),
        );
        let object = object.fetch_optional(&self.db).await.map_err(unknown)?;
        object.map(intent::read).transpose().map_err(unknown)
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Object, Trouble> {
        let found =
            sqlx::query_scalar!("select object from billing.test_money where id = $1", object.id);
        match found.fetch_optional(&self.db).await.map_err(unknown)? {
            Some(found) => intent::read(found).map_err(unknown),
            None => Err(refused(&object.id, "is not there")),
        }
    }

    async fn link(&self, to: &LinkTo) -> Result<String, Trouble> {
        let base = &self.base;
        Ok(match to {
            LinkTo::Onboarding { seller, .. } => format!("{base}/test-money/sellers/{seller}"),
            LinkTo::Portal { customer, .. } => format!("{base}/test-money/customers/{customer}"),
        })
    }

    async fn movements(&self, payout: &PayoutId, after: Option<&str>) -> Result<Page, Trouble> {
        let after = after.map_or(Ok(0), str::parse).map_err(unknown)?;
        let rows = sqlx::query!(
            "select number, id, currency, gross from billing.test_money
             where payout = $1 and has_moved and gross <> 0 and number > $2 order by number limit $3",
            payout.as_str(),
            after,
            PAGE,
        );
        let rows = rows.fetch_all(&self.db).await.map_err(unknown)?;
        let is_whole = rows.len() == usize::try_from(PAGE).unwrap_or_default();
        let next = rows.last().filter(|_| is_whole).map(|row| row.number.to_string());
        let movements = rows.into_iter().map(|row| {
            let currency = row.currency.parse().map_err(unknown)?;
            let id = format!("test_movement_{}", row.number);
            Ok(Movement { id, about: row.id, currency, gross: row.gross, fee: 0 })
        });
        Ok(Page { movements: movements.collect::<Result<_, Trouble>>()?, next })
    }
}

/// What a wish takes a part of, where that much is left of it.
async fn whole_of(
    conn: &mut PgConnection,
    id: &str,
    amount: Money,
    part: Kind,
) -> Result<Made, Trouble> {
    let whole = lock(conn, id).await?;
    if !made::has_parts(whole.object.kind, part) {
        return Err(refused(id, "is nothing that this could be a part of"));
    }
    if amount.amount() > 0 && whole.currency != amount.currency() {
        return Err(refused(id, "is in another currency"));
    }
    let taken = sqlx::query_scalar!(
        r#"select coalesce(sum(amount), 0)::bigint as "taken!" from billing.test_money
           where part_of = $1 and object -> 'kind' = $2"#,
        id,
        intent::json(&part).map_err(unknown)?,
    );
    let taken = taken.fetch_one(conn).await.map_err(unknown)?;
    if taken.saturating_add(amount.amount()) > whole.amount {
        return Err(refused(id, "has not that much left"));
    }
    Ok(whole)
}

/// Something it has made, held until the transaction ends.
async fn lock(conn: &mut PgConnection, id: &str) -> Result<Made, Trouble> {
    let row = sqlx::query_as!(
        Row,
        "select object, part_of, currency, amount, gross from billing.test_money
         where id = $1 for update",
        id,
    );
    let row = row.fetch_optional(conn).await.map_err(unknown)?;
    row.ok_or_else(|| refused(id, "is not there"))?.read()
}

async fn by_key(conn: &mut PgConnection, key: &str) -> Result<Option<Made>, Trouble> {
    // Whoever sends the same at the same time waits for this one.
    sqlx::query!(r#"select pg_advisory_xact_lock(hashtextextended($1, 0)) as "locked: ()""#, key)
        .fetch_one(&mut *conn)
        .await
        .map_err(unknown)?;
    let row = sqlx::query_as!(
        Row,
        "select object, part_of, currency, amount, gross from billing.test_money where key = $1",
        key,
    );
    row.fetch_optional(conn).await.map_err(unknown)?.map(Row::read).transpose()
}

struct Row {
    object: Value,
    part_of: Option<String>,
    currency: String,
    amount: i64,
    gross: i64,
}

impl Row {
    fn read(self) -> Result<Made, Trouble> {
        let Self { object, part_of, currency, amount, gross } = self;
        let object: Object = intent::read(object).map_err(unknown)?;
        let currency = currency.parse().map_err(unknown)?;
        Ok(Made { object, part_of, currency, amount, gross })
    }
}

async fn add(conn: &mut PgConnection, key: Option<&str>, made: &Made) -> Result<(), Trouble> {
    sqlx::query!(
        "insert into billing.test_money
             (key, id, intent, part_of, object, currency, amount, gross, has_moved)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key,
        made.object.at_rail.id,
        made.object.intent.map(super::IntentId::uuid),
        made.part_of,
        intent::json(&made.object).map_err(unknown)?,
        made.currency.code(),
        made.amount,
        made.gross,
        made.object.cash.is_some(),
    )
    .execute(conn)
    .await
    .map_err(unknown)?;
    Ok(())
}

async fn keep(conn: &mut PgConnection, made: &Made) -> Result<(), Trouble> {
    sqlx::query!(
        "update billing.test_money set object = $2, has_moved = $3 where id = $1",
        made.object.at_rail.id,
        intent::json(&made.object).map_err(unknown)?,
        made.object.cash.is_some(),
    )
    .execute(conn)
    .await
    .map_err(unknown)?;
    Ok(())
}

fn refused(id: &str, why: &str) -> Trouble {
    Trouble::Refused(format!("{id} {why}"))
}

fn unknown(error: impl std::fmt::Display) -> Trouble {
    Trouble::Unknown(error.to_string())
}
