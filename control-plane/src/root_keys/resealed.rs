//! What former root keys sealed, sealed anew bit by bit.
//!
//! A secret is put in the place of the very bytes that it was read from: a change that came in between
//! stays, and who is interrupted, or does the same beside another one, has done some of it.

use accounts::resealing::{self, BATCH};
use uuid::Uuid;
use work::sealed::{self, KeyRing};

use crate::app::{App, of_provider, of_signing_key, of_webhook, sealing};
use crate::db::root_keys::{self as table, Endpoint};
use crate::db::signing_keys;
use crate::domain::id::{OrganizationId, WebhookId};

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
    second_factors(app, &keys, &mut done).await?;
    webhooks(app, &keys, &mut done).await?;
    providers(app, &keys, &mut done).await?;
    signing_keys(app, &keys, &mut done).await?;
    Ok(done)
}

async fn second_factors(app: &App, keys: &KeyRing, done: &mut Done) -> sqlx::Result<()> {
    let mut after = Uuid::nil();
    loop {
        // A connection for each batch: others have their turn in between.
        let mut conn = app.conn().await?;
        let batch = resealing::batch(&mut conn, sealing(keys), after).await?;
        done.sealed += batch.sealed;
        done.refused += batch.refused;
        let Some(last) = batch.last else { return Ok(()) };
        after = last;
    }
}

async fn webhooks(app: &App, keys: &KeyRing, done: &mut Done) -> sqlx::Result<()> {
    let mut after = Uuid::nil();
    loop {
        let mut conn = app.conn().await?;
        let others = keys.ids().skip(1);
        let batch = table::sealed_under(&mut conn, others, after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(()) };
        after = last.id;
        for was in &batch {
            match anew(keys, was) {
                Ok(new) => {
                    done.sealed += usize::from(table::replace(&mut conn, was, &new).await?);
                }
                Err(_) => done.refused += 1,
            }
        }
    }
}

async fn providers(app: &App, keys: &KeyRing, done: &mut Done) -> sqlx::Result<()> {
    let mut after = Uuid::nil();
    loop {
        let mut conn = app.conn().await?;
        let others = keys.ids().skip(1);
        let batch = table::providers_sealed_under(&mut conn, others, after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(()) };
        after = last.organization;
        for was in &batch {
            let field = OrganizationId(was.organization).to_string();
            match keys.sealed_anew(of_provider(&field), &was.secret) {
                Ok(new) => {
                    let is_put = table::replace_of_provider(&mut conn, was, &new).await?;
                    done.sealed += usize::from(is_put);
                }
                Err(_) => done.refused += 1,
            }
        }
    }
}

async fn signing_keys(app: &App, keys: &KeyRing, done: &mut Done) -> sqlx::Result<()> {
    let mut conn = app.conn().await?;
    for was in signing_keys::list(&mut conn).await? {
        let under = sealed::sealed_under(&was.secret).ok();
        if !under.is_some_and(|key| key != keys.seals().id() && keys.opens(key)) {
            continue;
        }
        match keys.sealed_anew(of_signing_key(&was.id), &was.secret) {
            Ok(new) => {
                let is_put = signing_keys::replace(&mut conn, &was, &new).await?;
                done.sealed += usize::from(is_put);
            }
            Err(_) => done.refused += 1,
        }
    }
    Ok(())
}

fn anew(keys: &KeyRing, was: &Endpoint) -> Result<Endpoint, sealed::Error> {
    let field = WebhookId(was.id).to_string();
    let anew = |sealed: &Vec<u8>| keys.sealed_anew(of_webhook(&field), sealed);
    let before = was.before.as_ref().map(anew).transpose()?;
    Ok(Endpoint { id: was.id, secret: anew(&was.secret)?, before })
}
