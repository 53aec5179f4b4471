//! Databases that Postgres opens to every login, where tenants have no business.
//!
//! In one that two tenants may enter they can leave each other notes, hold locks that stand in
//! the way of an [`crate::Admin`], and fill the disk in nobody's name.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::sql::idents;

/// Closes those that every server comes with, where that is the administrator's to do. Returns
/// all that are open to every login afterwards.
pub(crate) async fn close(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    let open: Vec<(String, bool)> = sqlx::query_as(
        "SELECT datname::text,
                datname IN ('postgres', 'template1') AND pg_has_role(datdba, 'USAGE')
         FROM pg_database
         WHERE datallowconn AND datconnlimit <> -2 AND EXISTS (
             SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a
             WHERE a.grantee = 0)
         ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await?;
    let (ours, of_others): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, ours)| *ours);
    let [ours, of_others] =
        [ours, of_others].map(|them| them.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    if !ours.is_empty() {
        // Two that close the same at once would get into each other's way.
        let sql = format!(
            "SELECT pg_advisory_xact_lock(hashtextextended('soulfra doors', 0));
             REVOKE ALL ON DATABASE {} FROM PUBLIC",
            idents(&ours)
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    }
    Ok(of_others)
}
