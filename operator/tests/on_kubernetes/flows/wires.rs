//! Network namespaces of one run, joined by a bridge; gone when this is dropped.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::expected::Host;

/// What all of ours begin with; the id of the process follows.
const PREFIX: &str = "soulfra-flows-";

/// The bridge's namespace comes first, then one for each host.
pub(super) struct Wires {
    id: u32,
    hosts: usize,
}

impl Wires {
    /// Lays them, and clears away those of runs that were killed.
    pub(super) fn lay(hosts: &[Host]) -> Self {
        clear_away();
        // From here on they are taken up, also where laying them breaks off.
        let wires = Self { id: std::process::id(), hosts: hosts.len() };
        let bridge = wires.bridge();
        let mut spaces = vec![format!("netns add {bridge}")];
        let mut inside: Vec<_> =
            ["link add name bridge type bridge", "link set bridge up"].map(str::to_owned).into();
        for at in 0..hosts.len() {
            let own = wires.name(at);
            spaces.push(format!("netns add {own}"));
            inside.push(format!("link add port{at} type veth peer name eth0 netns {own}"));
            inside.push(format!("link set port{at} master bridge up"));
        }
        batch(None, &spaces);
        batch(Some(&bridge), &inside);
        for (at, host) in hosts.iter().enumerate() {
            // Everybody is a neighbour of everybody, at whatever address.
            let own = [
                "link set lo up".to_owned(),
                format!("address add {}/32 dev eth0", host.address),
                "link set eth0 up".to_owned(),
                "route add default dev eth0".to_owned(),
            ];
            batch(Some(&wires.name(at)), &own);
        }
        wires
    }

    /// Puts rules into the namespace of a host.
    pub(super) fn rule(&self, at: usize, rules: &str) {
        if !rules.is_empty() {
            let mut nft = inside(&self.name(at), "nft");
            feed(nft.args(["-f", "-"]), rules);
        }
    }

    /// The namespace of a host, as a file.
    pub(super) fn namespace(&self, at: usize) -> fs::File {
        fs::File::open(format!("/var/run/netns/{}", self.name(at))).unwrap()
    }

    fn name(&self, at: usize) -> String {
        format!("{PREFIX}{}-{at}", self.id)
    }

    fn bridge(&self) -> String {
        format!("{PREFIX}{}-bridge", self.id)
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        let all = (0..self.hosts).map(|at| self.name(at)).chain([self.bridge()]);
        for name in all {
            take_up(&name);
        }
    }
}

/// Takes up what runs left behind that do not live any more.
fn clear_away() {
    for entry in fs::read_dir("/var/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let id = rest.split('-').next().unwrap_or_default();
        if !fs::exists(format!("/proc/{id}")).unwrap_or(true) {
            take_up(&name);
        }
    }
}

fn take_up(name: &str) {
    // What was never laid is not there.
    let mut ip = Command::new("ip");
    let _ = ip.args(["netns", "delete", name]).stderr(Stdio::null()).status();
}

fn inside(namespace: &str, program: &str) -> Command {
    // Not `ip netns exec`, which mounts anew what others need.
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/var/run/netns/{namespace}")).arg(program);
    command
}

fn batch(namespace: Option<&str>, lines: &[String]) {
    let mut ip = namespace.map_or_else(|| Command::new("ip"), |namespace| inside(namespace, "ip"));
    feed(ip.args(["-batch", "-"]), &(lines.join("\n") + "\n"));
}

fn feed(command: &mut Command, text: &str) {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let why = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {why}\n{text}");
}
