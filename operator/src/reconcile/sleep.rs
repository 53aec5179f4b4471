//! How many copies there are where our objects leave that open: a platform that nobody uses is let
//! sleep, one whose work is due is woken, and who is awake has as many copies as its blueprint says.

use std::time::Duration;

use jiff::Timestamp;
use plan::Plan;
use plan::decide::ReplicasOwner;

use super::apply::Turn;
use super::names::ASKS_AGAIN;
use super::status::RUNTIME;
use super::{Driver, Failure};
use crate::databases::Server;
use crate::domains::DomainsError;

/// Where nobody knows who is used, it is asked again after this time.
const ASKS_EDGES_AGAIN: Duration = Duration::from_mins(1);
/// Whoever sleeps until work is due has a turn after this time all the same: what was pushed by
/// the last copy as it ended is found then.
const LOOKS_AT_SLEEPERS: Duration = Duration::from_mins(10);

impl Driver {
    /// Takes over what our objects said before and say no longer. It comes before they are applied:
    /// without it, copies would fall to one.
    pub(super) async fn take_copies_over(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
    ) -> Result<(), Failure> {
        let is_left_open =
            plan.copies.stopped.is_none() && plan.copies.owner != ReplicasOwner::Operator;
        let rollout = turn.tenant.rollout(RUNTIME);
        let said = rollout.filter(|rollout| rollout.is_ours && rollout.wanted > 0);
        match said.map(|rollout| rollout.wanted) {
            Some(wanted) if is_left_open => {
                turn.scale(RUNTIME, wanted.max(plan.copies.min.value.into())).await
            }
            _ => Ok(()),
        }
    }

    /// Lets a platform sleep, or wakes it, where that is not for its objects to say.
    pub(super) async fn let_sleep_or_wake(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
        server: &Server,
        number: u32,
    ) -> Result<(), Failure> {
        let after = plan.blueprint.spec.runtime.scale_to_zero_after.as_ref();
        if plan.copies.stopped.is_some() || plan.copies.owner == ReplicasOwner::Operator {
            return Ok(());
        }
        if turn.tenant.home().is_none_or(|(_, home)| home.deleted.is_some()) {
            // It is on its way back.
            return Ok(());
        }
        let Some(rollout) = turn.tenant.rollout(RUNTIME).cloned() else { return Ok(()) };
        let copies = i32::from(plan.copies.min.value);
        let now = self.clock.now();
        let Some(after) = after.map(blueprint::Wait::duration) else {
            // It slept when it was to sleep no more: no autoscaler wakes anybody.
            return match rollout.wanted {
                0 => turn.scale(RUNTIME, copies).await,
                _ => Ok(()),
            };
        };
        if rollout.wanted == 0 {
            // Where its database does not answer, it would wake to nothing.
            let due = self.databases.next_due(server, &plan.name, number).await;
            match due {
                Ok(Some(due)) if due <= now => return turn.scale(RUNTIME, copies).await,
                Ok(Some(due)) => turn.done.look_again(until(due, now).min(LOOKS_AT_SLEEPERS)),
                Ok(None) => turn.done.look_again(LOOKS_AT_SLEEPERS),
                Err(error) => {
                    tracing::warn!(tenant = turn.name, %error, "when its work is due is not known");
                    turn.done.look_again(ASKS_AGAIN);
                }
            }
            return Ok(());
        }
        if rollout.wanted < copies {
            return turn.scale(RUNTIME, copies).await;
        }
        let Some(domains) = &self.domains else { return Ok(()) };
        let Some(uid) = turn.tenant.resource.as_ref().map(|resource| resource.uid) else {
            return Ok(());
        };
        if turn.are_names_away {
            return Ok(());
        }
        let quiet = match domains.quiet_since(uid).await {
            Ok(quiet) => quiet,
            Err(DomainsError::Fenced) => return Err(DomainsError::Fenced.into()),
            Err(error) => {
                tracing::warn!(tenant = turn.name, %error, "who is used is not known");
                None
            }
        };
        let Some(quiet) = quiet else {
            turn.done.look_again(ASKS_EDGES_AGAIN);
            return Ok(());
        };
        let quiet_for = Duration::try_from(now.duration_since(quiet)).unwrap_or_default();
        if quiet_for < after {
            turn.done.look_again(after.saturating_sub(quiet_for));
            return Ok(());
        }
        if !rollout.has_ended() {
            // It is told when that has ended.
            return Ok(());
        }
        match self.databases.next_due(server, &plan.name, number).await {
            // It would be woken before it has slept for as long.
            Ok(Some(due)) if until(due, now) < after => {
                turn.done.look_again(until(due, now) + after);
                return Ok(());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(tenant = turn.name, %error, "when its work is due is not known");
                turn.done.look_again(ASKS_AGAIN);
                return Ok(());
            }
        }
        // Edges first: from then on they wake it before they ask it.
        if domains.let_sleep(uid, quiet).await? {
            tracing::info!(tenant = turn.name, "falls asleep");
            turn.scale(RUNTIME, 0).await
        } else {
            turn.done.look_again(ASKS_EDGES_AGAIN);
            Ok(())
        }
    }
}

/// How long it is until then; nothing, where that is over.
fn until(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}
