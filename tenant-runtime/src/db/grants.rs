//! Grants of the control plane that were taken.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use web::grant::Granted;

/// Takes a grant; false where it was taken before. What would be refused in any case is forgotten.
pub async fn take(db: &mut PgConnection, granted: &Granted, now: Timestamp) -> sqlx::Result<bool> {
    sqlx::query!("DELETE FROM tenant.spent_grant WHERE good_until < $1", now.to_sqlx())
        .execute(&mut *db)
        .await?;
    let taken = sqlx::query!(
        "INSERT INTO tenant.spent_grant (id, good_until) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        granted.id,
        granted.until.to_sqlx(),
    );
    Ok(taken.execute(db).await?.rows_affected() == 1)
}
