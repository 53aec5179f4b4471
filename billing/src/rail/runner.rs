//! Sends intents, in turns: each under a lease, none twice, none given up while nobody knows what became of it.
//!
//! | what is known | what is done |
//! | --- | --- |
//! | it was never sent, or did nothing whenever it was | it is sent; after the life of a key it is made anew |
//! | somebody sent it and did not hear, its key still lives | it is looked for, then sent under the same key |
//! | the same, and its key may be gone | it is looked for, and never sent |

use std::pin::pin;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use sqlx::PgPool;
use work::Clock;

use super::intent::{self, Held};
use super::limits::Limits;
use super::settle::{self, NoBooking};
use super::{Object, Order, PaymentRail, Search, Trouble};

/// One turn takes no more.
const MOST: u32 = 50;
/// So many are under way at once.
const AT_ONCE: usize = 10;

/// Who sends intents to one rail. Several may, also in several processes.
#[derive(Clone)]
pub struct Runner {
    /// Where they are.
    pub db: PgPool,
    /// Who does them.
    pub rail: Arc<dyn PaymentRail>,
    /// How often it may be asked.
    pub limits: Limits,
    /// What time it is.
    pub clock: Clock,
}

/// What became of those that were taken in a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The rail did them.
    pub done: u32,
    /// They will not be done.
    pub refused: u32,
    /// They come again.
    pub again: u32,
    /// Somebody else had them meanwhile.
    pub lost: u32,
}

enum Became {
    Done,
    Refused,
    Again,
    Lost,
}

impl Runner {
    /// Takes what is due, as much as the rail takes now, and tries each once.
    ///
    /// # Errors
    /// The database: what was taken then comes again when its lease has run out.
    pub async fn turn(&self) -> sqlx::Result<Turn> {
        let mut tx = self.db.begin().await?;
        let held =
            intent::claim(&mut tx, self.rail.name(), self.limits, MOST, self.clock.now()).await?;
        tx.commit().await?;
        let mut turn = Turn::default();
        // Each has its own: so whoever waits for a turn may go on in another thread.
        let tries =
            stream::iter(held).map(|held| async move { Box::pin(self.try_once(&held)).await });
        let mut became = pin!(tries.buffer_unordered(AT_ONCE));
        while let Some(became) = became.next().await {
            let count = match became? {
                Became::Done => &mut turn.done,
                Became::Refused => &mut turn.refused,
                Became::Again => &mut turn.again,
                Became::Lost => &mut turn.lost,
            };
            *count += 1;
        }
        Ok(turn)
    }

    async fn try_once(&self, held: &Held) -> sqlx::Result<Became> {
        let key_lives = self.key_lives(held);
        if held.doubt {
            let search = Search {
                intent: held.id,
                wish: held.wish.clone(),
                since: held.sent_at,
                until: self.clock.now(),
            };
            match self.rail.find(&search).await {
                Ok(Some(object)) => return self.keep(held, object).await,
                Ok(None) if !key_lives => {
                    return self.give_up(held, "it was sent, and the rail never made it").await;
                }
                Err(trouble) if !key_lives => return self.try_later(held, &trouble).await,
                // The same key says what became of it.
                Ok(None) | Err(_) => {}
            }
        } else if !key_lives {
            return self.give_up(held, "the rail did nothing for as long as it keeps keys").await;
        }
        let order = Order { intent: held.id, key: held.id.key(), wish: held.wish.clone() };
        match self.rail.send(&order).await {
            Ok(object) => self.keep(held, object).await,
            Err(Trouble::Refused(why)) => self.refuse(held, &why).await,
            Err(trouble) => self.try_later(held, &trouble).await,
        }
    }

    fn key_lives(&self, held: &Held) -> bool {
        let end = held.sent_at.saturating_add(self.limits.keys).unwrap_or(Timestamp::MAX);
        self.clock.now() < end
    }

    async fn keep(&self, held: &Held, object: Object) -> sqlx::Result<Became> {
        let object = Object { intent: Some(held.id), ..object };
        let (now, name) = (self.clock.now(), self.rail.name());
        let mut tx = self.db.begin().await?;
        if !is_held(&mut tx, held).await? {
            return Ok(Became::Lost);
        }
        let why = match settle::learn(&mut tx, name, &object, now).await {
            Ok(_) => {
                tx.commit().await?;
                return Ok(Became::Done);
            }
            Err(NoBooking::Database(error)) => return Err(error),
            Err(why) => why,
        };
        tx.rollback().await?;
        tracing::error!("intent {} is done and not booked: {why}", held.id);
        let mut tx = self.db.begin().await?;
        if !is_held(&mut tx, held).await? {
            return Ok(Became::Lost);
        }
        intent::unbooked(&mut tx, held.id, &object, &why.to_string()).await?;
        tx.commit().await?;
        Ok(Became::Done)
    }

    async fn refuse(&self, held: &Held, why: &str) -> sqlx::Result<Became> {
        let mut tx = self.db.begin().await?;
        if !is_held(&mut tx, held).await? {
            return Ok(Became::Lost);
        }
        intent::refuse(&mut tx, held.id, why).await?;
        tx.commit().await?;
        Ok(Became::Refused)
    }

    async fn give_up(&self, held: &Held, why: &str) -> sqlx::Result<Became> {
        let mut tx = self.db.begin().await?;
        let row = intent::lock(&mut tx, held.id).await?.filter(|row| row.is_held_by(held));
        let Some(row) = row else { return Ok(Became::Lost) };
        intent::never_done(&mut tx, &row, why, self.clock.now()).await?;
        tx.commit().await?;
        Ok(Became::Refused)
    }

    async fn try_later(&self, held: &Held, trouble: &Trouble) -> sqlx::Result<Became> {
        let mut conn = self.db.acquire().await?;
        intent::again(&mut conn, held, trouble, self.clock.now()).await?;
        Ok(Became::Again)
    }
}

/// Whether this runner still has it; if so, until the transaction ends.
async fn is_held(conn: &mut sqlx::PgConnection, held: &Held) -> sqlx::Result<bool> {
    Ok(intent::lock(conn, held.id).await?.is_some_and(|row| row.is_held_by(held)))
}
