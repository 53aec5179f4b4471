//! Policies as a network plugin reads them, written as rules of nftables.

use std::fmt::Write as _;

use serde_json::Value;

use super::expected::Host;

/// The rules of one pod; none for who is no pod, or whom no policy selects.
pub(super) fn rules(host: &Host, hosts: &[Host], policies: &[Value]) -> String {
    let Some(namespace) = &host.namespace else { return String::new() };
    let ours: Vec<_> = policies
        .iter()
        .filter(|policy| policy["metadata"]["namespace"] == **namespace)
        .map(|policy| &policy["spec"])
        .filter(|spec| selects(&spec["podSelector"], &host.labels))
        .collect();
    let mut chains = String::new();
    for (direction, field, side, hook, address) in [
        ("Ingress", "ingress", "from", "input", "saddr"),
        ("Egress", "egress", "to", "output", "daddr"),
    ] {
        let has =
            |spec: &&&Value| spec["policyTypes"].as_array().unwrap().contains(&direction.into());
        let concerned: Vec<_> = ours.iter().filter(has).collect();
        if concerned.is_empty() {
            continue;
        }
        let _ = writeln!(chains, "chain {field} {{ type filter hook {hook} priority 0;");
        let _ = writeln!(chains, "ct state established,related accept");
        let both = concerned.iter().flat_map(|spec| spec[field].as_array().into_iter().flatten());
        for rule in both {
            for ports in rule["ports"].as_array().expect("every rule of ours names its ports") {
                let protocol = ports["protocol"].as_str().unwrap().to_lowercase();
                for peer in rule[side].as_array().expect("every rule of ours names its peers") {
                    for at in addresses(peer, namespace, hosts) {
                        let port = &ports["port"];
                        let _ =
                            writeln!(chains, "ip {address} {at} {protocol} dport {port} accept");
                    }
                }
            }
        }
        // Said at once, so that nobody has to wait for what does not come.
        let _ = writeln!(chains, "meta l4proto tcp reject with tcp reset\nreject\n}}");
    }
    if chains.is_empty() { chains } else { format!("table inet policies {{\n{chains}}}\n") }
}

/// What a peer is to nftables: sets of addresses.
fn addresses(peer: &Value, own: &str, hosts: &[Host]) -> Vec<String> {
    if let Some(block) = peer.get("ipBlock") {
        let cidr = block["cidr"].as_str().unwrap();
        if cidr.contains(':') {
            return Vec::new();
        }
        let but = block["except"].as_array().into_iter().flatten();
        let but: Vec<_> = but.map(|cidr| cidr.as_str().unwrap()).collect();
        return match but.as_slice() {
            [] => vec![cidr.to_owned()],
            but => vec![format!("!= {{ {} }}", but.join(", "))],
        };
    }
    let is_one = |host: &&Host| {
        let Some(namespace) = &host.namespace else { return false };
        let in_it = match peer.get("namespaceSelector") {
            Some(selector) => {
                let name = serde_json::json!({"kubernetes.io/metadata.name": namespace});
                selects(selector, &name)
            }
            None => namespace == own,
        };
        in_it && selects(&peer["podSelector"], &host.labels)
    };
    hosts.iter().filter(is_one).map(|host| host.address.to_string()).collect()
}

fn selects(selector: &Value, labels: &Value) -> bool {
    assert!(selector.get("matchExpressions").is_none(), "not known here: {selector}");
    let wanted = selector["matchLabels"].as_object();
    wanted.into_iter().flatten().all(|(key, value)| labels[key] == *value)
}
