//! The door of the tests: a platform that stands, with people to send there.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};

use accounts::passwords::{Cost, Passwords};
use async_trait::async_trait;
use axum::Router;
use blueprint::templates::{Overrides, from_template};
use blueprint::{BlueprintName, PlatformBlueprint, templates};
use database::Admin;
use database::tenant::{self, TenantDatabase};
use inference::safety::Level;
use inference::simulator::{SIMULATED_MODEL, Simulator};
use inference::{Credentials, Inference, Limits, Tenant};
use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tenant_runtime::model_server::ModelServer;
use tenant_runtime::{App, BlueprintOwner, ChangeRefused, Parts, Picture, Site};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use web::serve::Transport;
use web::token::Credential;
use work::Clock;
use work::sealed::RootKey;

use crate::Browser;
use crate::common::{drop_database, server};

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

/// A platform made from the template `creator`; gone when the test is over, however it ends.
pub(crate) struct TestPlatform {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    pub(crate) engine: Simulator,
    pub(crate) owner: Arc<Owner>,
    admin: Admin,
    name: BlueprintName,
    database: TenantDatabase,
    model_server: SocketAddr,
    stop: CancellationToken,
}

impl TestPlatform {
    /// A platform whose agents speak as this engine does.
    pub(crate) async fn new(engine: Simulator) -> Self {
        let admin = Admin::from_url(&server()).unwrap();
        let name: BlueprintName = format!("it-{}", Uuid::new_v4().simple()).parse().unwrap();
        let key = RootKey::from_bytes([7; 32]);
        let database =
            tenant::provision(&admin, &name, &tenant_runtime::SCHEMA, &key).await.unwrap();
        let clock = Clock::fixed("2026-08-01T12:00:00Z".parse().unwrap());
        let stop = CancellationToken::new();
        let model_server = serve_model(&engine, &clock, &name, stop.clone()).await;
        let blueprint = blueprint_of(&name);
        let (app, owner) = start(&database, &clock, model_server, blueprint);
        let template = templates::get("creator").unwrap();
        tenant_runtime::seed::plant(&app, template).await.unwrap();
        Self { app, clock, engine, owner, admin, name, database, model_server, stop }
    }

    /// The same platform after its process died: another runtime over the same database.
    pub(crate) async fn started_again(&self) -> App {
        let blueprint = self.app.site().blueprint.clone();
        let (app, _) = start(&self.database, &self.clock, self.model_server, blueprint);
        app.recover().await.unwrap();
        app
    }

    /// Another copy of the runtime, which serves the same platform beside the first.
    pub(crate) async fn beside(&self) -> App {
        let blueprint = self.app.site().blueprint.clone();
        let (app, _) = start(&self.database, &self.clock, self.model_server, blueprint);
        app.recover_beside_others().await.unwrap();
        app
    }

    /// Puts a changed blueprint into effect, as its owner would.
    pub(crate) fn change(&self, change: impl FnOnce(&mut PlatformBlueprint)) {
        let mut blueprint = self.app.site().blueprint.clone();
        change(&mut blueprint);
        self.app.apply(site(blueprint));
    }

    /// Takes the model server away.
    pub(crate) fn lose_the_model_server(&self) {
        self.stop.cancel();
    }

    /// A connection to the platform's database that may do anything there.
    pub(crate) async fn as_administrator(&self) -> PgConnection {
        let mut db = self.app.db().acquire().await.unwrap();
        let name: String =
            sqlx::query_scalar("select current_database()").fetch_one(&mut *db).await.unwrap();
        let server: PgConnectOptions = server().expose_secret().parse().unwrap();
        server.database(&name).connect().await.unwrap()
    }

    /// Somebody nobody knows.
    pub(crate) fn visitor(&self) -> Browser {
        Browser::new(&self.app)
    }

    /// Somebody who has just signed up.
    pub(crate) async fn person(&self, name: &str) -> Browser {
        let browser = self.visitor();
        browser.sign_up(name).await.expect(303);
        browser
    }

    /// Whoever came by the admin link.
    pub(crate) async fn owned(&self) -> Browser {
        let browser = self.visitor();
        let link = self.admin_link().await;
        browser.post(&link, &[("name", "Olive"), OLIVE, PASSWORD]).await.expect(303);
        browser
    }

    /// The path of a fresh admin link.
    pub(crate) async fn admin_link(&self) -> String {
        let mut db = self.app.db().acquire().await.unwrap();
        let link = accounts::ownership::issue(&mut db, self.clock.now()).await.unwrap();
        format!("/welcome/{}", link.token.expose())
    }
}

/// The owner's address, as a form sends it.
pub(crate) const OLIVE: (&str, &str) = ("email", "olive@example.com");
/// Everybody's password, as a form sends it.
pub(crate) const PASSWORD: (&str, &str) = ("password", "horse staple battery");

impl Drop for TestPlatform {
    fn drop(&mut self) {
        self.stop.cancel();
        drop_database(self.admin.clone(), self.name.clone());
    }
}

/// Whoever owns the blueprint: keeps each wish, and grants it unless told otherwise.
#[derive(Default)]
pub(crate) struct Owner {
    app: OnceLock<App>,
    wishes: Mutex<Vec<PlatformBlueprint>>,
    away: Mutex<Option<String>>,
}

impl Owner {
    /// What was asked for.
    pub(crate) fn wishes(&self) -> Vec<PlatformBlueprint> {
        self.wishes.lock().unwrap().clone()
    }

    /// From now on nothing can be stored, and this is why.
    pub(crate) fn cannot_store(&self, why: &str) {
        *self.away.lock().unwrap() = Some(why.to_owned());
    }
}

#[async_trait]
impl BlueprintOwner for Owner {
    async fn change(
        &self,
        base: &PlatformBlueprint,
        wanted: &PlatformBlueprint,
    ) -> Result<(), ChangeRefused> {
        let app = self.app.get().unwrap();
        assert_eq!(*base, app.site().blueprint, "a wish is made from what is in effect");
        self.wishes.lock().unwrap().push(wanted.clone());
        ChangeRefused::where_rules_break(wanted)?;
        if let Some(why) = self.away.lock().unwrap().clone() {
            return Err(ChangeRefused::NotStored(why));
        }
        app.apply(site(wanted.clone()));
        Ok(())
    }
}

fn start(
    database: &TenantDatabase,
    clock: &Clock,
    model_server: SocketAddr,
    blueprint: PlatformBlueprint,
) -> (App, Arc<Owner>) {
    let owner = Arc::new(Owner::default());
    let base = format!("http://{model_server}").parse().unwrap();
    let name = blueprint.metadata.name.clone().unwrap();
    let app = App::new(Parts {
        db: database.pool().unwrap(),
        clock: clock.clone(),
        passwords: Passwords::new(Cost::CHEAP, 4).unwrap(),
        model_server: ModelServer::new(
            base,
            Credential::new(SECRET),
            web::client::internal().unwrap(),
        ),
        models: vec![SIMULATED_MODEL.to_owned()],
        owner: Arc::clone(&owner) as Arc<dyn BlueprintOwner>,
        site: site(blueprint),
        origin: format!("http://{name}.localhost:8080"),
    })
    .unwrap();
    assert!(owner.app.set(app.clone()).is_ok());
    (app, owner)
}

fn site(blueprint: PlatformBlueprint) -> Site {
    let bytes = Arc::from(*b"<svg xmlns='http://www.w3.org/2000/svg'/>");
    Site::new(blueprint, |_| {
        Some(Picture { content_type: "image/svg+xml", bytes: Arc::clone(&bytes) as _ })
    })
}

fn blueprint_of(name: &BlueprintName) -> PlatformBlueprint {
    let wanted =
        Overrides { model: Some(SIMULATED_MODEL.to_owned()), ..Overrides::named(name.clone()) };
    from_template(templates::get("creator").unwrap(), &wanted).unwrap()
}

async fn serve_model(
    engine: &Simulator,
    clock: &Clock,
    name: &BlueprintName,
    stop: CancellationToken,
) -> SocketAddr {
    let credentials = Credentials::default();
    let tenant = Tenant::new(Credential::new(SECRET), "starter", Level::Moderate);
    credentials.set(name.as_str(), tenant);
    let clock = clock.clone();
    let inference = Inference::new(credentials, Arc::new(move || clock.now()), Limits::default());
    inference.set_engine(Arc::new(engine.clone()));
    serve(inference::router(inference), stop).await
}

/// Puts routes behind a real listener.
pub(crate) async fn serve(router: Router, stop: CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(web::serve::serve(
        listener,
        Transport::Plain,
        router,
        stop,
        web::serve::Places::new(web::serve::Limits::default()),
    ));
    address
}
