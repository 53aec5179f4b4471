//! The console over the platforms of this machine: the control plane in this process, with a database
//! of its own beside those of the platforms.

use std::sync::Arc;
use std::time::Duration;

use accounts::Email;
use blueprint::PlanName;
use control_plane::admit::{self, New};
use control_plane::db::members;
use control_plane::domain::id::OrganizationId;
use control_plane::pool::pool;
use control_plane::rates::Rates;
use control_plane::{App, courier, herald, keeper, observer};
use secrecy::ExposeSecret as _;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use web::egress::Egress;
use web::serve::Proxies;
use work::Clock;

use super::local::Local;
use super::{Host, unexpected};
use crate::failure::{Failure, Kind, Result};

/// The name it answers under; no platform can have it.
const HOST: &str = "console.localhost";
/// How its database is called, with the name of this home's root key behind it: on a server that several
/// homes use each has its own. No platform's is called so: theirs begin otherwise.
const DATABASE: &str = "soulfra_control";
/// As blueprints would name whoever owns this machine.
const ORGANIZATION: &str = "local";
/// Platforms that a command made are looked for so often.
const LOOKS: Duration = Duration::from_secs(1);

/// The console of this machine.
pub struct Console {
    db: PgPool,
    url: Url,
    organization: OrganizationId,
}

impl Console {
    /// Where it is; and the link by which this person joins as its owner, where they have not yet.
    pub async fn let_in(&self, email: Option<String>) -> Result<(String, Option<String>)> {
        let url = self.url.to_string();
        let Some(email) = email else {
            let mut conn = self.db.acquire().await.map_err(|error| no_database(&error))?;
            let first = members::list(&mut conn, self.organization, None, 1).await;
            if first.map_err(|error| no_database(&error))?.is_empty() {
                return Err(Failure::new(
                    Kind::Name,
                    "nobody owns the console of this machine yet",
                    "Say who you are: create-ai-platform console --email you@example.com",
                ));
            }
            return Ok((url, None));
        };
        let email: Email = email.parse().map_err(|problem| {
            Failure::new(Kind::Name, format!("{email}: {problem}"), "For example: ann@example.com")
        })?;
        let to = (self.organization, email);
        let link = admit::owner(&self.db, &self.url, to, Clock::System.now()).await;
        Ok((url, link.map_err(|error| no_database(&error))?))
    }
}

/// Opens it, beside everything else: no platform waits for it.
pub fn begin(host: &Host, tasks: &TaskTracker) {
    let (host, more) = (host.clone(), tasks.clone());
    tasks.spawn(async move {
        let stop = host.0.ending.clone();
        let opened = stop.run_until_cancelled(Box::pin(open(&host, &more))).await;
        if let Some(Err(failure)) = opened {
            tracing::error!(why = failure.what, "there is no console");
        }
    });
}

async fn open(host: &Host, tasks: &TaskTracker) -> Result<()> {
    let inner = &host.0;
    // The compiler does not see that migrations may move between threads: they stay on one.
    let (this, handle) = (host.clone(), Handle::current());
    let prepared = tokio::task::spawn_blocking(move || handle.block_on(database(&this))).await;
    let prepared =
        prepared.map_err(|error| unexpected(&format!("prepare the console: {error}")))?;
    let db = prepared.map_err(|error| no_database(&error))?;
    let url = Url::parse(&format!("http://{HOST}:{}/", inner.port))
        .map_err(|error| unexpected(&format!("name the console: {error}")))?;
    let new = New {
        slug: ORGANIZATION.parse().map_err(|_| unexpected("name the console's organization"))?,
        name: "This machine".to_owned(),
        // It is the person's own: nothing of it is sold to them.
        plan: PlanName::Enterprise,
        owner: None,
    };
    let organization = admit::once(&db, &new, inner.clock.now()).await;
    let organization =
        organization.map_err(|error| unexpected(&format!("prepare the console: {error}")))?;
    let local = Local::of(host);
    let app = App::new(control_plane::Parts {
        db: db.clone(),
        cluster: Arc::new(local.clone()),
        clock: inner.clock.clone(),
        passwords: inner.passwords.for_tenant(),
        root_keys: inner.keys.clone(),
        egress: Egress::allowing([])
            .map_err(|error| unexpected(&format!("make the client of webhooks: {error}")))?,
        rates: Rates::default(),
        url: url.clone(),
        proxies: Proxies::at([]),
        installation: None,
        gateway: None,
    });
    let app = app.map_err(|error| unexpected(&format!("build the console's pages: {error}")))?;
    // Those that start and stop platforms end with the first word of an end, the rest with its last.
    let (ending, stop) = (inner.ending.clone(), inner.stop.clone());
    let looking = (local.clone(), db.clone(), ending.clone());
    tasks.spawn(async move {
        let (local, db, ending) = looking;
        make_known(&local, &db, organization, ending).await;
    });
    tasks.spawn(async move { local.run(ending).await });
    tasks.spawn(keeper::run(app.clone(), stop.clone()));
    tasks.spawn(observer::run(app.clone(), stop.clone()));
    tasks.spawn(herald::run(app.clone(), stop.clone()));
    tasks.spawn(courier::run(app.clone(), stop.clone()));
    inner.gate.open(HOST.to_owned(), control_plane::router(app));
    let closing = db.clone();
    tasks.spawn(async move {
        stop.cancelled().await;
        closing.close().await;
    });
    if inner.console.set(Console { db, url, organization }).is_err() {
        return Err(unexpected("open the console twice"));
    }
    Ok(())
}

/// What a command made is a platform of the console too.
async fn make_known(
    local: &Local,
    db: &PgPool,
    organization: OrganizationId,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        if let Err(failure) = known(local, db, organization).await {
            tracing::warn!(why = failure.what, "the console does not know all platforms");
        }
        _ = stop.run_until_cancelled(tokio::time::sleep(LOOKS)).await;
    }
}

async fn known(local: &Local, db: &PgPool, organization: OrganizationId) -> Result<()> {
    for name in local.unknown().await? {
        let id = admit::platform(db, organization, &name, Clock::System.now()).await;
        if let Some(id) = id.map_err(|error| no_database(&error))? {
            local.is(&name, &id.to_string()).await?;
        }
    }
    Ok(())
}

/// Its database, made where there is none, with its tables up to date.
async fn database(
    host: &Host,
) -> std::result::Result<PgPool, Box<dyn std::error::Error + Send + Sync>> {
    let admin = &host.0.admin;
    let name = format!("{DATABASE}_{}", host.0.keys.seals().id());
    let mut conn = admin.connect().await?;
    let owner = sqlx::query_scalar::<_, bool>(
        "select pg_get_userbyid(datdba) = current_user from pg_catalog.pg_database where datname = $1",
    );
    match owner.bind(&name).fetch_optional(&mut conn).await? {
        Some(true) => {}
        Some(false) => return Err(format!("{name} is another login's").into()),
        None => {
            let made = sqlx::AssertSqlSafe(format!("create database {name}"));
            sqlx::raw_sql(made).execute(&mut conn).await?;
        }
    }
    // No platform's login may look in.
    let closed = sqlx::AssertSqlSafe(format!("revoke all on database {name} from public"));
    sqlx::raw_sql(closed).execute(&mut conn).await?;
    let mut conn = admin.connect_to(&name).await?;
    control_plane::migrate(&mut conn).await?;
    let options: PgConnectOptions = host.0.admin_url.expose_secret().parse()?;
    Ok(pool(options.database(&name)))
}

/// It is being opened, or could not be.
pub fn not_yet() -> Failure {
    Failure::new(
        Kind::Host,
        "the console is not open yet",
        "Wait a moment and run the same command again. If it stays, host.log has the cause.",
    )
}

fn no_database(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Database,
        format!("the console's database cannot be used: {error}"),
        "Nothing was lost: run the same command again once the cause is mended.",
    )
}
