//! Looks at objects of which something was told, each as it is now, and books what that means.

use std::sync::Arc;

use blueprint::Slug;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, PgPool};
use work::Clock;

use crate::rail::intent::shortened;
use crate::rail::limits::{Endpoint, LEASE, Leave, Limits, wait};
use crate::rail::settle::{Books, NoBooking, learn};
use crate::rail::{ObjectRef, PaymentRail, SellerId, Trouble};

/// So often something is looked at in vain; then it is parked, and people look at it.
const MOST_ATTEMPTS: i32 = 12;
/// One turn takes no more.
const MOST: u32 = 50;
/// So many are under way at once.
const AT_ONCE: usize = 10;

/// Who looks, at one rail. Several may, also in several processes.
#[derive(Clone)]
pub struct Looker {
    /// Where it stands what is to be looked at.
    pub db: PgPool,
    /// Where to look.
    pub rail: Arc<dyn PaymentRail>,
    /// Who books what is of no intent.
    pub books: Arc<dyn Books>,
    /// How often the rail may be asked.
    pub limits: Limits,
    /// What time it is.
    pub clock: Clock,
}

/// What became of those that were taken in a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// They were seen and booked.
    pub done: u32,
    /// They come again.
    pub again: u32,
    /// They are parked.
    pub parked: u32,
}

/// What nobody could act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Of what it was told.
    pub object: ObjectRef,
    /// When it was given up.
    pub at: Timestamp,
    /// Why.
    pub cause: String,
}

struct Held {
    object: ObjectRef,
    asked: i64,
    attempts: i32,
    fence: i64,
}

enum Became {
    Done,
    Again,
    Parked,
}

impl Looker {
    /// Takes what is due, as much as the rail takes now, and looks at each once.
    ///
    /// # Errors
    /// The database: what was taken then comes again when its lease has run out.
    pub async fn turn(&self) -> sqlx::Result<Looked> {
        let held = self.claim().await?;
        let mut looked = Looked::default();
        let mut became =
            stream::iter(held.iter().map(|held| self.look(held))).buffer_unordered(AT_ONCE);
        while let Some(became) = became.next().await {
            let count = match became? {
                Became::Done => &mut looked.done,
                Became::Again => &mut looked.again,
                Became::Parked => &mut looked.parked,
            };
            *count += 1;
        }
        Ok(looked)
    }

    async fn claim(&self) -> sqlx::Result<Vec<Held>> {
        let (rail, now) = (self.rail.name(), self.clock.now());
        let mut tx = self.db.begin().await?;
        bury_those_that_kill(&mut tx, rail, now).await?;
        let mut leave = Leave::begin(&mut tx, rail.as_str(), self.limits, now).await?;
        let granted = leave.ask(&mut tx, Endpoint::Looks.as_str(), MOST).await?;
        let rows = sqlx::query!(
            r#"with due as materialized (
                 select account, kind, object from billing.told
                 where rail = $1 and parked_at is null and next_at <= $2
                 order by next_at limit $3 for update skip locked
               )
               update billing.told as told
               set fence = fence + 1, attempts = attempts + 1, next_at = $4
               from due
               where told.rail = $1 and told.account = due.account and told.kind = due.kind
                   and told.object = due.object
               returning told.account, told.kind, told.object, asked, attempts, fence"#,
            rail.as_str(),
            now.to_sqlx() as _,
            i64::from(granted),
            now.saturating_add(LEASE).unwrap_or(Timestamp::MAX).to_sqlx() as _,
        );
        let rows = rows.fetch_all(&mut *tx).await?;
        let taken = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        leave.take(&mut tx, Endpoint::Looks.as_str(), taken).await?;
        tx.commit().await?;
        let held = rows.into_iter().map(|row| Held {
            object: ObjectRef {
                word: row.kind,
                id: row.object,
                // An account that cannot be named is ours to park.
                account: SellerId::new(row.account).ok(),
            },
            asked: row.asked,
            attempts: row.attempts,
            fence: row.fence,
        });
        Ok(held.collect())
    }

    async fn look(&self, held: &Held) -> sqlx::Result<Became> {
        let object = match self.rail.fetch(&held.object).await {
            Ok(object) => object,
            Err(Trouble::Refused(why)) => return self.park(held, &why).await,
            Err(trouble) => {
                let wanted = match &trouble {
                    Trouble::Again { after, .. } => *after,
                    Trouble::Refused(_) | Trouble::Unknown(_) => None,
                };
                return self.later(held, &trouble.to_string(), wanted).await;
            }
        };
        let mut tx = self.db.begin().await?;
        if !self.is_held(&mut tx, held).await? {
            return Ok(Became::Again);
        }
        let (rail, now) = (self.rail.name(), self.clock.now());
        let booked = match learn(&mut tx, rail, &object, now).await {
            Ok(true) => Ok(()),
            Ok(false) => self.books.book(&mut tx, rail, &object, now).await,
            Err(why) => Err(why),
        };
        match booked {
            Ok(()) => {
                self.seen(&mut tx, held, now).await?;
                tx.commit().await?;
                Ok(Became::Done)
            }
            Err(NoBooking::Database(error)) => Err(error),
            Err(why) => {
                tx.rollback().await?;
                self.later(held, &why.to_string(), None).await
            }
        }
    }

    async fn is_held(&self, conn: &mut PgConnection, held: &Held) -> sqlx::Result<bool> {
        let (account, rail) = (account(&held.object), self.rail.name());
        let found = sqlx::query_scalar!(
            "select fence from billing.told
             where rail = $1 and account = $2 and kind = $3 and object = $4 for update",
            rail.as_str(),
            account,
            held.object.word,
            held.object.id,
        );
        Ok(found.fetch_optional(conn).await? == Some(held.fence))
    }

    /// It was seen: gone, where nothing more was told of it meanwhile; else it is looked at again.
    async fn seen(&self, conn: &mut PgConnection, held: &Held, now: Timestamp) -> sqlx::Result<()> {
        let gone = sqlx::query!(
            "delete from billing.told
             where rail = $1 and account = $2 and kind = $3 and object = $4 and asked = $5",
            self.rail.name().as_str(),
            account(&held.object),
            held.object.word,
            held.object.id,
            held.asked,
        );
        if gone.execute(&mut *conn).await?.rows_affected() == 1 {
            return Ok(());
        }
        sqlx::query!(
            "update billing.told set attempts = 0, next_at = $5, cause = null
             where rail = $1 and account = $2 and kind = $3 and object = $4",
            self.rail.name().as_str(),
            account(&held.object),
            held.object.word,
            held.object.id,
            now.to_sqlx() as _,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn later(
        &self,
        held: &Held,
        cause: &str,
        wanted: Option<jiff::SignedDuration>,
    ) -> sqlx::Result<Became> {
        if held.attempts >= MOST_ATTEMPTS {
            return self.park(held, cause).await;
        }
        let spread = u8::try_from(held.fence % 256).unwrap_or(0);
        let at = self.clock.now().saturating_add(wait(held.attempts, spread, wanted));
        sqlx::query!(
            "update billing.told set next_at = $6, cause = $7
             where rail = $1 and account = $2 and kind = $3 and object = $4 and fence = $5",
            self.rail.name().as_str(),
            account(&held.object),
            held.object.word,
            held.object.id,
            held.fence,
            at.unwrap_or(Timestamp::MAX).to_sqlx() as _,
            shortened(cause),
        )
        .execute(&self.db)
        .await?;
        Ok(Became::Again)
    }

    async fn park(&self, held: &Held, cause: &str) -> sqlx::Result<Became> {
        tracing::error!("{} {} is parked: {cause}", held.object.word, held.object.id);
        sqlx::query!(
            "update billing.told set parked_at = $6, cause = $7
             where rail = $1 and account = $2 and kind = $3 and object = $4 and fence = $5",
            self.rail.name().as_str(),
            account(&held.object),
            held.object.word,
            held.object.id,
            held.fence,
            self.clock.now().to_sqlx() as _,
            shortened(cause),
        )
        .execute(&self.db)
        .await?;
        Ok(Became::Parked)
    }
}

fn account(object: &ObjectRef) -> &str {
    object.account.as_ref().map_or("", SellerId::as_str)
}

/// Who dies while looking says nothing, so the last lease running out counts as the last failure.
async fn bury_those_that_kill(
    conn: &mut PgConnection,
    rail: &Slug,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with lost as materialized (
           select account, kind, object from billing.told
           where rail = $1 and parked_at is null and next_at <= $2 and attempts >= $3
           for update skip locked
         )
         update billing.told as told set parked_at = $2,
             cause = 'whoever looked at it died or hung; last failure seen: ' || coalesce(cause, 'none')
         from lost
         where told.rail = $1 and told.account = lost.account and told.kind = lost.kind
             and told.object = lost.object",
        rail.as_str(),
        now.to_sqlx() as _,
        MOST_ATTEMPTS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has an object looked at again, though nobody told of it: what a person did on a page of test money, what was
/// parked, or what a day of lost events may have missed.
///
/// # Errors
/// The database.
pub async fn look_again(
    conn: &mut PgConnection,
    rail: &Slug,
    object: &ObjectRef,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into billing.told as told (rail, account, kind, object, asked, next_at)
         values ($1, $2, $3, $4, 1, $5)
         on conflict (rail, account, kind, object) do update
         set asked = told.asked + 1, attempts = 0, parked_at = null",
        rail.as_str(),
        account(object),
        object.word,
        object.id,
        now.to_sqlx() as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was given up, the newest first.
///
/// # Errors
/// The database.
pub async fn parked(conn: &mut PgConnection, rail: &Slug, most: u16) -> sqlx::Result<Vec<Parked>> {
    let rows = sqlx::query!(
        r#"select account, kind, object, parked_at as "at!: jiff_sqlx::Timestamp", cause as "cause!"
           from billing.told where rail = $1 and parked_at is not null
           order by parked_at desc, kind, object limit $2"#,
        rail.as_str(),
        i64::from(most),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows
        .map(|row| Parked {
            object: ObjectRef {
                word: row.kind,
                id: row.object,
                account: SellerId::new(row.account).ok(),
            },
            at: row.at.to_jiff(),
            cause: row.cause,
        })
        .collect())
}
