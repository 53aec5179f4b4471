//! What the programs of the real node are told: their files, as texts.

use serde_json::{Value, json};

use super::access::kubeconfig;
use super::certificates::AUTHORITY;
use super::groups;
use super::images::PAUSE;
use super::layout::{Layout, PODS};

pub(crate) fn containerd(layout: &Layout) -> String {
    format!(
        r#"version = 2
root = "{storage}"
state = "{state}"
# It would make a folder in /opt.
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Without CAP_SYS_RESOURCE runc cannot make a process harder to kill than itself.
  restrict_oom_score_adj = true
  disable_tcp_service = true
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{networks}"
"#,
        storage = layout.text("containerd"),
        state = layout.text("containerd-state"),
        socket = layout.containerd(),
        networks = layout.text("cni"),
    )
}

/// Pods get an address on one bridge. None has a port of the node: that takes iptables.
pub(crate) fn pod_network() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "cluster",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "ipMasq": false,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{ "subnet": PODS }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    })
}

pub(crate) fn kubelet(layout: &Layout) -> Value {
    let socket = format!("unix://{}", layout.containerd());
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        // Only the API server's certificate opens it, and opens all of it.
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": false },
            "x509": { "clientCAFile": layout.text(AUTHORITY) },
        },
        "authorization": { "mode": "AlwaysAllow" },
        "containerRuntimeEndpoint": socket,
        "imageServiceEndpoint": socket,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": groups::root(&layout.name),
        "failCgroupV1": false,
        "failSwapOn": false,
        "localStorageCapacityIsolation": false,
        "makeIPTablesUtilChains": false,
        "clusterDomain": "cluster.local",
        "clusterDNS": [layout.address],
        "resolvConf": layout.text("resolv.conf"),
        "maxPods": 500,
        // The disk is the machine's: how full it is says nothing about the cluster, and images
        // that were put there by hand cannot be fetched again.
        "evictionHard": {
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
    })
}

/// Names of services; every other name does not exist, which is quicker than silence.
pub(crate) fn corefile(layout: &Layout) -> String {
    let (address, config) = (layout.address, layout.text(&kubeconfig("coredns")));
    format!(
        "cluster.local:53 in-addr.arpa:53 {{\n    \
             bind {address}\n    \
             errors\n    \
             kubernetes cluster.local in-addr.arpa {{\n        \
                 kubeconfig {config}\n    \
             }}\n\
         }}\n\
         .:53 {{\n    \
             bind {address}\n    \
             template ANY ANY {{\n        \
                 rcode NXDOMAIN\n    \
             }}\n\
         }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::layout;

    #[test]
    fn what_a_start_failed_without_is_told_to_containerd() {
        let settings = containerd(&layout::example());
        for line in [
            "restrict_oom_score_adj = true",
            "SystemdCgroup = false",
            "bin_dir = \"/usr/lib/cni\"",
            "sandbox_image = \"registry.test/pause:1\"",
            "address = \"/clusters/dev/containerd.sock\"",
        ] {
            assert!(settings.contains(line), "{settings}");
        }
    }

    #[test]
    fn what_a_start_failed_without_is_told_to_kubelet() {
        let settings = kubelet(&layout::example());
        for (key, value) in [
            ("failCgroupV1", json!(false)),
            ("failSwapOn", json!(false)),
            ("localStorageCapacityIsolation", json!(false)),
            ("cgroupDriver", json!("cgroupfs")),
            ("cgroupRoot", json!("/soulfra-dev")),
            ("resolvConf", json!("/clusters/dev/resolv.conf")),
            ("clusterDNS", json!(["198.18.7.2"])),
        ] {
            assert_eq!(settings[key], value, "{key}");
        }
        assert_eq!(settings["authentication"]["anonymous"]["enabled"], false);
    }

    #[test]
    fn names_of_services_are_answered_and_no_others() {
        let expected = "cluster.local:53 in-addr.arpa:53 {\n    \
            bind 198.18.7.2\n    errors\n    kubernetes cluster.local in-addr.arpa {\n        \
            kubeconfig /clusters/dev/kubeconfig.coredns\n    }\n}\n.:53 {\n    \
            bind 198.18.7.2\n    template ANY ANY {\n        rcode NXDOMAIN\n    }\n}\n";
        assert_eq!(corefile(&layout::example()), expected);
    }
}
