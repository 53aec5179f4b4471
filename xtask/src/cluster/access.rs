//! Who may come to the API server: a token each, known to it by a file.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::certificates::AUTHORITY;
use super::layout::Layout;
use crate::system::random_word;

/// The tokens that the API server knows.
pub(crate) const TOKENS: &str = "tokens.csv";
/// What people and tests give to `kubectl --kubeconfig`.
pub(crate) const KUBECONFIG: &str = "kubeconfig";

/// Somebody with a token.
struct User {
    /// In file names.
    who: &'static str,
    /// To Kubernetes.
    name: &'static str,
    group: &'static str,
}

const ADMIN: &str = "admin";

const USERS: [User; 7] = [
    User { who: ADMIN, name: "admin", group: "system:masters" },
    // Roles for these are part of Kubernetes.
    User {
        who: "kube-controller-manager",
        name: "system:kube-controller-manager",
        group: "system:authenticated",
    },
    User { who: "kube-scheduler", name: "system:kube-scheduler", group: "system:authenticated" },
    User { who: "kube-proxy", name: "system:kube-proxy", group: "system:authenticated" },
    User { who: "kubelet", name: "system:node:node", group: "system:nodes" },
    // For these there are none.
    User { who: "coredns", name: "coredns", group: "system:masters" },
    User { who: "kwok", name: "kwok", group: "system:masters" },
];

/// Gives everybody a token and a kubeconfig, and returns the administrator's token.
pub(crate) fn make(layout: &Layout) -> Result<String> {
    let mut tokens = String::new();
    let mut admin = String::new();
    for user in &USERS {
        let token = random_word()?;
        tokens += &user.line(&token);
        let file = layout.path(kubeconfig(user.who));
        fs::write(&file, format!("{:#}\n", user.kubeconfig(layout, &token)))
            .with_context(|| format!("write {}", file.display()))?;
        if user.who == ADMIN {
            admin = token;
        }
    }
    fs::write(layout.path(TOKENS), tokens).context("write the tokens")?;
    Ok(admin)
}

/// The file with which a part of the cluster finds the API server.
pub(crate) fn kubeconfig(who: &str) -> String {
    if who == ADMIN { KUBECONFIG.to_owned() } else { format!("{KUBECONFIG}.{who}") }
}

impl User {
    fn line(&self, token: &str) -> String {
        let Self { name, group, .. } = self;
        format!("{token},{name},{name},\"{group}\"\n")
    }

    /// JSON is YAML.
    fn kubeconfig(&self, layout: &Layout, token: &str) -> Value {
        let cluster = layout.name.on_machine();
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": cluster, "cluster": {
                "server": layout.server(),
                "certificate-authority": layout.text(AUTHORITY),
            }}],
            "users": [{ "name": self.who, "user": { "token": token } }],
            "contexts": [{ "name": cluster, "context": { "cluster": cluster, "user": self.who } }],
            "current-context": cluster,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::layout::{self, NODE};

    #[test]
    fn kubelet_comes_as_its_node() {
        let kubelet = USERS.iter().find(|user| user.who == "kubelet").unwrap();
        assert_eq!(kubelet.name, format!("system:node:{NODE}"));
        assert_eq!(
            kubelet.line("secret"),
            "secret,system:node:node,system:node:node,\"system:nodes\"\n"
        );
    }

    #[test]
    fn a_kubeconfig_has_all_that_it_takes() {
        let config = USERS[0].kubeconfig(&layout::example(), "secret");
        let cluster = &config["clusters"][0]["cluster"];
        assert_eq!(cluster["server"], "https://198.18.7.2:6443");
        assert_eq!(cluster["certificate-authority"], "/clusters/dev/authority.pem");
        assert_eq!(config["users"][0]["user"]["token"], "secret");
        assert_eq!(config["contexts"][0]["name"], config["current-context"]);
    }
}
