//! The programs of a cluster, built once per version and user.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::go::{COREDNS, ETCD, KUBERNETES, KWOK, Module};
use crate::process::Deadline;
use crate::project::Project;

/// What a cluster has beside API server and etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Parts {
    /// A real node too: containerd, kubelet, kube-proxy, `CoreDNS`, scheduler and controllers.
    #[arg(long)]
    pub(crate) node: bool,
    /// kwok too, which plays nodes annotated `kwok.x-k8s.io/node=fake` and their pods.
    #[arg(long)]
    pub(crate) kwok: bool,
}

impl Parts {
    /// API server and etcd: nobody makes pods.
    pub(crate) const BARE: Self = Self { node: false, kwok: false };
    /// Pods are made, and put on nodes that are only played.
    pub(crate) const PLAYED: Self = Self { node: false, kwok: true };

    /// Whether anybody makes pods of deployments and puts them on nodes.
    pub(crate) fn have_controllers(self) -> bool {
        self.node || self.kwok
    }
}

/// Programs of one module.
type Set = (Module, &'static [&'static str]);

const ALWAYS: [Set; 2] = [(ETCD, &["etcd"]), (KUBERNETES, &["kube-apiserver", "kubectl"])];
const CONTROLLERS: [Set; 1] = [(KUBERNETES, &["kube-controller-manager", "kube-scheduler"])];
const NODE: [Set; 2] = [(KUBERNETES, &["kubelet", "kube-proxy"]), (COREDNS, &["coredns"])];
const PRETENDED: [Set; 1] = [(KWOK, &["kwok"])];

/// What kwok plays, of its own examples: nodes that are ready and stay so, pods that start at once
/// and end when they are deleted.
const PLAYED: [&str; 5] = [
    "kustomize/stage/node/fast/node-initialize.yaml",
    "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "kustomize/stage/pod/fast/pod-ready.yaml",
    "kustomize/stage/pod/fast/pod-complete.yaml",
    "kustomize/stage/pod/fast/pod-delete.yaml",
];

/// Where the built programs are.
pub(crate) struct Binaries {
    tools: PathBuf,
}

impl Binaries {
    /// Builds what is missing: API server, etcd and kubectl take seven minutes on two cores.
    pub(crate) fn make(project: &Project, parts: Parts, deadline: Deadline) -> Result<Self> {
        let binaries = Self::of(project);
        let sets: [(bool, &[Set]); 4] = [
            (true, &ALWAYS),
            (parts.have_controllers(), &CONTROLLERS),
            (parts.node, &NODE),
            (parts.kwok, &PRETENDED),
        ];
        for (module, programs) in sets.into_iter().filter(|set| set.0).flat_map(|set| set.1) {
            module.make(project, programs, deadline)?;
        }
        if parts.kwok && !binaries.kwok_plays().exists() {
            let played = KWOK.yaml(project, &PLAYED, deadline)?;
            // Under its own name until it is whole, for another run may be writing it too.
            let part = binaries.kwok_plays().with_extension(std::process::id().to_string());
            fs::write(&part, played)?;
            fs::rename(part, binaries.kwok_plays())?;
        }
        Ok(binaries)
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.program(&ETCD, "etcd")
    }

    /// A program of Kubernetes itself.
    pub(crate) fn kubernetes(&self, name: &str) -> PathBuf {
        self.program(&KUBERNETES, name)
    }

    pub(crate) fn coredns(&self) -> PathBuf {
        self.program(&COREDNS, "coredns")
    }

    pub(crate) fn kwok(&self) -> PathBuf {
        self.program(&KWOK, "kwok")
    }

    /// What kwok makes of nodes and pods.
    pub(crate) fn kwok_plays(&self) -> PathBuf {
        self.program(&KWOK, "stages.yaml")
    }

    /// What people ask an API server by.
    pub(crate) fn kubectl(project: &Project) -> PathBuf {
        Self::of(project).kubernetes("kubectl")
    }

    fn of(project: &Project) -> Self {
        Self { tools: project.cache.join("tools") }
    }

    fn program(&self, module: &Module, name: &str) -> PathBuf {
        self.tools.join(module.folder()).join(name)
    }
}
