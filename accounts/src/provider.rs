//! Signing in by somebody else's word. Whether it is theirs, and about whom, is for whoever trusts them
//! to find out; here is what comes of it.
use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::events::{self, Kind};
use crate::sessions::{self, Means, NewSession};
use crate::{Status, Visit, people};

/// Begins a session of the person, good within this place alone; `None` where they may not sign in.
pub async fn sign_in(
    conn: &mut PgConnection,
    (person_id, within): (Uuid, Uuid),
    visit: &Visit,
    now: Timestamp,
) -> sqlx::Result<Option<NewSession>> {
    let person = people::get(conn, person_id).await?;
    if person.is_none_or(|person| person.status != Status::Active) {
        return Ok(None);
    }
    let by = (person_id, Means::Provider(within));
    let session = sessions::begin(conn, by, visit, now).await?;
    events::record(conn, Kind::SignedInByProvider, person_id, 0, visit, now).await?;
    Ok(Some(session))
}
