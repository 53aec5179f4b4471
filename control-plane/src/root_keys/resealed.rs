//! What former root keys sealed, sealed anew bit by bit.
//!
//! A secret is put in the place of the very bytes that it was read from: a change that came in between
//! stays, and who is interrupted, or does the same beside another one, has done some of it.

use accounts::resealing::{self, BATCH};
use uuid::Uuid;
use work::sealed::{self, KeyRing};

use crate::app::{App, of_webhook, sealing};
use crate::db::root_keys::{self as table, Endpoint};
use crate::domain::id::WebhookId;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Rows that are sealed under the key that seals now.
    pub sealed: usize,
    /// Rows that cannot be opened, and are as they were.
    pub refused: usize,
}

/// Everything once that a key sealed which is known and seals no more.
///
/// # Errors
/// The database.
pub async fn all(app: &App) -> sqlx::Result<Done> {
    let (keys, mut done) = (app.root_keys(), Done::default());
    if keys.ids().nth(1).is_none() {
        return Ok(done);
    }
    let mut after = Uuid::nil();
    loop {
        // A connection for each batch: others have their turn in between.
        let mut conn = app.conn().await?;
        let batch = resealing::batch(&mut conn, sealing(&keys), after).await?;
        done.sealed += batch.sealed;
        done.refused += batch.refused;
        let Some(last) = batch.last else { break };
        after = last;
    }
    after = Uuid::nil();
    loop {
        let mut conn = app.conn().await?;
        let others = keys.ids().skip(1);
        let batch = table::sealed_under(&mut conn, others, after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(done) };
        after = last.id;
        for was in &batch {
            match anew(&keys, was) {
                Ok(new) => {
                    done.sealed += usize::from(table::replace(&mut conn, was, &new).await?);
                }
                Err(_) => done.refused += 1,
            }
        }
    }
}

fn anew(keys: &KeyRing, was: &Endpoint) -> Result<Endpoint, sealed::Error> {
    let field = WebhookId(was.id).to_string();
    let anew = |sealed: &Vec<u8>| keys.sealed_anew(of_webhook(&field), sealed);
    let before = was.before.as_ref().map(anew).transpose()?;
    Ok(Endpoint { id: was.id, secret: anew(&was.secret)?, before })
}
