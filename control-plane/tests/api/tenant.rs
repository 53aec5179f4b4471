//! A platform's own runtime over a database of its own, at the end where a control plane asks.

use std::sync::Arc;

use accounts::passwords::{Cost, Passwords};
use async_trait::async_trait;
use blueprint::status::Phase;
use blueprint::templates::{Overrides, from_template};
use blueprint::{BlueprintName, BlueprintStatus, PlatformBlueprint, templates};
use database::Admin;
use database::tenant;
use secrecy::SecretString;
use tenant_runtime::model_server::ModelServer;
use tenant_runtime::{App, BlueprintOwner, ChangeRefused, Parts, Site};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;
use uuid::Uuid;
use web::grant::{Trust, audience};
use web::token::Credential;
use work::sealed::RootKey;

use crate::Rig;
use crate::rig::{Caller, URL, installation};

/// It is asked for no model, and changes no blueprint.
struct Nobody;

#[async_trait]
impl BlueprintOwner for Nobody {
    async fn change(
        &self,
        _: &PlatformBlueprint,
        _: &PlatformBlueprint,
    ) -> Result<(), ChangeRefused> {
        Err(ChangeRefused::KeptElsewhere(Vec::new()))
    }
}

/// Gone when the test is over, however it ends.
pub(crate) struct Tenant {
    pub(crate) app: App,
    /// Where people meet it, by its first name.
    pub(crate) url: String,
    /// Where it is.
    gateway: Url,
    admin: Admin,
    name: BlueprintName,
    stop: Option<DropGuard>,
}

impl Tenant {
    /// It serves behind the gateway under this name, and takes nobody's grants.
    pub(crate) async fn new(rig: &Rig, platform: &str) -> Self {
        let admin = Admin::from_url(&server()).unwrap();
        let name: BlueprintName = format!("cp-{}", Uuid::new_v4().simple()).parse().unwrap();
        let key = RootKey::from_bytes([7; 32]);
        let made = tenant::provision(&admin, &name, &tenant_runtime::SCHEMA, &key).await.unwrap();
        let door = rig.gateway.door.lock().unwrap().take();
        let listener = TcpListener::from_std(door.unwrap()).unwrap();
        let url = format!("https://{platform}.{}", installation().domain);
        let wanted = Overrides::named("harbour".parse().unwrap());
        let blueprint = from_template(templates::get("creator").unwrap(), &wanted).unwrap();
        let app = App::new(Parts {
            db: made.pool().unwrap(),
            clock: rig.clock.clone(),
            passwords: Passwords::new(Cost::CHEAP, 4).unwrap(),
            model_server: ModelServer::new(
                "http://127.0.0.1:9".parse().unwrap(),
                Credential::new("a-secret-of-at-least-thirty-two-bytes"),
                web::client::internal().unwrap(),
            ),
            models: Vec::new(),
            owner: Arc::new(Nobody),
            site: Site::new(blueprint, |_| None),
            origin: url.clone(),
        })
        .unwrap();
        let (stop, router) = (CancellationToken::new(), tenant_runtime::router(app.clone()));
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served,
                () = stopped => Ok(()),
            }
        });
        let gateway = rig.gateway.url.clone();
        Self { app, url, gateway, admin, name, stop: Some(stop.drop_guard()) }
    }

    /// It takes grants for this platform, by the keys that the control plane shows to everybody.
    pub(crate) async fn trusts(&self, rig: &Rig, platform: &str) {
        let shown = rig.caller(None).get("/.well-known/jwks.json").await;
        assert_eq!(shown.status, 200);
        let keys = serde_json::from_value(shown.body["keys"].clone()).unwrap();
        let uid = rig.cluster.of(platform).unwrap().metadata.uid.unwrap();
        let audience = audience(platform, &uid);
        self.app.take_grants_of(Some(Trust { issuer: URL.to_owned(), audience, keys }));
    }

    /// Its operator says that it is met, and first under a domain of its own: somebody else has the DNS of that.
    pub(crate) fn is_met(rig: &Rig, platform: &str, phase: Phase) {
        let url = Some("https://shop.example".to_owned());
        let status = BlueprintStatus { phase: Some(phase), url, ..BlueprintStatus::default() };
        rig.cluster.seen_as(platform, status);
    }

    /// What is at a link of it.
    pub(crate) async fn at(&self, link: &str) -> (u16, String) {
        let path = link.strip_prefix(&self.url).unwrap();
        let host = self.url.strip_prefix("https://").unwrap();
        let asked = web::client::internal().unwrap().get(self.gateway.join(path).unwrap());
        let answer = asked.header("host", host).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Nobody answers there any more.
    pub(crate) fn dies(&mut self) {
        self.stop = None;
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // With its own runtime: the test's is about to end.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(tenant::drop_tenant(&admin, &name)).unwrap();
        });
        assert!(dropped.join().is_ok() || std::thread::panicking(), "its database stays");
    }
}

/// A platform of that name, which its own runtime serves; with the id of it.
pub(crate) async fn served(rig: &Rig, acme: &Caller<'_>, name: &str) -> (Tenant, String) {
    control_plane::grants::signing(&rig.app).await.unwrap();
    let made = acme.send("POST", "/v1/platforms", &[], crate::rig::written(name, "One")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let tenant = Tenant::new(rig, name).await;
    tenant.trusts(rig, name).await;
    Tenant::is_met(rig, name, Phase::Ready);
    (tenant, made.body["id"].as_str().unwrap().to_owned())
}

/// The server on which the tests make their databases.
#[expect(clippy::disallowed_methods, reason = "tests have no main that could read it")]
fn server() -> SecretString {
    std::env::var("DATABASE_URL").unwrap().into()
}
