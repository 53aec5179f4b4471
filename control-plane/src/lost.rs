//! The way back in for who lost phone and recovery codes: whoever runs the control plane takes the second
//! factor away.

use accounts::{Email, factors, passkeys, people, sessions};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgPool;

use crate::admit::OPERATOR;
use crate::db::audit::{self, Done};
use crate::db::{members, organizations};
use crate::domain::id::PersonId;

/// Why nothing was taken away.
#[derive(Debug, thiserror::Error)]
pub enum LostError {
    /// Nobody has this address.
    #[error("nobody has an account of the address {0}")]
    Nobody(Email),
    /// A password alone lets them in as it is.
    #[error("{0} has no second factor and no passkey")]
    Nothing(Email),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Takes a person's second factor and passkeys away and ends their sessions, of which whoever found the phone may have
/// one. It is in the audit of each of their organizations.
///
/// # Errors
/// [`LostError`]
pub async fn second_factor(db: &PgPool, email: &Email, now: Timestamp) -> Result<(), LostError> {
    let mut tx = db.begin().await?;
    let person = people::by_email(&mut tx, email).await?;
    let person = person.ok_or_else(|| LostError::Nobody(email.clone()))?;
    let passkeys = passkeys::remove_all(&mut tx, person.id).await?;
    if !factors::remove(&mut tx, person.id).await? && passkeys == 0 {
        return Err(LostError::Nothing(email.clone()));
    }
    sessions::end_all(&mut tx, person.id).await?;
    let mut seats = members::seats(&mut tx, PersonId(person.id)).await?;
    // Always in the same order, so that two who do this at once do not wait for each other.
    seats.sort_by_key(|(organization, _)| organization.id.0);
    for (organization, _) in seats {
        organizations::lock(&mut tx, organization.id).await?;
        let done = Done {
            organization: organization.id,
            actor: OPERATOR,
            action: "member.second-factor.forget",
            target: &PersonId(person.id).to_string(),
            detail: json!({"passkeys": passkeys}),
        };
        audit::write(&mut tx, done, now).await?;
    }
    Ok(tx.commit().await?)
}
