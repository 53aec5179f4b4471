//! When it is an order's turn, by what its authority allows.

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Sql, ToSqlx as _};
use sqlx::PgConnection;

use super::{Issuer, Order, TAKEN};
use crate::acme::{Authority, Trouble};
use crate::limits::{self, Limit, Limits};
use crate::pace;

impl Issuer {
    /// Whether it is the order's turn, by what the authority allows.
    pub(super) async fn turn(
        &self,
        order: &Order,
        authority: &Authority,
        queue: Queue,
    ) -> Result<(), Trouble> {
        let now = self.clock.now();
        let is_first =
            self.settings.authorities.first().is_some_and(|it| it.name == authority.name);
        let latest = pace::latest_place(is_first, now);
        let mut tx = self.db.begin().await?;
        let at = place(&mut tx, order, authority, queue, latest, now).await?;
        tx.commit().await?;
        if at <= now { Ok(()) } else { Err(Trouble::Full(at)) }
    }

    /// Counts an order as the authority will, and looks whether it would give the certificate.
    /// Places keep those apart who wait; whoever uses theirs late may still meet others.
    pub(super) async fn count_order(
        &self,
        order: &Order,
        authority: &Authority,
    ) -> Result<(), Trouble> {
        let (now, name) = (self.clock.now(), &authority.name);
        let of_order = [("counted orders".to_owned(), authority.limits.orders)];
        let mut tx = self.db.begin().await?;
        let of_certificate = counted(&authority.limits, &order.name);
        let mut at = limits::next(&mut tx, name, &of_certificate, now).await?;
        if at <= now {
            at = limits::reserve(&mut tx, name, &of_order, Some(now), now).await?;
        }
        tx.commit().await?;
        if at <= now { Ok(()) } else { Err(Trouble::Full(at)) }
    }

    /// Counts a certificate as the authority will.
    pub(super) async fn count_certificate(
        &self,
        order: &Order,
        authority: &Authority,
    ) -> Result<(), Trouble> {
        let of_certificate = counted(&authority.limits, &order.name);
        let (mut tx, now) = (self.db.begin().await?, self.clock.now());
        limits::reserve(&mut tx, &authority.name, &of_certificate, None, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What an authority counts a certificate against, apart from who waits for a place.
fn counted(limits: &Limits, name: &str) -> Vec<(String, Limit)> {
    let limits = limits.of_certificate(name).into_iter();
    limits.map(|(what, limit)| (format!("counted {what}"), limit)).collect()
}

/// What an authority counts, each in a queue of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Certificates for a name.
    Certificate,
    /// Orders of an account.
    Order,
}

impl Queue {
    fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Order => "order",
        }
    }
}

/// The order's place in a queue of this authority: from when on it is its turn. It is reserved once,
/// whatever goes wrong between now and then; and not at all where it would be later than `latest`.
async fn place(
    conn: &mut PgConnection,
    order: &Order,
    authority: &Authority,
    queue: Queue,
    latest: Option<Timestamp>,
    now: Timestamp,
) -> sqlx::Result<Timestamp> {
    // Held meanwhile: of two runs of one order one reserves it.
    let is_open = sqlx::query_scalar!(
        "select true from certificates.acme_order where id = $1 and state = 'open' for update",
        order.id
    );
    if is_open.fetch_optional(&mut *conn).await?.is_none() {
        // Another run has ended it: it is nobody's turn.
        return Ok(now + TAKEN);
    }
    let place = sqlx::query_scalar!(
        r#"select at as "at: Sql" from certificates.place
           where order_id = $1 and authority = $2 and queue = $3"#,
        order.id,
        authority.name,
        queue.word(),
    );
    if let Some(at) = place.fetch_optional(&mut *conn).await? {
        return Ok(at.to_jiff());
    }
    let limits = match queue {
        Queue::Certificate => authority.limits.of_certificate(&order.name).to_vec(),
        // All platforms hang on the service's own.
        Queue::Order => {
            let is_first = order.replaces.is_some() || order.name.starts_with("*.");
            let both = authority.limits.of_order(is_first);
            let earlier = limits::earliest(&mut *conn, &authority.name, both, now).await?;
            earlier.into_iter().collect()
        }
    };
    let at = limits::reserve(&mut *conn, &authority.name, &limits, latest, now).await?;
    if latest.is_none_or(|latest| at <= latest) {
        sqlx::query!(
            "insert into certificates.place (order_id, authority, queue, at) values ($1, $2, $3, $4)",
            order.id,
            authority.name,
            queue.word(),
            at.to_sqlx() as Sql,
        )
        .execute(conn)
        .await?;
    }
    Ok(at)
}
