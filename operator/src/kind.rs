//! The kinds of objects that platforms are made of.

use kube::core::{ApiResource, GroupVersionKind};

/// A kind of object that a platform may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What everything else is in.
    Namespace,
    /// What the platform may use of the cluster in all.
    ResourceQuota,
    /// What one container may use.
    LimitRange,
    /// Who may speak with whom.
    NetworkPolicy,
    /// Whom pods are, which is nobody.
    ServiceAccount,
    /// Passwords and keys.
    Secret,
    /// The blueprint, and settings.
    ConfigMap,
    /// Room for files of models.
    PersistentVolumeClaim,
    /// A database server of its own.
    DatabaseCluster,
    /// Pods.
    Deployment,
    /// Addresses of pods.
    Service,
    /// How many pods may go at once.
    PodDisruptionBudget,
    /// How many pods there are in a crowd.
    HorizontalPodAutoscaler,
    /// Names that a gateway which is not ours listens for.
    ListenerSet,
    /// Names that lead to it, for a gateway that is not ours.
    HttpRoute,
}

/// Group, version, kind and plural, as the API server knows them.
type Known = (&'static str, &'static str, &'static str, &'static str);

impl Kind {
    /// Every one of them.
    pub const ALL: [Self; 15] = [
        Self::Namespace,
        Self::ResourceQuota,
        Self::LimitRange,
        Self::NetworkPolicy,
        Self::ServiceAccount,
        Self::Secret,
        Self::ConfigMap,
        Self::PersistentVolumeClaim,
        Self::DatabaseCluster,
        Self::Deployment,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::HorizontalPodAutoscaler,
        Self::ListenerSet,
        Self::HttpRoute,
    ];

    const fn known(self) -> Known {
        match self {
            Self::Namespace => ("", "v1", "Namespace", "namespaces"),
            Self::ResourceQuota => ("", "v1", "ResourceQuota", "resourcequotas"),
            Self::LimitRange => ("", "v1", "LimitRange", "limitranges"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::ServiceAccount => ("", "v1", "ServiceAccount", "serviceaccounts"),
            Self::Secret => ("", "v1", "Secret", "secrets"),
            Self::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
            Self::PersistentVolumeClaim => {
                ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
            }
            Self::DatabaseCluster => ("postgresql.cnpg.io", "v1", "Cluster", "clusters"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::PodDisruptionBudget => {
                ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
            }
            Self::HorizontalPodAutoscaler => {
                ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
            }
            Self::ListenerSet => ("gateway.networking.k8s.io", "v1", "ListenerSet", "listenersets"),
            Self::HttpRoute => ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
        }
    }

    /// As the API server knows it.
    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.known();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    /// The one with this `apiVersion` and `kind`.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let is_it = |each: &Self| {
            let (group, version, known, _) = each.known();
            let (named, its) = api_version.split_once('/').unwrap_or(("", api_version));
            (group, version, known) == (named, its, kind)
        };
        Self::ALL.into_iter().find(is_it)
    }

    /// Whether it is in a namespace.
    pub const fn in_namespace(self) -> bool {
        !matches!(self, Self::Namespace)
    }

    /// Whether another program brings it to the cluster, so that there may be none such.
    pub const fn of_others(self) -> bool {
        matches!(self, Self::DatabaseCluster | Self::ListenerSet | Self::HttpRoute)
    }

    /// Whether it holds data of people: it goes with its namespace, and never before.
    pub const fn holds_data(self) -> bool {
        matches!(self, Self::Namespace | Self::PersistentVolumeClaim | Self::DatabaseCluster)
    }

    /// The word for it in messages.
    pub const fn word(self) -> &'static str {
        self.known().2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_what_its_objects_say() {
        for kind in Kind::ALL {
            let resource = kind.resource();
            assert_eq!(Kind::of(&resource.api_version, &resource.kind), Some(kind));
        }
        assert_eq!(Kind::of("apps/v1", "Deployment"), Some(Kind::Deployment));
        assert_eq!(Kind::of("v1", "Pod"), None);
    }
}
