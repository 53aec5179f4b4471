//! A server, and databases on it that begin empty.

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

/// A Postgres to measure on.
pub(crate) struct Place {
    url: String,
    server: PgPool,
}

/// A database of one measurement.
pub(crate) struct Room {
    pub(crate) db: PgPool,
    pub(crate) url: String,
}

impl Place {
    /// Says whether it waits for its disk: figures of one that does not are none.
    pub(crate) async fn new(url: String) -> Self {
        let server = pool(&url).await;
        let fsync: String = sqlx::query_scalar("show fsync").fetch_one(&server).await.unwrap();
        let commit: String =
            sqlx::query_scalar("show synchronous_commit").fetch_one(&server).await.unwrap();
        println!("fsync is {fsync}, synchronous_commit is {commit}");
        Self { url, server }
    }

    /// With our tables and nothing in them.
    pub(crate) async fn empty(&self, name: &str) -> Room {
        self.make(name, "template0").await;
        let room = self.room(name).await;
        billing::MIGRATOR.run(&room.db).await.unwrap();
        room
    }

    /// With all that is in another one, which nobody uses meanwhile.
    pub(crate) async fn copy(&self, of: &str, name: &str) -> Room {
        self.make(name, of).await;
        self.room(name).await
    }

    pub(crate) async fn remove(&self, name: &str) {
        let remove = format!("drop database if exists {name} with (force)");
        sqlx::raw_sql(AssertSqlSafe(remove)).execute(&self.server).await.unwrap();
    }

    async fn make(&self, name: &str, template: &str) {
        self.remove(name).await;
        let make = format!("create database {name} template {template}");
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&self.server).await.unwrap();
    }

    async fn room(&self, name: &str) -> Room {
        let (server, _) = self.url.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        Room { db: pool(&url).await, url }
    }
}

impl Room {
    pub(crate) async fn count(&self, what: &'static str) -> i64 {
        sqlx::query_scalar(what).fetch_one(&self.db).await.unwrap()
    }
}

/// As many connections as a control plane has.
pub(crate) async fn pool(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(16).connect(url).await.unwrap()
}
