//! The arguments of what every cluster has, etcd and API server, and of what makes and places
//! pods: controllers, scheduler, and kwok, which plays the nodes they run on.

use std::path::Path;

use super::access::{TOKENS, kubeconfig};
use super::certificates::{ACCOUNTS, AUTHORITY, SERVER, TO_KUBELET};
use super::layout::{KWOK_PORT, Layout, PODS, PORT, SERVICES};

pub(crate) fn etcd(layout: &Layout) -> Vec<String> {
    let (clients, peers) = ("http://127.0.0.1:2379", "http://127.0.0.1:2380");
    flags([
        ("name", "etcd".into()),
        ("data-dir", layout.text("etcd")),
        ("listen-client-urls", clients.into()),
        ("advertise-client-urls", clients.into()),
        ("listen-peer-urls", peers.into()),
        ("initial-advertise-peer-urls", peers.into()),
        ("initial-cluster", format!("etcd={peers}")),
        // Nobody misses this data after a crash.
        ("unsafe-no-fsync", "true".into()),
        ("quota-backend-bytes", (8_u64 << 30).to_string()),
        ("log-level", "warn".into()),
    ])
}

pub(crate) fn api_server(layout: &Layout) -> Vec<String> {
    flags([
        ("etcd-servers", "http://127.0.0.1:2379".into()),
        ("bind-address", "0.0.0.0".into()),
        ("secure-port", PORT.to_string()),
        ("advertise-address", layout.address.to_string()),
        ("cert-dir", layout.text("api-server")),
        ("tls-cert-file", layout.text(SERVER.0)),
        ("tls-private-key-file", layout.text(SERVER.1)),
        ("client-ca-file", layout.text(AUTHORITY)),
        ("token-auth-file", layout.text(TOKENS)),
        ("authorization-mode", "Node,RBAC".into()),
        ("enable-admission-plugins", "NodeRestriction".into()),
        ("service-cluster-ip-range", SERVICES.into()),
        ("service-account-issuer", "https://kubernetes.default.svc.cluster.local".into()),
        ("service-account-key-file", layout.text(ACCOUNTS.0)),
        ("service-account-signing-key-file", layout.text(ACCOUNTS.1)),
        ("kubelet-client-certificate", layout.text(TO_KUBELET.0)),
        ("kubelet-client-key", layout.text(TO_KUBELET.1)),
        // Nobody knows the node by its name: logs and `exec` would not find it.
        ("kubelet-preferred-address-types", "InternalIP".into()),
        ("allow-privileged", "true".into()),
    ])
}

pub(crate) fn controller_manager(layout: &Layout) -> Vec<String> {
    let mut arguments = client(layout, "kube-controller-manager");
    arguments.extend(flags([
        ("service-account-private-key-file", layout.text(ACCOUNTS.1)),
        ("root-ca-file", layout.text(AUTHORITY)),
        ("use-service-account-credentials", "true".into()),
        ("cluster-cidr", PODS.into()),
        ("service-cluster-ip-range", SERVICES.into()),
    ]));
    arguments
}

pub(crate) fn scheduler(layout: &Layout) -> Vec<String> {
    client(layout, "kube-scheduler")
}

/// Beside a real node, and for no other nodes than those that say they are fake.
pub(crate) fn kwok(layout: &Layout, plays: &Path) -> Vec<String> {
    flags([
        ("config", plays.display().to_string()),
        ("server-address", format!("0.0.0.0:{KWOK_PORT}")),
        ("kubeconfig", layout.text(&kubeconfig("kwok"))),
        ("manage-all-nodes", "false".into()),
        ("manage-nodes-with-annotation-selector", "kwok.x-k8s.io/node=fake".into()),
        ("cidr", "10.128.0.1/16".into()),
        ("node-ip", layout.address.to_string()),
        ("node-lease-duration-seconds", "40".into()),
    ])
}

/// What controllers and scheduler have in common: alone, and not slowed by their own limits.
fn client(layout: &Layout, who: &str) -> Vec<String> {
    let config = layout.text(&kubeconfig(who));
    flags([
        ("kubeconfig", config.clone()),
        ("authentication-kubeconfig", config.clone()),
        ("authorization-kubeconfig", config),
        ("bind-address", "127.0.0.1".into()),
        ("leader-elect", "false".into()),
        ("kube-api-qps", "1000".into()),
        ("kube-api-burst", "2000".into()),
    ])
}

pub(crate) fn flags<const N: usize>(flags: [(&str, String); N]) -> Vec<String> {
    flags.into_iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::layout;

    #[test]
    fn the_api_server_keeps_to_the_clusters_folder_and_address() {
        let arguments = api_server(&layout::example());
        for expected in [
            "--advertise-address=198.18.7.2",
            "--token-auth-file=/clusters/dev/tokens.csv",
            "--service-account-signing-key-file=/clusters/dev/accounts.key",
            "--kubelet-preferred-address-types=InternalIP",
        ] {
            assert!(arguments.iter().any(|argument| argument == expected), "{arguments:#?}");
        }
    }

    #[test]
    fn etcd_is_reached_from_inside_only() {
        let arguments = etcd(&layout::example());
        let urls: Vec<_> = arguments.iter().filter(|argument| argument.contains("http")).collect();
        assert_eq!(urls.len(), 5);
        assert!(urls.iter().all(|url| url.contains("://127.0.0.1:")), "{urls:?}");
    }

    #[test]
    fn each_part_comes_with_its_own_token() {
        let layout = layout::example();
        for (arguments, file) in [
            (controller_manager(&layout), "kubeconfig.kube-controller-manager"),
            (scheduler(&layout), "kubeconfig.kube-scheduler"),
            (kwok(&layout, Path::new("stages.yaml")), "kubeconfig.kwok"),
        ] {
            assert!(arguments.contains(&format!("--kubeconfig=/clusters/dev/{file}")));
        }
    }

    #[test]
    fn tokens_in_pods_can_be_checked() {
        let arguments = controller_manager(&layout::example());
        for expected in [
            "--root-ca-file=/clusters/dev/authority.pem",
            "--service-account-private-key-file=/clusters/dev/accounts.key",
        ] {
            assert!(arguments.iter().any(|argument| argument == expected), "{arguments:#?}");
        }
    }
}
