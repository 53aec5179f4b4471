//! A platform as the API server has it, served by the program that its pods run.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use operator::kind::Kind;
use operator::reconcile::ADMIN_LINK;
use operator::seen::Tenant;
use serde_json::json;

use crate::House;
use crate::pod::Runtime;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_blueprint_becomes_a_platform_that_its_first_visitor_owns_by_a_link_good_for_one_use() {
    let log = log();
    let house = House::open(2).await;
    let name = house.name("a");
    house.apply(&name, |_| {}).await;
    house.until_made(&name).await;
    house.until_known(&name, has_link).await;
    let link = link_of(&house, &name).await.expect("there is a link");
    let runtime = Runtime::start(&house, &name).await;
    let host = format!("{name}.platforms.example");
    assert!(link.starts_with(&format!("https://{host}/welcome/")), "{link}");
    let path = link.strip_prefix(&format!("https://{host}")).unwrap();

    assert_eq!(runtime.get("/").await.0, 200);
    assert_eq!(runtime.get(path).await.0, 200, "looking uses nothing up");
    let olive = [("name", "Olive"), ("email", "olive@example.com"), ("password", "horse staple b")];
    assert_eq!(runtime.post(path, &olive).await, 303);
    assert_eq!(runtime.post(path, &olive).await, 410);
    assert_eq!(runtime.get(path).await.0, 410);

    // Used: it is taken away, and no other one is made.
    house.clock.advance(SignedDuration::from_mins(6));
    house.settle(&name).await;
    assert_eq!(link_of(&house, &name).await, None);
    let status = house.blueprints().get(&name).await.unwrap().status.unwrap();
    assert_eq!(status.admin_link.map(|link| (link.asked, link.until)), Some((String::new(), None)));

    // Whoever lost the way in is let in again, by another one.
    house.apply(&name, |it| it["metadata"]["annotations"] = json!({ADMIN_LINK: "lost"})).await;
    let again = house.until(&name, "asked again", |it| {
        it.status
            .as_ref()
            .and_then(|it| it.admin_link.as_ref())
            .is_some_and(|it| it.asked == "lost")
    });
    let asked = again.await.status.unwrap().admin_link.unwrap();
    assert!(asked.until.is_some());
    house.until_known(&name, has_link).await;
    let second = link_of(&house, &name).await.expect("there is another link");
    assert_ne!(link, second);
    let (status, page) =
        runtime.get(second.strip_prefix(&format!("https://{host}")).unwrap()).await;
    assert!(status == 200 && page.contains("Welcome back"), "{page}");

    // Nobody tells what the links say but the Secret.
    let secrets = [&link, &second].map(|link| link.rsplit('/').next().unwrap().to_owned());
    let blueprint = serde_json::to_string(&house.blueprints().get(&name).await.unwrap()).unwrap();
    let events: Api<Event> = Api::all(house.client.clone());
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let configs: Api<ConfigMap> = Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
    let configs = configs.list(&ListParams::default()).await.unwrap().items;
    let said = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    assert!(said.contains(&name), "the log is heard");
    for told in [&blueprint, &json!(events).to_string(), &json!(configs).to_string(), &said] {
        assert!(secrets.iter().all(|secret| !told.contains(secret)), "a link was told");
    }
    runtime.end().await;
}

fn has_link(tenant: &Tenant) -> bool {
    tenant.children.keys().any(|id| id.kind == Kind::Secret && *id.name == *"admin-link")
}

/// The link that is in the platform's namespace.
async fn link_of(house: &House, name: &str) -> Option<String> {
    let secrets: Api<Secret> = Api::namespaced(house.client.clone(), &format!("tenant-{name}"));
    let secret = secrets.get_opt("admin-link").await.unwrap()?;
    Some(String::from_utf8(secret.data?.remove("url")?.0).unwrap())
}

/// All that is logged in this process, from now on.
fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let into = Into(log.clone());
        let filter = "debug,operator=trace,tenant_runtime=trace,accounts=trace,database=trace";
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(move || into.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    });
    log.clone()
}

#[derive(Clone)]
struct Into(Arc<Mutex<Vec<u8>>>);

impl Write for Into {
    fn write(&mut self, said: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(said);
        Ok(said.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
