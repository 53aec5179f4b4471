//! What every cluster does alike, whoever is behind the port.

use blueprint::status::{Account, Staff};
use blueprint::{BlueprintName, BlueprintSpec, PlanName};
use control_plane::cluster::{
    CONTROL_PLANE, Cluster, ClusterError, Made, RECHECK, UNDELETE, Version, Writer, is_of, version,
    writer,
};
use uuid::Uuid;

fn spec(display_name: &str) -> BlueprintSpec {
    let text = format!(
        "{{apiVersion: soulfra.io/v1alpha1, kind: PlatformBlueprint, metadata: {{name: any}}, \
          spec: {{identity: {{displayName: {display_name}}}}}}}"
    );
    blueprint::read(&text).unwrap().spec
}

/// Walks through all of it, with platforms of these two names.
pub(crate) async fn conforms(cluster: &dyn Cluster, one: &str, other: &str) {
    let (name, other): (BlueprintName, BlueprintName) =
        (one.parse().unwrap(), other.parse().unwrap());
    assert_eq!(cluster.get(&name).await.unwrap(), None);

    // Made once, however often it is asked for.
    let made = cluster.create(&name, ("plt_1", Made::New), &spec("One")).await.unwrap();
    let first = version(&made).unwrap();
    assert_eq!(first.generation, 1);
    let again = cluster.create(&name, ("plt_1", Made::New), &spec("One")).await.unwrap();
    assert_eq!(version(&again), Some(first));
    for (platform, wanted) in [("plt_2", "One"), ("plt_1", "Two")] {
        let taken = cluster.create(&name, (platform, Made::New), &spec(wanted)).await;
        assert_eq!(taken.unwrap_err(), ClusterError::Taken, "{platform}, {wanted}");
    }
    assert_eq!(cluster.get(&name).await.unwrap().map(|it| it.spec), Some(spec("One")));

    // Changed by whoever saw how it is, and by nobody else.
    let changed = cluster.change(&name, first, &spec("Two")).await.unwrap();
    let second = version(&changed).unwrap();
    assert_eq!((second.uid, second.generation), (first.uid, 2));
    let late = cluster.change(&name, first, &spec("Three")).await;
    assert_eq!(late.unwrap_err(), ClusterError::Changed);
    let again = cluster.change(&name, first, &spec("Two")).await.unwrap();
    assert_eq!(version(&again), Some(second), "sent again, it changes nothing more");
    let elsewhere = Version { uid: Uuid::new_v4(), ..second };
    let of_another = cluster.change(&name, elsewhere, &spec("Three")).await;
    assert_eq!(of_another.unwrap_err(), ClusterError::Missing);
    let nobodys = cluster.change(&other, second, &spec("Three")).await;
    assert_eq!(nobodys.unwrap_err(), ClusterError::Missing);

    // What breaks a rule is not taken.
    let mut broken = spec("Broken");
    broken.runtime.replicas.min = 9;
    broken.runtime.replicas.max = Some(2);
    let refused = cluster.create(&other, ("plt_3", Made::New), &broken).await;
    assert!(matches!(refused, Err(ClusterError::Refused(_))), "{refused:?}");
    assert_eq!(cluster.get(&other).await.unwrap(), None);

    // Confirmed for the one that is meant, whatever its spec becomes.
    let account = Account {
        organization: "acme".parse().unwrap(),
        plan: PlanName::Business,
        entitlements: PlanName::Business.entitlements(),
        staff: Staff {
            allowed_addresses: vec!["192.0.2.0/24".parse().unwrap()],
            longest_session_hours: Some(8),
        },
    };
    cluster.confirm(&name, first.uid, &account).await.unwrap();
    let confirmed = cluster.get(&name).await.unwrap().unwrap();
    assert_eq!(confirmed.status.clone().unwrap().account, Some(account.clone()));
    assert_eq!(version(&confirmed), Some(second), "that is no change of its spec");
    // What is asked of nobody any more is gone.
    let account = Account { staff: Staff::default(), ..account };
    cluster.confirm(&name, first.uid, &account).await.unwrap();
    let confirmed = cluster.get(&name).await.unwrap().unwrap();
    assert_eq!(confirmed.status.unwrap().account, Some(account.clone()));
    assert!(cluster.confirm(&name, Uuid::new_v4(), &account).await.is_err());
    let third = version(&cluster.change(&name, second, &spec("Three")).await.unwrap()).unwrap();

    // Handed to somebody else and back, as it was seen: its spec stays as it is.
    let late = cluster.hand_over(&name, second, ("plt_1", Writer::Kubectl)).await;
    assert_eq!(late.unwrap_err(), ClusterError::Changed);
    for _ in 0..2 {
        let given = cluster.hand_over(&name, third, ("plt_1", Writer::Kubectl)).await.unwrap();
        assert_eq!((writer(&given), version(&given)), ("kubectl", Some(third)));
    }
    let theirs = cluster.change(&name, third, &spec("Four")).await;
    assert_eq!(theirs.unwrap_err(), ClusterError::ManagedBy("kubectl".to_owned()));
    for _ in 0..2 {
        let ours = cluster.hand_over(&name, third, ("plt_1", Writer::ControlPlane)).await.unwrap();
        assert_eq!((writer(&ours), is_of(&ours, "plt_1")), (CONTROL_PLANE, true));
        assert_eq!(version(&ours), Some(third));
    }
    let of_another = cluster.hand_over(&name, elsewhere, ("plt_1", Writer::Kubectl)).await;
    assert_eq!(of_another.unwrap_err(), ClusterError::Missing);

    // Whoever looks after it is asked to look again.
    let now = "2026-03-01T12:00:00Z";
    let nudged = cluster.nudge(&name, third.uid, now.parse().unwrap()).await.unwrap();
    assert_eq!(version(&nudged), Some(third), "that is no change of its spec");
    let notes = nudged.metadata.annotations.unwrap();
    assert_eq!(notes.get(RECHECK).map(String::as_str), Some(now));
    let nobodys = cluster.nudge(&name, Uuid::new_v4(), now.parse().unwrap()).await;
    assert_eq!(nobodys.unwrap_err(), ClusterError::Missing);

    // Deleted as it was seen, and not another one of that name.
    cluster.delete(&name, Version { uid: Uuid::new_v4(), ..third }).await.unwrap();
    assert_eq!(cluster.delete(&name, second).await.unwrap_err(), ClusterError::Changed);
    assert!(cluster.get(&name).await.unwrap().is_some());
    for _ in 0..2 {
        cluster.delete(&name, third).await.unwrap();
    }
    assert!(cluster.get(&name).await.unwrap().is_none_or(|it| {
        // Its operator has something to do before it goes.
        it.metadata.deletion_timestamp.is_some()
    }));

    // Made again, it says so to whoever has kept its data.
    for _ in 0..2 {
        let back = cluster.create(&name, ("plt_1", Made::Again), &spec("Three")).await.unwrap();
        let notes = back.metadata.annotations.unwrap();
        assert_eq!(notes.get(UNDELETE).map(String::as_str), Some("true"));
    }
}
