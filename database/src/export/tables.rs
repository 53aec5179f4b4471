//! Which tables there are, and how each is read so that the same rows give the same bytes.

use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, PgConnection};

use super::Sequence;
use crate::sql::{ident, idents, qualified};

/// A table as the catalogue has it. Notes of migrations are none of the tenant's data.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    key: Vec<String>,
}

/// What [`digest`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// SHA-256 over every table's name, columns and rows.
    pub(crate) digest: String,
    /// How many rows there are.
    pub(crate) count: u64,
}

/// Counts and digests COPY's bytes as they pass.
#[derive(Default)]
pub(super) struct Meter {
    sha256: Sha256,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Meter {
    #[expect(clippy::naive_bytecount, reason = "the digest beside it takes far longer")]
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        // In the text format a line break stands only at the end of a row.
        self.rows += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    }

    pub(super) fn sha256(self) -> String {
        hex::encode(self.sha256.finalize())
    }
}

impl Table {
    pub(super) fn named(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Ordered by the key's text in byte order: the same under every collation.
    pub(super) fn copy_out(&self) -> String {
        let key = if self.key.is_empty() { &self.columns } else { &self.key };
        format!(
            "COPY (SELECT {} FROM ONLY {} ORDER BY ROW({})::text COLLATE \"C\") TO STDOUT",
            idents(&self.columns),
            self.qualified(),
            idents(key)
        )
    }

    pub(super) fn copy_in(&self) -> String {
        format!("COPY {} ({}) FROM STDIN", self.qualified(), idents(&self.columns))
    }

    pub(super) fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

/// Fixes what a value looks like as text, for the rest of the transaction.
pub(super) async fn settle(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(
        "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC';
         SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL bytea_output = 'hex';
         SET LOCAL extra_float_digits = 1; SET LOCAL search_path = ''",
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Table>> {
    sqlx::query_as(
        "SELECT n.nspname::text AS schema, c.relname::text AS name,
                ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                        AND a.attgenerated = '' ORDER BY a.attnum) AS columns,
                ARRAY(SELECT a.attname::text
                      FROM pg_catalog.pg_index i
                           CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY k (num, place)
                           JOIN pg_catalog.pg_attribute a
                               ON a.attrelid = c.oid AND a.attnum = k.num
                      WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) AS key
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND c.relname <> '_migrations'
         ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
    )
    .fetch_all(conn)
    .await
}

pub(super) async fn sequences(conn: &mut PgConnection) -> sqlx::Result<Vec<Sequence>> {
    let names: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, s.seqincrement
         FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut sequences = Vec::with_capacity(names.len());
    for (schema, name, step) in names {
        let next: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT CASE WHEN is_called THEN last_value + $1 ELSE last_value END FROM {}",
            qualified(&schema, &name)
        )))
        .bind(step)
        .fetch_one(&mut *conn)
        .await?;
        sequences.push(Sequence { schema, name, next });
    }
    Ok(sequences)
}

/// One digest over all rows; the same data gives the same one in every database.
pub(crate) async fn digest(conn: &mut PgConnection) -> sqlx::Result<Rows> {
    let mut tx = sqlx::Connection::begin(conn).await?;
    settle(&mut tx).await?;
    let mut all = Sha256::new();
    let mut count = 0;
    for table in list(&mut tx).await? {
        let meter = meter(&mut tx, &table).await?;
        count += meter.rows;
        all.update(format!("{} ({}) ", table.qualified(), idents(&table.columns)));
        all.update(meter.sha256());
    }
    tx.rollback().await?;
    Ok(Rows { digest: hex::encode(all.finalize()), count })
}

/// Reads a table only to measure it.
pub(super) async fn meter(conn: &mut PgConnection, table: &Table) -> sqlx::Result<Meter> {
    let mut meter = Meter::default();
    let mut rows = conn.copy_out_raw(&table.copy_out()).await?;
    while let Some(bytes) = rows.next().await {
        meter.add(&bytes?);
    }
    Ok(meter)
}

/// Sets a sequence as the transaction commits, unlike `setval`, which cannot be undone.
pub(super) async fn restart(conn: &mut PgConnection, sequence: &Sequence) -> sqlx::Result<()> {
    let name = format!("{}.{}", ident(&sequence.schema), ident(&sequence.name));
    let sql = format!("ALTER SEQUENCE {name} RESTART WITH {}", sequence.next);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}
