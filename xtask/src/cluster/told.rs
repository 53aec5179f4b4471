//! What is told of a cluster that is up: how to reach it.

use serde_json::json;

use super::layout::Layout;
use super::name::Name;
use super::network::Network;
use super::record::Record;
use super::{access, certificates};

/// For a test: one line.
pub(crate) fn as_json(layout: &Layout, record: &Record) -> String {
    json!({
        "name": layout.name.as_str(),
        "kubeconfig": layout.text(access::KUBECONFIG),
        "server": layout.server(),
        "token": record.token,
        "certificateAuthority": layout.text(certificates::AUTHORITY),
        "network": Network::of(&layout.name).path(),
    })
    .to_string()
}

/// For a person.
pub(crate) fn lines(layout: &Layout) -> [String; 5] {
    let name = layout.name.as_str();
    [
        format!("API server  {}, from this machine only", layout.server()),
        format!("use it      kubectl --kubeconfig {} get ns", layout.text(access::KUBECONFIG)),
        format!("inside it   cargo xtask cluster exec --name {name} -- PROGRAM"),
        format!("logs        {}", layout.text("logs")),
        format!("end it      {}", down_command(&layout.name)),
    ]
}

/// How to end it.
pub(crate) fn down_command(name: &Name) -> String {
    format!("cargo xtask cluster down --name {}", name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::cluster::binaries::Parts;
    use crate::cluster::layout;

    #[test]
    fn a_test_is_told_in_one_line_how_to_reach_its_cluster() {
        let layout = layout::example();
        let record = Record {
            parts: Parts { node: false, kwok: false },
            address: layout.address,
            token: "secret".into(),
            processes: Vec::new(),
            is_up: true,
        };
        let line = as_json(&layout, &record);
        assert!(!line.contains('\n'));
        let told: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(told["kubeconfig"], "/clusters/dev/kubeconfig");
        assert_eq!(told["server"], "https://198.18.7.2:6443");
        assert_eq!(told["token"], "secret");
        assert_eq!(told["network"], "/var/run/netns/soulfra-dev");
    }
}
