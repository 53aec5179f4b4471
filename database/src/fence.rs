//! Only the newest of several processes in charge works on a server.
//!
//! Who takes charge raises the fence: its epoch is written where every database of the server
//! shows it, as the comment of a role, and connections of older epochs are ended. A connection
//! says its epoch in its very first message and looks at the fence before anything else, so an
//! older process is ended by the newer one or refused by itself, whenever it wakes up.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::sql::{ident, literal};

/// Who is in charge, and how often that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Who works under it: letters, digits and `_`, at most 30.
    name: String,
    epoch: i32,
}

/// A newer process is in charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("epoch {mine} is over: a process of epoch {newest} is in charge of this server")]
pub struct Fenced {
    /// The epoch of this one.
    pub mine: i32,
    /// The epoch of the newest that was there.
    pub newest: i32,
}

/// A fence has another name than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a fence has 1 to 30 letters, digits and `_`")]
pub struct BadName;

/// So long it may take until connections of older epochs are ended.
const TRIES: u32 = 100;

impl Fence {
    /// Of those who work under this name, as often as somebody took charge.
    ///
    /// # Errors
    /// [`BadName`].
    pub fn new(name: &str, epoch: i32) -> Result<Self, BadName> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || name.len() > 30 || !name.bytes().all(is_plain) {
            return Err(BadName);
        }
        Ok(Self { name: name.to_owned(), epoch })
    }

    /// What a connection says it is, from its first message on.
    pub(crate) fn application_name(&self) -> String {
        format!("{}{}", self.prefix(), self.epoch)
    }

    fn prefix(&self) -> String {
        format!("soulfra {} ", self.name)
    }

    fn role(&self) -> String {
        format!("soulfra_fence_{}", self.name)
    }

    /// Looks whether nobody newer is in charge.
    pub(crate) async fn check(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        match self.newest(conn).await? {
            Some(newest) if newest > self.epoch => {
                let fenced = Fenced { mine: self.epoch, newest };
                Err(sqlx::Error::Configuration(Box::new(fenced)))
            }
            _ => Ok(()),
        }
    }

    async fn newest(&self, conn: &mut PgConnection) -> sqlx::Result<Option<i32>> {
        let comment: Option<Option<String>> = sqlx::query_scalar(
            "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = $1",
        )
        .bind(self.role())
        .fetch_optional(conn)
        .await?;
        Ok(comment.flatten().and_then(|epoch| epoch.parse().ok()))
    }

    /// Keeps all older ones out; when it returns none of them has a connection any more.
    pub(crate) async fn raise(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let role = ident(&self.role());
        let epoch = literal(&self.epoch.to_string());
        // One at a time, and never down: the check is inside the lock.
        let lock = "SELECT pg_advisory_lock(hashtextextended('soulfra fence', 0))";
        sqlx::query(lock).execute(&mut *conn).await?;
        self.check(conn).await?;
        if self.newest(conn).await?.is_none() {
            let exists: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
                    .bind(self.role())
                    .fetch_one(&mut *conn)
                    .await?;
            if !exists {
                let sql = format!("CREATE ROLE {role} NOLOGIN");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await?;
            }
        }
        let sql = format!("COMMENT ON ROLE {role} IS {epoch}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await?;
        let unlock = "SELECT pg_advisory_unlock(hashtextextended('soulfra fence', 0))";
        sqlx::query(unlock).execute(&mut *conn).await?;
        self.end_older(conn).await
    }

    async fn end_older(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        // Anybody may call themselves so: only this role's own sessions are ended, and only a
        // number is read as one.
        let older = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE pid <> pg_backend_pid() AND usename = current_user \
                     AND starts_with(application_name, $1) \
                     AND CASE WHEN substr(application_name, length($1) + 1) ~ '^[0-9]{1,9}$' \
                     THEN substr(application_name, length($1) + 1)::int < $2 ELSE false END";
        for _ in 0..TRIES {
            let ended: i64 = sqlx::query_scalar(older)
                .bind(self.prefix())
                .bind(self.epoch)
                .fetch_one(&mut *conn)
                .await?;
            if ended == 0 {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(sqlx::Error::PoolTimedOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert!(Fence::new("operator_1", 1).is_ok());
        for bad in ["", "a b", "a'", &"a".repeat(31)] {
            assert_eq!(Fence::new(bad, 1), Err(BadName));
        }
    }
}
