//! The control plane as it runs, its organizations, and who asks.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use accounts::passwords::{Cost, Passwords};
use blueprint::{BlueprintName, BlueprintSpec, PlanName};
use control_plane::admit::{self, New};
use control_plane::cluster::{Cluster as _, Kubernetes, Made};
use control_plane::db::platforms::{self, Owned};
use control_plane::domain::id::{OrganizationId, PlatformId};
use control_plane::rates::{Rates, Streams};
use control_plane::{App, Parts, migrate, router};
use futures::{StreamExt as _, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config};
use reqwest::header;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use web::egress::Egress;
use web::serve::{Limits, Places, Proxies, Transport};
use work::Clock;
use work::sealed::{KeyRing, RootKey};

use crate::asked::Kind;

/// As much as nobody asks.
const PLENTY: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();
/// One key listens for all.
const ENDLESS: Streams = Streams { each: usize::MAX, together: usize::MAX };
/// Platforms of the small organization.
const FEW: usize = 10;
/// Entries of a page.
const PAGE: usize = 50;
/// Blueprints that are made at once.
const AT_ONCE: usize = 32;
/// Nothing takes longer.
const SOON: Duration = Duration::from_mins(1);

pub(crate) struct World {
    url: String,
    client: reqwest::Client,
    /// Follows nothing, so that a page is what it is.
    browser: reqwest::Client,
    many: Organization,
    few: Organization,
    _stop: DropGuard,
}

struct Organization {
    key: String,
    platforms: Vec<PlatformId>,
    prefix: &'static str,
}

#[expect(clippy::disallowed_methods, reason = "whoever measures says where they are")]
fn told(name: &str) -> String {
    std::env::var(name).unwrap()
}

impl World {
    pub(crate) async fn open(count: usize) -> Self {
        let kubeconfig = Kubeconfig::read_from(told("SOULFRA_TEST_KUBECONFIG")).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = api_server::client(config).unwrap();
        define(&client).await;
        let stop = CancellationToken::new();
        let cluster = Arc::new(Kubernetes::follow(client, stop.clone()));
        while !cluster.is_known() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // As the program does.
        let pool = PgPoolOptions::new().max_connections(16);
        let db = pool.connect(&told("DATABASE_URL")).await.unwrap();
        migrate(&mut db.acquire().await.unwrap()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = App::new(Parts {
            db: db.clone(),
            cluster: cluster.clone(),
            clock: Clock::System,
            passwords: Passwords::new(Cost::CHEAP, 2).unwrap(),
            root_keys: KeyRing::of(RootKey::from_bytes([7; 32])),
            egress: Egress::allowing(["127.0.0.1/32".parse().unwrap()]).unwrap(),
            rates: Rates::new(PLENTY, PLENTY).with_streams(ENDLESS),
            url: url.parse().unwrap(),
            proxies: Proxies::default(),
            installation: None,
            gateway: None,
        });
        let places = Places::new(Limits::of(16_384));
        let routes = router(app.unwrap());
        tokio::spawn(web::serve::serve(listener, Transport::Plain, routes, stop.clone(), places));

        let owner = Some("owner@many.test");
        let (many, link) = organization(&db, &url, ("many", count), owner, &cluster).await;
        let (few, _) = organization(&db, &url, ("few", FEW), None, &cluster).await;
        let browser = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let fields = [("name", "Olive"), ("password", "correct horse battery")];
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let kind = "application/x-www-form-urlencoded";
        let joined = browser.post(link.unwrap()).header(header::CONTENT_TYPE, kind);
        let joined = joined.body(form.extend_pairs(fields).finish()).send().await.unwrap();
        assert_eq!(joined.status(), 303);
        let client = reqwest::Client::builder().timeout(SOON).build().unwrap();
        Self { url, client, browser, many, few, _stop: stop.drop_guard() }
    }

    pub(crate) async fn timed(&self, kind: Kind, number: usize) -> f64 {
        let begun = Instant::now();
        self.ask(kind, number).await;
        begun.elapsed().as_secs_f64() * 1e3
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&self, kind: Kind, number: usize) {
        let id = self.many.platforms[number * 7_919 % self.many.platforms.len()];
        match kind {
            Kind::Get => self.get(&self.many, &format!("/v1/platforms/{id}")).await,
            Kind::List => self.list(number, PAGE).await,
            Kind::TenOfAll => self.list(number, FEW).await,
            Kind::AllOfTen => self.get(&self.few, "/v1/platforms?limit=10").await,
            Kind::Audit => self.get(&self.many, "/v1/audit?limit=50").await,
            Kind::Console => {
                let page = self.browser.get(format!("{}/o/many", self.url)).send().await.unwrap();
                assert_eq!(page.status(), 200);
                page.bytes().await.unwrap();
            }
            Kind::Change => self.change(id, number).await,
            Kind::Create => {
                let made = format!("new-{}", Uuid::new_v4().simple());
                let written = written(&made, number);
                let sent = self.client.post(format!("{}/v1/platforms", self.url));
                let sent = sent.bearer_auth(&self.many.key).body(written).send().await.unwrap();
                assert_eq!(sent.status(), 201, "{:?}", sent.text().await);
            }
        }
    }

    /// A page from anywhere in the list, but for its end.
    async fn list(&self, number: usize, limit: usize) {
        let after = number * 7_919 % (self.many.platforms.len() - PAGE);
        let after = base64_of(&name("many", after));
        self.get(&self.many, &format!("/v1/platforms?limit={limit}&after={after}")).await;
    }

    async fn get(&self, organization: &Organization, path: &str) {
        let sent = self.client.get(format!("{}{path}", self.url));
        let answer = sent.bearer_auth(&organization.key).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
    }

    /// Where it is, who may listen, and to what.
    pub(crate) fn listened_to(&self) -> (SocketAddr, String, Vec<PlatformId>) {
        let server = self.url.strip_prefix("http://").unwrap().parse().unwrap();
        (server, self.many.key.clone(), self.many.platforms.clone())
    }

    pub(crate) async fn change(&self, id: PlatformId, number: usize) {
        let path = format!("{}/v1/platforms/{id}/blueprint", self.url);
        let read = self.client.get(&path).bearer_auth(&self.many.key).send().await.unwrap();
        let tag = read.headers()[header::ETAG].clone();
        let read: serde_json::Value = read.json().await.unwrap();
        let name = read["metadata"]["name"].as_str().unwrap().to_owned();
        assert!(name.starts_with(self.many.prefix));
        let sent = self.client.put(&path).bearer_auth(&self.many.key).header(header::IF_MATCH, tag);
        let answer = sent.body(written(&name, number)).send().await.unwrap();
        // Two changes of one at once: the later one is told so.
        assert!([200, 412].contains(&answer.status().as_u16()), "{:?}", answer.text().await);
    }
}

async fn organization(
    db: &PgPool,
    url: &str,
    (slug, count): (&'static str, usize),
    owner: Option<&str>,
    cluster: &Kubernetes,
) -> (Organization, Option<String>) {
    let owner = owner.map(|owner| owner.parse().unwrap());
    let new =
        New { slug: slug.parse().unwrap(), name: slug.into(), plan: PlanName::Business, owner };
    let admitted = admit::organization(db, &url.parse().unwrap(), new, Clock::System.now()).await;
    let admitted = admitted.unwrap();
    let id = sqlx::query_scalar("select id from control.organization where slug = $1");
    let id = OrganizationId(id.bind(slug).fetch_one(db).await.unwrap());
    let made = stream::iter(0..count).map(async |number| {
        let new = Owned {
            id: PlatformId(Uuid::now_v7()),
            name: name(slug, number).parse::<BlueprintName>().unwrap(),
            organization: id,
            created_at: Clock::System.now(),
            found: None,
        };
        assert!(platforms::take(&mut db.acquire().await.unwrap(), &new).await.unwrap());
        let spec = spec(&name(slug, number), number);
        cluster.create(&new.name, (&new.id.to_string(), Made::New), &spec).await.unwrap();
        new.id
    });
    let platforms = made.buffered(AT_ONCE).collect().await;
    let key = admitted.key.expose().to_owned();
    (Organization { key, platforms, prefix: slug }, admitted.invitation)
}

fn name(slug: &str, number: usize) -> String {
    format!("{slug}-{number:05}")
}

fn written(name: &str, number: usize) -> String {
    format!(
        "apiVersion: soulfra.io/v1alpha1\nkind: PlatformBlueprint\nmetadata: {{name: {name}}}\n\
         spec: {{identity: {{displayName: Platform {number}}}}}\n"
    )
}

fn spec(name: &str, number: usize) -> BlueprintSpec {
    blueprint::read(&written(name, number)).unwrap().spec
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

async fn define(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crd = blueprint::crd();
    let name = crd.metadata.name.clone().unwrap();
    let by = PatchParams::apply("bench").force();
    api.patch(&name, &by, &Patch::Apply(&crd)).await.unwrap();
    let established = await_condition(api, &name, conditions::is_crd_established());
    tokio::time::timeout(SOON, established).await.unwrap().unwrap();
}
