//! The admin link: one for who comes first, and another one whenever somebody asks for it. What its
//! secret is made from is derived from what the status says, so that a turn which ended anywhere is
//! gone on with, and never makes a second link.

use std::time::Duration;

use blueprint::status::{AdminLinkStatus, DatabaseStatus};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::Plan;
use secrecy::{ExposeSecret as _, SecretString};

use super::apply::Turn;
use super::{Driver, Failure};
use crate::databases::{AdminLink, For, Server};

/// The annotation of a blueprint by which an owner who lost the way in is let in again: any text
/// that it did not have before.
pub const ADMIN_LINK: &str = "soulfra.io/admin-link";

/// So long a link can be used.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Whether it was used is looked at after this time.
const LOOKS_AGAIN: Duration = Duration::from_mins(5);

impl Driver {
    /// The address of the platform's admin link, as long as it can be used. One that is new is only
    /// noted, for the status to say: the next turn makes it.
    pub(super) async fn admin_link(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
        server: &Server,
        database: &DatabaseStatus,
    ) -> Result<Option<SecretString>, Failure> {
        let metadata = &plan.blueprint.metadata;
        let asked = metadata.annotations.as_ref().and_then(|notes| notes.get(ADMIN_LINK));
        let asked = asked.cloned().unwrap_or_default();
        let now = self.clock.now();
        let until = match turn.admin_link.as_ref().filter(|link| link.asked == asked) {
            Some(AdminLinkStatus { until: None, .. }) => return Ok(None),
            Some(AdminLinkStatus { until: Some(until), .. }) => until.0,
            None => {
                // As it will be read again.
                let until = now + GOOD_FOR;
                let until = until.round(jiff::Unit::Second).unwrap_or(until);
                turn.admin_link = Some(AdminLinkStatus { asked, until: Some(Time(until)) });
                turn.done.look_again(Duration::ZERO);
                return Ok(None);
            }
        };
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let bits = self.key.derive(&format!("admin-link:{}:{uid}:{until}", plan.name));
        let number = database.passwords.as_ref().map_or(0, |known| known.number);
        let whom = if asked.is_empty() { For::FirstOwner } else { For::Whoever };
        let link = AdminLink { bits, whom, until, now, number };
        let path = self.databases.admin_link(server, &plan.name, link).await?;
        let Some(path) = path else {
            turn.admin_link = Some(AdminLinkStatus { asked, until: None });
            return Ok(None);
        };
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        turn.done.look_again(left.min(LOOKS_AGAIN));
        let host = plan.hosts().into_iter().next().map(|host| host.value).unwrap_or_default();
        Ok(Some(format!("https://{host}{}", path.expose_secret()).into()))
    }
}
