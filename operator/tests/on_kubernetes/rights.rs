//! What the operator may do: asked of a real API server, question by question, and lived by.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::config::AuthInfo;
use kube::discovery::Discovery;
use kube::{Client, ResourceExt as _};
use operator::cluster::OWN_DATABASE_SECRET;
use operator::kind::Kind;
use operator::lease::Charge;
use operator::reconcile::UNDELETE;
use operator::seen::facts::PURGE;
use operator::seen::watch::blueprints;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use work::Clock;

use crate::House;
use crate::chart::{ACCOUNT, SPACE, bind, find, install, unbind};
use crate::house::{SOON, admin, client, client_of, config, define, said, until_refused};

const RIGHTS: &str = include_str!("../golden/rights.txt");

const VERBS: [&str; 8] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
/// A namespace of each sort. The cluster as a whole is the first.
const SPACES: [&str; 5] = ["", "default", "kube-system", SPACE, "tenant-x"];

/// What is asked for: group, resource with its part, and name.
type What = (String, String, &'static str);

/// The same, with where and which verb.
type Question = (String, String, &'static str, &'static str, &'static str);

/// Of what is allowed: where, and which verbs.
type Allowed = BTreeMap<What, BTreeMap<&'static str, Vec<&'static str>>>;

/// A client with the operator's own token.
async fn as_operator(admin: &Client) -> Client {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), SPACE);
    let spec = TokenRequestSpec { expiration_seconds: Some(3_600), ..Default::default() };
    let request = TokenRequest { spec, ..Default::default() };
    let made = accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await;
    let token = made.unwrap().status.unwrap().token;
    let mut config = config().await;
    config.auth_info = AuthInfo { token: Some(token.into()), ..AuthInfo::default() };
    client_of(config)
}

/// All there is, and what only some resources can be asked for, with whether it is in namespaces.
async fn questions(client: &Client) -> BTreeMap<What, (bool, Vec<&'static str>)> {
    let mut all = BTreeMap::new();
    let mut ask = |group: &str, resource: &str, in_namespace: bool| {
        let what = (group.to_owned(), resource.to_owned());
        all.insert((what.0, what.1, ""), (in_namespace, VERBS.to_vec()));
    };
    let known = Discovery::new(client.clone()).run().await.unwrap();
    // What others have defined in this cluster is not asked for.
    let built_in = |name: &str| !name.contains('.') || name.ends_with(".k8s.io");
    for group in known.groups().filter(|group| built_in(group.name())) {
        for version in group.versions() {
            for (resource, can) in group.versioned_resources(version) {
                let in_namespace = can.scope == kube::discovery::Scope::Namespaced;
                ask(group.name(), &resource.plural, in_namespace);
                for (part, _) in can.subresources {
                    ask(
                        group.name(),
                        &format!("{}/{}", resource.plural, part.plural),
                        in_namespace,
                    );
                }
            }
        }
    }
    for kind in Kind::ALL {
        let resource = kind.resource();
        ask(&resource.group, &resource.plural, kind.in_namespace());
    }
    let ours = blueprints();
    for part in ["", "/status", "/finalizers"] {
        ask(&ours.group, &format!("{}{part}", ours.plural), false);
    }
    let names = plan::SecretKey::ALL.map(|key| key.place().0);
    for name in names.into_iter().chain([OWN_DATABASE_SECRET, "another"]) {
        let what = (String::new(), "secrets".to_owned(), name);
        all.insert(what, (true, VERBS.to_vec()));
    }
    for name in [ACCOUNT, "another"] {
        let what = ("coordination.k8s.io".to_owned(), "leases".to_owned(), name);
        all.insert(what, (true, VERBS.to_vec()));
    }
    for (group, resource, verbs) in [
        ("rbac.authorization.k8s.io", "roles", ["escalate", "bind"].as_slice()),
        ("rbac.authorization.k8s.io", "clusterroles", ["escalate", "bind"].as_slice()),
        ("", "users", ["impersonate"].as_slice()),
        ("", "groups", ["impersonate"].as_slice()),
        ("", "serviceaccounts", ["impersonate"].as_slice()),
        ("authentication.k8s.io", "userextras/scopes", ["impersonate"].as_slice()),
        ("certificates.k8s.io", "signers", ["approve", "sign", "attest"].as_slice()),
    ] {
        let in_namespace = resource == "roles" || resource == "serviceaccounts";
        let what = (group.to_owned(), resource.to_owned(), "");
        all.entry(what).or_insert((in_namespace, Vec::new())).1.extend(verbs);
    }
    all
}

async fn may(reviews: &Api<SubjectAccessReview>, spec: SubjectAccessReviewSpec) -> bool {
    let spec = SubjectAccessReviewSpec {
        user: Some(format!("system:serviceaccount:{SPACE}:{ACCOUNT}")),
        groups: Some(vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{SPACE}"),
            "system:authenticated".to_owned(),
        ]),
        ..spec
    };
    let review = SubjectAccessReview { spec, ..Default::default() };
    reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
}

/// One line for each resource and what may be done with it alike.
fn written(allowed: Allowed) -> Vec<String> {
    let mut lines = Vec::new();
    for ((group, resource, name), spaces) in allowed {
        let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (space, verbs) in spaces {
            let space = if space.is_empty() { "the cluster" } else { space };
            alike.entry(verbs.join(" ")).or_default().push(space);
        }
        let group = if group.is_empty() { String::new() } else { format!(".{group}") };
        let name = if name.is_empty() { String::new() } else { format!(" {name}") };
        for (verbs, spaces) in alike {
            let spaces = match spaces.len() {
                5 => "everywhere".to_owned(),
                _ => spaces.join(", "),
            };
            lines.push(format!("{resource}{group}{name}: {verbs} ({spaces})"));
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn of_all_that_the_api_server_knows_only_what_is_written_down_is_allowed() {
    let client = client().await;
    install(&client).await;
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let mut asked = Vec::new();
    for ((group, resource, name), (in_namespace, verbs)) in questions(&client).await {
        for space in SPACES.iter().take(if in_namespace { SPACES.len() } else { 1 }) {
            for verb in &verbs {
                asked.push((group.clone(), resource.clone(), name, *space, *verb));
            }
        }
    }
    let (count, reviews) = (asked.len(), &reviews);
    let ask = |(group, resource, name, space, verb): Question| async move {
        let (main, part) = resource.split_once('/').unwrap_or((&resource, ""));
        let attributes = ResourceAttributes {
            group: Some(group.clone()),
            resource: Some(main.to_owned()),
            subresource: Some(part.to_owned()),
            name: Some(name.to_owned()),
            namespace: Some(space.to_owned()),
            verb: Some(verb.to_owned()),
            version: Some("*".to_owned()),
            ..Default::default()
        };
        let spec =
            SubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        may(reviews, spec).await.then_some(((group, resource, name), space, verb))
    };
    let mut allowed = Allowed::new();
    let mut answers = std::pin::pin!(futures::stream::iter(asked).map(ask).buffered(32));
    while let Some(answer) = answers.next().await {
        if let Some((what, space, verb)) = answer {
            allowed.entry(what).or_default().entry(space).or_default().push(verb);
        }
    }
    let mut lines = written(allowed);
    for path in ["/", "/api", "/apis", "/healthz", "/livez", "/logs", "/metrics", "/debug/pprof"]
        .into_iter()
        .chain(["/openapi/v3", "/readyz", "/version", "/.well-known/openid-configuration"])
    {
        for verb in ["get", "post"] {
            let attributes =
                NonResourceAttributes { path: Some(path.to_owned()), verb: Some(verb.to_owned()) };
            let spec = SubjectAccessReviewSpec {
                non_resource_attributes: Some(attributes),
                ..Default::default()
            };
            if may(reviews, spec).await {
                lines.push(format!("{path}: {verb}"));
            }
        }
    }
    assert!(count > 3_000, "{count} questions");
    let (found, known): (BTreeSet<_>, BTreeSet<_>) =
        (lines.iter().map(String::as_str).collect(), RIGHTS.lines().collect());
    let more: Vec<_> = found.difference(&known).collect();
    let fewer: Vec<_> = known.difference(&found).collect();
    assert!(
        more.is_empty() && fewer.is_empty(),
        "of {count} questions, allowed and not in tests/golden/rights.txt: {more:#?}, and in it, \
         but not allowed: {fewer:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_platform_lives_and_ends_with_these_rights_and_under_these_policies() {
    let admin_client = client().await;
    define(&admin_client).await;
    install(&admin_client).await;
    let house = House::driven_by(as_operator(&admin_client).await, 2).await;
    let name = house.name("a");
    let tenants = [name.as_str()];
    for policy in ["soulfra-tenant-namespaces", "soulfra-billing"] {
        bind(&house.client, policy, &tenants).await;
    }
    let ours = |it: &mut Value| it["metadata"]["labels"] = json!({plan::TENANT: name});
    house.apply(&name, ours).await;
    house.until_made(&name).await;
    let space = format!("tenant-{name}");
    let tried = DeleteParams { dry_run: true, ..DeleteParams::default() };
    until_refused(async || house.namespaces().delete(&space, &tried).await).await;
    house.serve(&name).await;
    house.until(&name, "ready", |it| said(it, "Ready").0 == "True").await;

    let suspended = |it: &mut Value| {
        ours(it);
        it["spec"]["suspended"] = json!(true);
    };
    house.apply(&name, suspended).await;
    house.until(&name, "suspended", |it| said(it, "RuntimeReady").1 == "Suspended").await;

    house.delete(&name).await;
    house.until_gone(&name).await;
    let back = |it: &mut Value| {
        ours(it);
        it["metadata"]["annotations"] = json!({UNDELETE: "true"});
    };
    house.apply(&name, back).await;
    house.until_made(&name).await;
    house.delete(&name).await;
    house.until_gone(&name).await;

    let typed = json!({"metadata": {"annotations": {PURGE: name}}});
    let patch = Patch::Merge(&typed);
    house.namespaces().patch(&space, &PatchParams::default(), &patch).await.unwrap();
    house.until_known(&name, |it| it.home().is_none_or(|(child, _)| child.going)).await;
    let left = house.namespaces().get(&space).await.unwrap();
    assert!(left.metadata.deletion_timestamp.is_some());
    assert!(!database::tenant::exists(&admin(), &name.parse().unwrap()).await.unwrap());
    for policy in ["soulfra-tenant-namespaces", "soulfra-billing"] {
        unbind(&house.client, policy, &tenants).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn with_these_rights_it_can_be_in_charge() {
    let admin = client().await;
    install(&admin).await;
    let own = as_operator(&admin).await;
    let charge = Charge::new(own, SPACE, ACCOUNT, "the test", Clock::System);
    let stop = CancellationToken::new();
    let lead = charge.lead(&stop, |_, _| async { stop.cancel() });
    assert!(tokio::time::timeout(SOON, lead).await.is_ok(), "it takes over in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn its_pods_are_taken_by_a_namespace_for_restricted_ones() {
    let client = client().await;
    install(&client).await;
    let template = &find("Deployment", ACCOUNT)["spec"]["template"];
    let mut pod: Value = template.clone();
    pod["metadata"]["generateName"] = json!("tried-");
    let mut bad = pod.clone();
    bad["spec"]["containers"][0]["securityContext"] = json!({});
    let pods: Api<Pod> = Api::namespaced(client, SPACE);
    let tried = PostParams { dry_run: true, ..PostParams::default() };
    let pod: Pod = serde_json::from_value(pod).unwrap();
    assert_eq!(pods.create(&tried, &pod).await.unwrap().namespace().as_deref(), Some(SPACE));
    let refused = pods.create(&tried, &serde_json::from_value(bad).unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("restricted"), "{refused}");
}
