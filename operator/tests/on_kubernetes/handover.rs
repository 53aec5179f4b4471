//! The real program, killed, stopped for a while and ended in order, again and again, while people
//! change their platforms: somebody is in charge again soon, and all comes to what was wished.
//! It works on every platform of the cluster, so nobody else's tests may run there.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use faults::chance::Chance;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, PostParams};
use serde_json::json;
use tempfile::TempDir;

use crate::House;
use crate::house::{self, told};

const PLATFORMS: usize = 6;
const NAMESPACE: &str = "handover";
/// Whoever is not in charge by then never will be.
const NEVER: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: cargo xtask soak handover"]
async fn soak_whoever_is_in_charge_goes_in_whatever_way_and_another_one_goes_on() {
    let (seed, moments) = (number("SOULFRA_SEED", 1), number("SOULFRA_MOMENTS", 6));
    println!("SOULFRA_SEED={seed} SOULFRA_MOMENTS={moments}");
    let mut chance = Chance::new(seed);
    let house = Arc::new(House::open(0).await);
    let namespaces: Api<Namespace> = Api::all(house.client.clone());
    let namespace = json!({"metadata": {"name": NAMESPACE}});
    let namespace = serde_json::from_value(namespace).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let mut both = [Operator::start(&house), Operator::start(&house)];
    let lead = Lead::new(&house);
    lead.other_than(None).await;

    let names: Vec<_> = (0..PLATFORMS).map(|n| house.name(&format!("p{n}"))).collect();
    let over = Arc::new(AtomicBool::new(false));
    let people = tokio::spawn(change(house.clone(), names.clone(), over.clone(), chance.number()));

    let (mut graceful, mut crashed, mut paused) = (Vec::new(), Vec::new(), 0);
    for moment in 0..moments {
        tokio::time::sleep(Duration::from_millis(chance.number() % 1_500)).await;
        let before = lead.now().await;
        let in_charge = both.iter_mut().find(|it| before.holder.ends_with(&it.identity()));
        let goes = in_charge.expect("one of the two is in charge");
        let begun = Instant::now();
        match moment % 3 {
            0 => {
                goes.child.kill().unwrap();
                lead.other_than(Some(&before)).await;
                crashed.push(begun.elapsed());
                goes.start_again(&house);
            }
            1 => {
                goes.signal("STOP");
                lead.other_than(Some(&before)).await;
                // It goes on in the middle of whatever it did, and is not in charge any more.
                goes.signal("CONT");
                paused += 1;
            }
            _ => {
                goes.signal("TERM");
                lead.other_than(Some(&before)).await;
                graceful.push(begun.elapsed());
                goes.start_again(&house);
            }
        }
    }
    over.store(true, Ordering::SeqCst);
    let wished = people.await.unwrap();

    for (name, wish) in names.iter().zip(wished) {
        house
            .until(name, "as it was wished last", |it| {
                let status = it.status.as_ref();
                let told = status.and_then(|status| status.observed_generation);
                house::said(it, "DatabaseReady").0 == "True" && told == it.metadata.generation
            })
            .await;
        let configs: Api<ConfigMap> =
            Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
        let told = configs.get("blueprint").await.unwrap().data.unwrap();
        assert!(told["blueprint.yaml"].contains(&wish), "{name} is not as it was wished: {told:?}");
    }
    drop(both);
    // Somebody who looks at all of it finds nothing that should be otherwise.
    for name in &names {
        house.driver.memory.forget_all();
        assert_eq!(house.settle(name).await, 0, "{name} is not as it should be");
    }
    println!(
        "counted: {moments} times another one took over: {} killed, after {}; {} told to end, after \
         {}; {paused} stopped for a while",
        crashed.len(),
        times(&mut crashed),
        graceful.len(),
        times(&mut graceful),
    );
    let slowest = |times: &[Duration]| times.last().copied().unwrap_or_default();
    assert!(slowest(&crashed) < Duration::from_secs(5), "{crashed:?}");
}

/// Changes platforms until it is over; what each was wished to be called last.
async fn change(
    house: Arc<House>,
    names: Vec<String>,
    over: Arc<AtomicBool>,
    seed: u64,
) -> Vec<String> {
    let mut chance = Chance::new(seed);
    let mut wished = vec![String::new(); names.len()];
    let mut wish = async |which: usize, count: usize| {
        let called = format!("Wish {count} of {which}");
        let say = |it: &mut serde_json::Value| {
            it["spec"]["identity"]["displayName"] = json!(called);
            it["spec"]["suspended"] = json!(count.is_multiple_of(5));
            it["spec"]["runtime"] = json!({"replicas": {"min": 1 + count % 2, "max": 4}});
        };
        house.apply(&names[which], say).await;
        wished[which] = called;
    };
    for which in 0..names.len() {
        wish(which, 1).await;
    }
    let mut count = 1;
    while !over.load(Ordering::SeqCst) {
        count += 1;
        let which = usize::try_from(chance.number()).unwrap_or_default() % names.len();
        wish(which, count).await;
        tokio::time::sleep(Duration::from_millis(chance.number() % 200)).await;
    }
    wished
}

/// Who is in charge, by the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
struct InCharge {
    holder: String,
    epoch: i32,
}

struct Lead(Api<Lease>);

impl Lead {
    fn new(house: &House) -> Self {
        Self(Api::namespaced(house.client.clone(), NAMESPACE))
    }

    async fn now(&self) -> InCharge {
        let spec = self.0.get("soulfra-operator").await.unwrap().spec.unwrap();
        let holder = spec.holder_identity.unwrap_or_default();
        InCharge { holder, epoch: spec.lease_transitions.unwrap_or_default() }
    }

    /// Waits until somebody has taken over since.
    async fn other_than(&self, before: Option<&InCharge>) {
        let waits = async {
            loop {
                let there = self.0.get_opt("soulfra-operator").await.unwrap();
                if there.is_some() {
                    let now = self.now().await;
                    if !now.holder.is_empty() && before.is_none_or(|it| now.epoch > it.epoch) {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let taken = tokio::time::timeout(NEVER, waits).await;
        assert!(taken.is_ok(), "nobody took over from {before:?}");
    }
}

/// The program.
struct Operator {
    child: Child,
    log: std::path::PathBuf,
    folder: TempDir,
}

impl Operator {
    fn start(house: &House) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let child = run(house, folder.path());
        Self { child, log, folder }
    }

    fn start_again(&mut self, house: &House) {
        self.child.wait().unwrap();
        self.child = run(house, self.folder.path());
    }

    /// What it calls itself, as its log says.
    fn identity(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rfind(|line| line.contains("this operator is called so"));
        let name = last.and_then(|line| line.rsplit("me=").next()?.split_whitespace().next());
        name.unwrap_or("nobody").trim_matches('"').to_owned()
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.unwrap().success(), "{signal}");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It may be stopped, and ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn run(house: &House, folder: &Path) -> Child {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    fs::write(file("root.key"), "07".repeat(32)).unwrap();
    fs::write(file("db-1"), told("DATABASE_URL")).unwrap();
    let settings = json!({
        "namespace": NAMESPACE,
        "rootKey": file("root.key"),
        "rootKeyIsMounted": true,
        "servers": {"db-1": file("db-1")},
        "health": "127.0.0.1:0",
        "installation": house.driver.installation,
    });
    fs::write(file("operator.yaml"), settings.to_string()).unwrap();
    let log = fs::File::create(file("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_operator"))
        .args(["--settings", &file("operator.yaml")])
        .env_clear()
        .env("KUBECONFIG", told("SOULFRA_TEST_KUBECONFIG"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// The middle one and the slowest, in milliseconds.
fn times(times: &mut [Duration]) -> String {
    times.sort();
    let at = |n: usize| times.get(n).map_or(0, Duration::as_millis);
    format!("{} ms, at most {} ms", at(times.len() / 2), at(times.len().saturating_sub(1)))
}

#[expect(clippy::disallowed_methods, reason = "the soak says how long")]
fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|it| it.parse().ok()).unwrap_or(usual)
}
