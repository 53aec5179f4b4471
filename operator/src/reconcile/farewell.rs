//! What whoever deletes a platform is told: that it stopped, and how it comes back.

use super::Driver;
use super::apply::Turn;
use super::stage::{UNDELETE, kept_until};
use crate::cluster::Told;
use crate::seen::Resource;

impl Driver {
    /// Its blueprint is gone, and events of it stay a while.
    pub(super) async fn tell_stopped(&self, turn: &Turn<'_>, resource: &Resource) {
        let stone = turn.tenant.home().and_then(|(_, home)| home.deleted.as_ref());
        let Some(stone) = stone else { return };
        let name = turn.name;
        let message = format!(
            "stopped; its data is kept {}. To bring it back: apply its blueprint again, then \
             kubectl annotate pb {name} {UNDELETE}=true",
            kept_until(stone)
        );
        self.cluster
            .tell(name, resource, Told { is_warning: false, reason: "Stopped", message })
            .await;
    }
}
