//! When certificates are to be renewed, in the words of their authorities (RFC 9773). A certificate
//! that an authority takes back is so renewed before its visitors notice, and of renewals at their
//! time none counts against its limits.

use futures::{StreamExt as _, stream};
use instant_acme::CertificateIdentifier;
use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;

use super::advance::Issuer;
use super::table::{self, Asked};
use crate::acme::{Trouble, again};

/// Questions to authorities under way at once.
const AT_ONCE: usize = 8;
/// Nobody is asked about the same certificate more often, or more seldom, whatever is said.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// From when to when one is to be renewed, and when to ask again.
struct Said {
    start: Timestamp,
    end: Timestamp,
    ask_at: Timestamp,
}

impl Issuer {
    /// Asks about certificates that are to be asked about by now, at most so many; returns how
    /// many.
    ///
    /// # Errors
    /// The database.
    pub async fn ask_when(&self, most: i64) -> sqlx::Result<usize> {
        let now = self.clock.now();
        let mut conn = self.db.acquire().await?;
        let due = table::due_for_asking(&mut conn, most, now).await?;
        drop(conn);
        let count = due.len();
        stream::iter(due).for_each_concurrent(AT_ONCE, |asked| self.ask(asked, now)).await;
        Ok(count)
    }

    /// Without an answer it is asked again in half a day, and renewed when it would have been.
    async fn ask(&self, asked: Asked, now: Timestamp) {
        let done = async {
            let Said { start, end, ask_at } = self.said(&asked, now).await?;
            // Somewhere in between, so that not all that were ordered together come together.
            let within = rand::rng().random_range(start.as_second()..end.as_second());
            let at = Timestamp::from_second(within).unwrap_or(start);
            let mut conn = self.db.acquire().await?;
            table::renew_within(&mut conn, asked.id, [start, at, end], ask_at).await?;
            Ok::<(), Trouble>(())
        };
        if let Err(trouble) = done.await {
            tracing::debug!(name = asked.name, %trouble, "its authority does not say when to renew");
        }
    }

    async fn said(&self, asked: &Asked, now: Timestamp) -> Result<Said, Trouble> {
        let gone = || Trouble::Gone("its authority is not in the settings".to_owned());
        let mut all = self.settings.authorities.iter();
        let authority = all.find(|it| it.name == asked.authority).ok_or_else(gone)?;
        let account = self.accounts.at(authority, now).await.map_err(|none| none.why)?;
        let (key, serial) = asked.identifier.split_once('.').ok_or_else(gone)?;
        let certificate =
            CertificateIdentifier { authority_key_identifier: key.into(), serial: serial.into() };
        let (said, after) = again!(account.renewal_info(&certificate))?;
        let at = |seconds| {
            Timestamp::from_second(seconds)
                .map_err(|error| Trouble::Silent(format!("it says a strange time: {error}")))
        };
        let window = said.suggested_window;
        let (start, end) = (at(window.start.unix_timestamp())?, at(window.end.unix_timestamp())?);
        if end <= start {
            return Err(Trouble::Silent("it says a time that ends before it begins".to_owned()));
        }
        let after = SignedDuration::try_from(after).unwrap_or(LONGEST).clamp(SHORTEST, LONGEST);
        Ok(Said { start, end, ask_at: now + after })
    }
}
