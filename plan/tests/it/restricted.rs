//! Every pod passes the `restricted` pod security standard, checked by hand.

use serde_json::Value;

use crate::generate::planned;

const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Everything in which a pod breaks the standard, as the API server would say it.
pub fn violations(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            found.push(what.to_owned());
        }
    };
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        must(pod[host] != true, host);
    }
    must(pod["hostUsers"] != true, "hostUsers");
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let kinds: Vec<_> =
            volume.as_object().unwrap().keys().filter(|key| *key != "name").collect();
        must(kinds.len() == 1 && VOLUMES.contains(&kinds[0].as_str()), "volumes");
    }
    let context = &pod["securityContext"];
    must(context["sysctls"].is_null(), "sysctls");
    must(context["windowsOptions"].is_null(), "windowsOptions");
    must(context["seLinuxOptions"].is_null(), "seLinuxOptions");
    must(context["runAsUser"] != 0, "runAsUser");
    let profile = |context: &Value| {
        ["RuntimeDefault", "Localhost"]
            .iter()
            .any(|kind| context["seccompProfile"]["type"] == *kind)
    };
    let groups = ["containers", "initContainers", "ephemeralContainers"];
    let containers = groups.iter().flat_map(|group| pod[group].as_array().into_iter().flatten());
    for container in containers {
        let own = &container["securityContext"];
        must(own["privileged"] != true, "privileged");
        must(own["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation");
        must(own["capabilities"]["drop"] == serde_json::json!(["ALL"]), "capabilities.drop");
        must(own["capabilities"]["add"].is_null(), "capabilities.add");
        must(own["procMount"].is_null(), "procMount");
        must(own["runAsUser"] != 0, "runAsUser of a container");
        let nobody = &own["runAsNonRoot"];
        must(
            *nobody == true || (nobody.is_null() && context["runAsNonRoot"] == true),
            "runAsNonRoot",
        );
        must(
            profile(own) || (own["seccompProfile"].is_null() && profile(context)),
            "seccompProfile",
        );
        for port in container["ports"].as_array().into_iter().flatten() {
            must(port["hostPort"].is_null(), "hostPort");
        }
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            must(container[probe]["httpGet"]["host"].is_null(), "host of a probe");
        }
        // Beyond the standard: ours cannot write their image either.
        must(own["readOnlyRootFilesystem"] == true, "readOnlyRootFilesystem");
    }
    must(pod["automountServiceAccountToken"] == false, "automountServiceAccountToken");
    found
}

#[test]
fn every_pod_passes_the_restricted_standard() {
    let mut pods = 0;
    for generated in planned(2_000, 0x5eed_0101) {
        for object in &generated.plan().unwrap().objects() {
            let shown = object.shown();
            if object.id().kind == "Deployment" {
                let pod = &shown["spec"]["template"]["spec"];
                assert_eq!(violations(pod), [""; 0], "{}", object.id());
                pods += 1;
            }
        }
    }
    println!("counted: {pods} pods of 2000 blueprints pass the restricted standard");
    assert!(pods > 2_000);
}

#[test]
fn the_checker_finds_what_it_must() {
    let bad = serde_json::json!({
        "hostNetwork": true,
        "volumes": [{"name": "x", "hostPath": {"path": "/"}}],
        "securityContext": {"runAsUser": 0},
        "containers": [{"securityContext": {"privileged": true}, "ports": [{"hostPort": 80}]}],
    });
    let found = violations(&bad);
    for what in [
        "hostNetwork",
        "volumes",
        "runAsUser",
        "privileged",
        "allowPrivilegeEscalation",
        "capabilities.drop",
        "runAsNonRoot",
        "seccompProfile",
        "hostPort",
        "readOnlyRootFilesystem",
        "automountServiceAccountToken",
    ] {
        assert!(found.iter().any(|told| told == what), "{what}: {found:?}");
    }
}
