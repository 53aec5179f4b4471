//! The admin link: one for who comes first, and another one whenever somebody asks for it. What its
//! secret is made from is derived from what the status says, so that a turn which ended anywhere is
//! gone on with, and never makes a second link.

use std::time::Duration;

use blueprint::status::{AdminLinkStatus, DatabaseStatus};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::{Objects, Plan, SecretKey, Secrets};
use secrecy::{ExposeSecret as _, SecretString};

use super::apply::{Filled, Turn};
use super::conditions::Conditions;
use super::{Driver, Failure};
use crate::databases::{AdminLink, DatabaseError, For, Server};
use crate::kind::Kind;

/// The annotation of a blueprint by which an owner who lost the way in is let in again: any text
/// that it did not have before.
pub const ADMIN_LINK: &str = "soulfra.io/admin-link";

/// So long a link can be used.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);
/// What could not be done is tried after this time.
const TRIES_AGAIN: Duration = Duration::from_secs(30);
/// Whether it was used is looked at after this time.
const LOOKS_AGAIN: Duration = Duration::from_mins(5);

impl Driver {
    /// Notes for the status how the link stands as far as that is known without asking anybody.
    /// Whether it may be good.
    pub(super) fn note_admin_link(&self, turn: &mut Turn<'_>, plan: &Plan<'_>) -> bool {
        let notes = plan.blueprint.metadata.annotations.as_ref();
        let asked = notes.and_then(|notes| notes.get(ADMIN_LINK)).cloned().unwrap_or_default();
        let now = self.clock.now();
        let known = turn.admin_link.take().filter(|link| link.asked == asked);
        let link = match known {
            Some(AdminLinkStatus { until: Some(until), .. }) if until.0 <= now => {
                AdminLinkStatus { asked, until: None }
            }
            Some(known) => known,
            None => {
                // As it will be read again.
                let until = now + GOOD_FOR;
                let until = until.round(jiff::Unit::Second).unwrap_or(until);
                AdminLinkStatus { asked, until: Some(Time(until)) }
            }
        };
        let may_be_good = link.until.is_some();
        turn.admin_link = Some(link);
        may_be_good
    }

    /// Makes the link that the status speaks of, and hands it out; takes it away once it was used.
    /// Last in a turn, and nothing else waits for it: `objects` are those with the link, `wanted`
    /// those without.
    pub(super) async fn hand_out_link(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
        server: &Server,
        database: DatabaseStatus,
        (objects, wanted): (Objects, Vec<Filled>),
    ) -> Result<(), Failure> {
        let made = self.make_link(turn, plan, server, &database).await;
        match made {
            Ok(Some(url)) => {
                let secrets = Secrets::default().with(SecretKey::AdminLink, url);
                let filled = objects.iter().filter_map(|it| Filled::of(it, &secrets).ok());
                let is_link = |it: &Filled| {
                    it.id.kind == Kind::Secret && *it.id.name == *SecretKey::AdminLink.place().0
                };
                turn.apply(&filled.filter(is_link).collect::<Vec<_>>()).await
            }
            Ok(None) => {
                turn.prune(&wanted, false).await?;
                self.tell_progress(turn, plan, Some(database), Conditions::default()).await
            }
            Err(error) => {
                tracing::warn!(tenant = turn.name, %error, "the admin link was not looked at");
                turn.is_unsettled = true;
                turn.done.look_again(TRIES_AGAIN);
                Ok(())
            }
        }
    }

    /// The address of the link, as long as it can be used.
    async fn make_link(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
        server: &Server,
        database: &DatabaseStatus,
    ) -> Result<Option<SecretString>, DatabaseError> {
        let Some(AdminLinkStatus { asked, until: Some(until) }) = turn.admin_link.clone() else {
            return Ok(None);
        };
        let (until, now) = (until.0, self.clock.now());
        let uid = plan.blueprint.metadata.uid.as_deref().unwrap_or_default();
        let bits = self.key.derive(&format!("admin-link:{}:{uid}:{until}", plan.name));
        let number = database.passwords.as_ref().map_or(0, |known| known.number);
        let whom = if asked.is_empty() { For::FirstOwner } else { For::Whoever };
        let link = AdminLink { bits, whom, until, now, number };
        let Some(path) = self.databases.admin_link(server, &plan.name, link).await? else {
            turn.admin_link = Some(AdminLinkStatus { asked, until: None });
            return Ok(None);
        };
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        turn.done.look_again(left.min(LOOKS_AGAIN));
        let host = plan.hosts().into_iter().next().map(|host| host.value).unwrap_or_default();
        Ok(Some(format!("https://{host}{}", path.expose_secret()).into()))
    }
}
