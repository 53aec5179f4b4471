//! Grants of the control plane that were taken.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use web::grant::Granted;

/// Kept for so long after it would be refused in any case: clocks of several copies differ.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Takes a grant; false where it was taken before.
pub async fn take(db: &mut PgConnection, granted: &Granted, now: Timestamp) -> sqlx::Result<bool> {
    let over = (now - KEPT).to_sqlx();
    sqlx::query!("DELETE FROM tenant.spent_grant WHERE good_until < $1", over)
        .execute(&mut *db)
        .await?;
    let taken = sqlx::query!(
        "INSERT INTO tenant.spent_grant (id, good_until) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        granted.id,
        granted.until.to_sqlx(),
    );
    Ok(taken.execute(db).await?.rows_affected() == 1)
}
