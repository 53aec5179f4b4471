//! The status tells the truth: what is there and what is not, and nothing that was only wished.

use blueprint::spec::Placement;
use blueprint::status::{BlueprintStatus, DatabaseStatus, Phase, RuntimeStatus};
use plan::Plan;
use plan::decide::{Models, ReplicasOwner};

use super::apply::Turn;
use super::conditions::{Conditions, Is, Said, find, ours};
use super::{Driver, Failure, gpu, names};
use crate::cluster::Told;
use crate::seen::{Resource, Rollout};

/// The Deployment that serves people, and the one that serves models.
pub(super) const RUNTIME: &str = "runtime";
pub(super) const INFERENCE: &str = "inference";

impl Driver {
    /// How far everything is.
    pub(super) async fn tell_progress(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
        database: Option<DatabaseStatus>,
        mut conditions: Conditions,
    ) -> Result<(), Failure> {
        if let Some(said) = self.lacks_gpu(turn, plan).await {
            conditions.say(said);
        }
        let rollout = turn.tenant.rollout(RUNTIME).cloned();
        conditions.say(match &database {
            Some(it) if it.schema_version.is_some() => {
                Said::yes("DatabaseReady", "Made", format!("{} on {}", it.name, it.server))
            }
            Some(it) if it.placement == Placement::Dedicated => {
                Said::no("DatabaseReady", "NoAccessYet", "its own server is not ready")
            }
            _ => Said::no("DatabaseReady", "Making", "the database is being made"),
        });
        conditions.say(runtime(plan, rollout.as_ref()));
        conditions.say(models(plan, turn.tenant.rollout(INFERENCE)));
        let names = turn.names.as_ref();
        match names {
            Some(names) => names.said.iter().cloned().for_each(|said| conditions.say(said)),
            None if self.domains.is_some() => as_before(plan, &mut conditions),
            None => not_looked_after(plan).into_iter().for_each(|said| conditions.say(said)),
        }
        let domains = names.map(|names| names.domains.clone());
        // Of graphics processors the cluster itself was asked.
        let notices = plan.notices.iter().filter(|notice| notice.reason != gpu::REASON);
        notices.for_each(|notice| conditions.note(&notice.message));
        let before = plan.blueprint.status.as_ref();
        if turn.are_names_away {
            conditions.note(names::AWAY);
        }
        // Where nobody looked, it is met where it was.
        let url = match names {
            Some(names) => names.primary_host.clone(),
            None => before
                .and_then(|before| before.url.as_ref()?.strip_prefix("https://"))
                .map(str::to_owned),
        };
        let url = url.unwrap_or_else(|| plan.own_host());
        conditions.sum_up();
        let phase = phase(plan, rollout.as_ref(), &conditions);
        let status = BlueprintStatus {
            observed_generation: plan.blueprint.metadata.generation,
            url: Some(format!("https://{url}")),
            phase: Some(phase),
            plan: Some(plan.pays.value),
            domains: domains
                .or_else(|| before.map(|before| before.domains.clone()))
                .unwrap_or_default(),
            database: database.or_else(|| before?.database.clone()),
            admin_link: turn.admin_link.clone(),
            runtime: rollout.as_ref().map(|rollout| RuntimeStatus {
                version: rollout.version.as_deref().unwrap_or_default().to_owned(),
                replicas: rollout.ready,
                awake: rollout.wanted > 0,
            }),
            conditions: Vec::new(),
            ..BlueprintStatus::default()
        };
        self.tell(turn, status, &conditions).await
    }

    /// Nothing is done until it is no longer paused.
    pub(super) async fn tell_paused(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
    ) -> Result<(), Failure> {
        let message = "nothing is changed until spec.paused is false";
        let mut conditions = Conditions::default();
        let before = plan.blueprint.status.clone().unwrap_or_default();
        let was_ready = find(&before, "Ready").is_some_and(|it| it.status == "True");
        let is = if was_ready { Is::True } else { Is::Unknown };
        conditions.say(Said::new("Ready", is, "Paused", message));
        let status = BlueprintStatus {
            observed_generation: plan.blueprint.metadata.generation,
            ..written_by_us(&before)
        };
        self.tell(turn, status, &conditions).await
    }

    /// What was asked for is not done, for this reason.
    pub(super) async fn tell_refused(
        &self,
        turn: &mut Turn<'_>,
        resource: &Resource,
        reason: &'static str,
        message: String,
    ) -> Result<(), Failure> {
        let told = Told { is_warning: true, reason, message: message.clone() };
        self.cluster.tell(turn.name, resource, told).await;
        let conditions = Conditions::with(Said::no("Ready", reason, message));
        let before = resource.status().cloned().unwrap_or_default();
        let serves = before.runtime.as_ref().is_some_and(|runtime| runtime.replicas > 0);
        let status = BlueprintStatus {
            observed_generation: resource.metadata().generation,
            phase: Some(if serves { Phase::Degraded } else { Phase::Pending }),
            ..written_by_us(&before)
        };
        self.tell(turn, status, &conditions).await
    }

    /// Writes the status where it is another one.
    async fn tell(
        &self,
        turn: &mut Turn<'_>,
        mut status: BlueprintStatus,
        conditions: &Conditions,
    ) -> Result<(), Failure> {
        let Some(resource) = turn.tenant.resource.clone() else { return Ok(()) };
        let before = resource.status();
        let generation = status.observed_generation;
        status.conditions = conditions.written(before, generation, self.clock.now());
        let before = before.map(written_by_us);
        if before.as_ref() == Some(&status) {
            return Ok(());
        }
        let was_ready = before.as_ref().and_then(|before| find(before, "Ready"));
        let is_ready = conditions.is("Ready");
        if is_ready && was_ready.is_none_or(|it| it.status != "True") {
            let message = format!("serving at {}", status.url.as_deref().unwrap_or_default());
            let told = Told { is_warning: false, reason: "Ready", message };
            self.cluster.tell(turn.name, &resource, told).await;
        }
        // Plain values: there is nothing to fail.
        let status = serde_json::to_value(&status).unwrap_or_default();
        turn.write_status(&resource, &status).await
    }
}

/// What of a status is ours to write.
fn written_by_us(status: &BlueprintStatus) -> BlueprintStatus {
    BlueprintStatus { account: None, usage: None, conditions: ours(status), ..status.clone() }
}

fn runtime(plan: &Plan<'_>, rollout: Option<&Rollout>) -> Said {
    const KIND: &str = "RuntimeReady";
    if let Some(why) = &plan.copies.stopped {
        return Said::no(KIND, "Suspended", format!("no copy runs: {why}"));
    }
    let Some(rollout) = rollout else {
        return Said::no(KIND, "Making", "no copy was started yet");
    };
    if let Some((reason, message)) = &rollout.stuck {
        return Said::no(KIND, reason, message.as_str());
    }
    let sleeps = plan.copies.owner == ReplicasOwner::Edge && rollout.wanted == 0;
    if sleeps {
        return Said::yes(KIND, "Sleeping", "the next visitor wakes it");
    }
    let Rollout { wanted, updated, ready, .. } = *rollout;
    if rollout.has_ended() {
        return Said::yes(KIND, "Serving", format!("{ready} of {wanted} copies serve"));
    }
    let message = format!("{ready} of {wanted} copies serve, {updated} of them are new");
    if ready > 0 && ready >= wanted {
        // Old copies serve until new ones do.
        return Said::yes(KIND, "RollingOut", message);
    }
    Said::no(KIND, "Starting", message)
}

fn models(plan: &Plan<'_>, rollout: Option<&Rollout>) -> Said {
    const KIND: &str = "InferenceReady";
    if let (Models::Dedicated(_), Some(why)) = (&plan.models, &plan.copies.stopped) {
        return Said::no(KIND, "Suspended", format!("its own model server does not run: {why}"));
    }
    match (&plan.models, rollout) {
        (Models::Shared(server), _) => {
            Said::yes(KIND, "Shared", format!("asks {}", server.value.name))
        }
        (Models::Dedicated(_), Some(rollout)) => match &rollout.stuck {
            Some((reason, message)) => Said::no(KIND, reason, message.as_str()),
            None if rollout.is_current && rollout.ready > 0 => {
                Said::yes(KIND, "Serving", "its own model server answers")
            }
            None => Said::no(KIND, "Starting", "its own model server does not answer yet"),
        },
        (Models::Dedicated(_), None) => {
            Said::no(KIND, "Making", "its own model server was not started yet")
        }
    }
}

/// Where names were not looked at yet in this turn.
fn as_before(plan: &Plan<'_>, conditions: &mut Conditions) {
    for kind in ["DomainsReady", "CertificatesReady"] {
        let before = plan.blueprint.status.as_ref().and_then(|status| find(status, kind));
        conditions.say(match before {
            Some(before) => {
                let is = match before.status.as_str() {
                    "True" => Is::True,
                    "False" => Is::False,
                    _ => Is::Unknown,
                };
                Said::new(kind, is, &*before.reason, &*before.message)
            }
            None => Said::new(kind, Is::Unknown, "NotLookedAt", "nobody has looked yet"),
        });
    }
}

/// In an installation that looks after no domains.
fn not_looked_after(plan: &Plan<'_>) -> [Said; 2] {
    if plan.blueprint.spec.domains.is_empty() {
        return [
            Said::yes("DomainsReady", "Shared", "served below the installation's own domain"),
            Said::yes(
                "CertificatesReady",
                "Shared",
                "served under the installation's own certificate",
            ),
        ];
    }
    let message = "this installation looks after no domains: its operator's settings have none";
    ["DomainsReady", "CertificatesReady"]
        .map(|kind| Said::new(kind, Is::Unknown, "NotLookedAt", message))
}

fn phase(plan: &Plan<'_>, rollout: Option<&Rollout>, conditions: &Conditions) -> Phase {
    let before = plan.blueprint.status.as_ref();
    let was_ready = before
        .is_some_and(|it| !matches!(it.phase, None | Some(Phase::Pending | Phase::Provisioning)));
    if plan.copies.stopped.is_some() {
        return Phase::Suspended;
    }
    if conditions.is("RuntimeReady") && rollout.is_some_and(|rollout| rollout.wanted == 0) {
        return Phase::Sleeping;
    }
    let ran = before.and_then(|status| status.runtime.as_ref()).map(|it| it.version.as_str());
    let was_moving = before.is_some_and(|status| status.phase == Some(Phase::Upgrading));
    let other = was_moving || ran.is_some_and(|ran| ran != plan.version.value.to_string());
    let rolls = rollout.is_some_and(|rollout| !rollout.has_ended());
    match (conditions.is("Ready"), was_ready) {
        (true, true) if other && rolls => Phase::Upgrading,
        (true, _) => Phase::Ready,
        (false, true) if rolls => Phase::Upgrading,
        (false, true) => Phase::Degraded,
        (false, false) => Phase::Provisioning,
    }
}
