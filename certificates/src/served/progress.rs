//! How far the names of a platform are, as its owner is told.

use jiff::Timestamp;
use jiff_sqlx::Timestamp as Sql;
use sqlx::PgConnection;
use uuid::Uuid;

/// How far a name is under which a platform is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The name.
    pub name: String,
    /// Until when its certificate is good, be it its own or that of its zone; `None`: it has none.
    pub until: Option<Timestamp>,
    /// What stands against the certificate that is ordered for it.
    pub trouble: Option<String>,
    /// When that is tried again.
    pub next_try: Option<Timestamp>,
}

/// How far the names are under which a platform is met: its own below the zone of the service, and
/// those that it has proven.
///
/// # Errors
/// The database.
pub async fn progress(conn: &mut PgConnection, platform: Uuid) -> sqlx::Result<Vec<Progress>> {
    let rows = sqlx::query!(
        r#"select host.name as "name!", certificate.not_after as "until?: Sql",
                  acme_order.failure as "trouble?", acme_order.next_at as "next_try?: Sql"
           from certificates.host
           left join certificates.certificate on certificate.id = host.certificate
           left join certificates.acme_order
                  on acme_order.name = host.name and acme_order.state = 'open'
           where host.platform = $1"#,
        platform
    );
    let rows = rows.fetch_all(conn).await?;
    let progress = rows.into_iter().map(|row| Progress {
        name: row.name,
        until: row.until.map(Sql::to_jiff),
        trouble: row.trouble,
        next_try: row.next_try.map(Sql::to_jiff),
    });
    Ok(progress.collect())
}
