//! What is seen of a platform of this machine, as an operator would tell it.

use blueprint::status::{BlueprintStatus, Phase, RuntimeStatus};
use blueprint::{BlueprintName, BlueprintSpec, PlatformBlueprint};
use control_plane::cluster::{MANAGED_BY, PLATFORM, RECHECK, UNDELETE, Writer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::local::Trouble;
use super::resources::{Resource, Starts};

/// What runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Runs {
    /// What it runs by.
    pub spec: BlueprintSpec,
    /// Where it answers.
    pub site: String,
}

/// A blueprint with what is known of it.
pub fn shown(
    name: &BlueprintName,
    resource: &Resource,
    status: Option<BlueprintStatus>,
) -> PlatformBlueprint {
    let mut shown = PlatformBlueprint::new(name.as_str(), resource.spec.clone());
    shown.metadata.uid = Some(resource.uid.to_string());
    shown.metadata.generation = Some(resource.generation);
    let writer = if resource.released { Writer::Kubectl } else { Writer::ControlPlane };
    let label = (MANAGED_BY.to_owned(), writer.word().to_owned());
    shown.metadata.labels = Some([label].into());
    let platform = resource.platform.iter().map(|id| (PLATFORM.to_owned(), id.clone()));
    let back = resource.undeleted.then(|| (UNDELETE.to_owned(), "true".to_owned()));
    let recheck = resource.recheck.map(|at| (RECHECK.to_owned(), at.to_string()));
    shown.metadata.annotations = Some(platform.chain(back).chain(recheck).collect());
    let account = resource.account.clone();
    shown.status = Some(BlueprintStatus { account, ..status.unwrap_or_default() });
    shown
}

/// The same with how it is just now.
pub fn as_seen(
    name: &BlueprintName,
    resource: &Resource,
    runs: Option<&Runs>,
    trouble: Option<&Trouble>,
) -> PlatformBlueprint {
    let is_applied = runs.is_some_and(|runs| runs.spec == resource.spec);
    let (phase, reason, message) = match (runs, trouble) {
        (Some(_), _) if is_applied => {
            (Phase::Ready, "Ready", "It runs on this machine.".to_owned())
        }
        (Some(_), _) => {
            (Phase::Upgrading, "Changing", "Its blueprint was changed just now.".to_owned())
        }
        (None, _) if resource.spec.suspended => {
            (Phase::Suspended, "Suspended", "Its blueprint says so. Its data is kept.".to_owned())
        }
        (None, _) if resource.starts == Starts::ByCommand => {
            let how = format!("It is stopped. Start it: create-ai-platform {name}");
            (Phase::Suspended, "Stopped", how)
        }
        (None, Some(trouble)) => (Phase::Provisioning, "Failed", trouble.what.clone()),
        (None, None) => (Phase::Provisioning, "Starting", "It is being started.".to_owned()),
    };
    let known =
        |generation: i64| if runs.is_some() && !is_applied { generation - 1 } else { generation };
    let ready = |of: &str, message: &str| {
        condition(of, runs.is_some(), (reason, message), known(resource.generation))
    };
    let mut conditions = vec![
        ready("DatabaseReady", &message),
        ready("RuntimeReady", &message),
        condition("Ready", phase == Phase::Ready, (reason, &message), known(resource.generation)),
    ];
    if !resource.spec.domains.is_empty() {
        let why = "Names of its own are for going live: on this machine it answers at its address.";
        conditions.push(condition(
            "DomainsReady",
            false,
            ("OnThisMachine", why),
            resource.generation,
        ));
    }
    let status = BlueprintStatus {
        observed_generation: Some(known(resource.generation)),
        url: runs.map(|runs| runs.site.clone()),
        phase: Some(phase),
        plan: resource.account.as_ref().map(|account| account.plan).or(resource.spec.plan),
        runtime: runs.map(|_| RuntimeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            replicas: 1,
            awake: true,
        }),
        conditions,
        ..BlueprintStatus::default()
    };
    shown(name, resource, Some(status))
}

fn condition(of: &str, holds: bool, (reason, message): (&str, &str), generation: i64) -> Condition {
    Condition {
        type_: of.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: Some(generation),
        // Nobody reads here since when: it would make each look another one.
        last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
    }
}
