//! The admin link of a platform, as whoever made its database hands it out.

use accounts::ownership;
use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::PgConnection;

pub use accounts::ownership::For;

/// Makes the admin link of these bits, good until then, and says its path on the platform as long as
/// it is good. The same however often it is called; see [`ownership::offer`].
pub async fn offer(
    db: &mut PgConnection,
    bits: &[u8; 32],
    whom: For,
    until: Timestamp,
    now: Timestamp,
) -> sqlx::Result<Option<SecretString>> {
    let token = ownership::offer(db, bits, whom, until, now).await?;
    Ok(token.map(|token| format!("/welcome/{}", token.expose()).into()))
}
