//! Effect keys: the same effect asked for twice has one outcome.
//!
//! ```text
//! begin, commit -> First | Again -> do it outside, under EffectKey::stable() -> finish, commit
//!               -> Done(outcome)    nothing is done
//! ```
//! `Again` is the hard case: an earlier try died between the effect and its outcome, or runs at
//! this moment. The effect must then be repeated under the same stable key, which the other side
//! (Stripe, an ACME server, Kubernetes) uses to answer as it did before.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

/// Names one effect for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EffectKey {
    /// Whose effect it is: a blueprint's name, or `control`.
    pub tenant: String,
    /// One run of one workflow, such as `checkout:0198c5...`.
    pub operation: String,
    /// The step inside it, such as `create-session`.
    pub step: String,
}

impl EffectKey {
    /// The key as the outside gets it (64 hexadecimal digits), for instance as an
    /// `Idempotency-Key`: no two keys give the same text, and it tells nothing.
    pub fn stable(&self) -> String {
        let mut digest = Sha256::new();
        for part in [&self.tenant, &self.operation, &self.step] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        hex::encode(digest.finalize())
    }
}

/// What [`begin`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nobody began it before.
    First,
    /// Begun before, outcome unknown: repeat it under the same stable key.
    Again,
    /// Done before; this came of it.
    Done(Value),
}

/// Notes that the effect is about to happen. Commit before doing it.
pub async fn begin(
    conn: &mut PgConnection,
    key: &EffectKey,
    now: Timestamp,
) -> sqlx::Result<Begun> {
    let first = sqlx::query!(
        "INSERT INTO work.effect (tenant, operation, step, begun_at)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        key.tenant,
        key.operation,
        key.step,
        now.to_sqlx() as _,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected()
        == 1;
    if first {
        return Ok(Begun::First);
    }
    Ok(saved(conn, key).await?.map_or(Begun::Again, Begun::Done))
}

/// Keeps what came of the effect and returns what counts: the first outcome that was kept.
/// The caller answers with the returned one, not with its own.
///
/// # Errors
/// [`sqlx::Error::RowNotFound`] when the effect was never begun.
pub async fn finish(
    conn: &mut PgConnection,
    key: &EffectKey,
    outcome: &Value,
    now: Timestamp,
) -> sqlx::Result<Value> {
    let kept = sqlx::query!(
        "UPDATE work.effect SET outcome = $4, finished_at = $5
         WHERE tenant = $1 AND operation = $2 AND step = $3 AND finished_at IS NULL",
        key.tenant,
        key.operation,
        key.step,
        outcome,
        now.to_sqlx() as _,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected()
        == 1;
    if kept {
        return Ok(outcome.clone());
    }
    saved(conn, key).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Forgets effects that were finished before `before`, and returns how many. What repeats one of
/// them afterwards does it a second time, so keep them longer than anything retries.
pub async fn forget(conn: &mut PgConnection, before: Timestamp) -> sqlx::Result<u64> {
    Ok(sqlx::query!("DELETE FROM work.effect WHERE finished_at < $1", before.to_sqlx() as _)
        .execute(conn)
        .await?
        .rows_affected())
}

async fn saved(conn: &mut PgConnection, key: &EffectKey) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        "SELECT outcome FROM work.effect WHERE tenant = $1 AND operation = $2 AND step = $3",
        key.tenant,
        key.operation,
        key.step,
    )
    .fetch_optional(conn)
    .await
    .map(Option::flatten)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::PgPool;

    use super::*;

    fn key(step: &str) -> EffectKey {
        EffectKey { tenant: "acme".into(), operation: "checkout:1".into(), step: step.into() }
    }

    #[sqlx::test]
    async fn a_repeat_gets_the_saved_outcome(pool: PgPool) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(begin(&mut conn, &key("pay"), now).await?, Begun::First);
        assert_eq!(begin(&mut conn, &key("pay"), now).await?, Begun::Again);
        let outcome = json!({ "charge": "ch_1" });
        assert_eq!(finish(&mut conn, &key("pay"), &outcome, now).await?, outcome);
        assert_eq!(begin(&mut conn, &key("pay"), now).await?, Begun::Done(outcome.clone()));
        // The answer of a slower twin does not replace the first.
        assert_eq!(finish(&mut conn, &key("pay"), &json!("late"), now).await?, outcome);
        assert_eq!(begin(&mut conn, &key("mail"), now).await?, Begun::First);
        Ok(())
    }

    #[sqlx::test]
    async fn an_outcome_of_json_null_is_an_outcome(pool: PgPool) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        begin(&mut conn, &key("pay"), Timestamp::UNIX_EPOCH).await?;
        finish(&mut conn, &key("pay"), &Value::Null, Timestamp::UNIX_EPOCH).await?;
        let again = begin(&mut conn, &key("pay"), Timestamp::UNIX_EPOCH).await?;
        assert_eq!(again, Begun::Done(Value::Null));
        Ok(())
    }

    #[sqlx::test]
    async fn what_was_not_begun_cannot_be_finished(pool: PgPool) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        let refused = finish(&mut conn, &key("pay"), &Value::Null, Timestamp::UNIX_EPOCH).await;
        assert!(matches!(refused, Err(sqlx::Error::RowNotFound)));
        Ok(())
    }

    #[sqlx::test]
    async fn forgetting_spares_what_is_unfinished_or_young(pool: PgPool) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        let [old, young] = [0, 100].map(|s| Timestamp::from_second(s).unwrap());
        for (step, at) in [("old", old), ("young", young)] {
            begin(&mut conn, &key(step), old).await?;
            finish(&mut conn, &key(step), &json!(1), at).await?;
        }
        begin(&mut conn, &key("open"), old).await?;
        assert_eq!(forget(&mut conn, young).await?, 1);
        assert_eq!(begin(&mut conn, &key("old"), old).await?, Begun::First);
        assert_eq!(begin(&mut conn, &key("open"), old).await?, Begun::Again);
        Ok(())
    }

    #[test]
    fn no_two_keys_look_alike_outside() {
        let shifted =
            EffectKey { tenant: "acm".into(), operation: "echeckout:1".into(), ..key("a") };
        assert_ne!(key("a").stable(), shifted.stable());
        assert_eq!(key("a").stable().len(), 64);
    }
}
