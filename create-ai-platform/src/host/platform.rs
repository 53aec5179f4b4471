//! One platform of this host: its database, its runtime, its blueprint as the file has it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use blueprint::{BlueprintName, PlatformBlueprint};
use database::tenant;
use tenant_runtime::model_server::ModelServer;
use tenant_runtime::{App, BlueprintOwner, ChangeRefused, Parts, Site, WeakApp, tidy};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use web::token::Credential;
use work::Clock;

use super::control::Running;
use super::seen::Runs;
use super::standing::Standing;
use super::{Host, unexpected};
use crate::failure::{Failure, Kind};
use crate::folder::Folder;
use crate::printer::{Event, Printer};
use crate::{look, watch};

/// How long a platform may take to stop: its answers get five seconds of it.
const STOPPED_WITHIN: Duration = Duration::from_secs(7);

/// A platform that is up.
pub struct Platform {
    local: Arc<Local>,
    app: App,
    site: String,
    secure_site: Option<String>,
    host_name: String,
    stop: CancellationToken,
}

/// The blueprint's owner in local mode: the file.
struct Local {
    name: BlueprintName,
    folder: Folder,
    printer: Printer,
    /// Weak, because the app holds its blueprint's owner.
    app: OnceLock<WeakApp>,
    standing: Standing,
    /// Held while the file is changed, so that file and portal take turns.
    seen: Mutex<Seen>,
}

/// What was last seen of the file.
struct Seen {
    /// Its text; `None` where there was none to read.
    text: Option<String>,
    /// Whether that was refused.
    refused: bool,
}

impl Platform {
    /// Brings a platform up from its blueprint.
    pub async fn start(
        host: &Host,
        name: BlueprintName,
        folder: Folder,
        blueprint: PlatformBlueprint,
        text: String,
    ) -> Result<Self, Failure> {
        let inner = &host.0;
        let phase = inner.printer.phase("platform");
        let database =
            tenant::provision(&inner.admin, &name, &tenant_runtime::SCHEMA, inner.keys.seals())
                .await
                .map_err(|error| database_failed(&error))?;
        if database.version < tenant_runtime::SCHEMA.version {
            tenant::migrate(&inner.admin, &name, &tenant_runtime::SCHEMA)
                .await
                .map_err(|error| database_failed(&error))?;
        }
        let db = database.pool().map_err(|error| unexpected(&format!("open the pool: {error}")))?;
        let host_name = format!("{name}.localhost");
        let site = format!("http://{host_name}:{}", inner.port);
        let secure_site = inner.secure_port.map(|port| format!("https://{host_name}:{port}"));
        let credential = Credential::new(hex::encode(
            *inner.keys.seals().derive(&format!("model-server:{name}")),
        ));
        let standing = Standing::new(
            name.to_string(),
            credential.clone(),
            inner.credentials.clone(),
            inner.usage.clone(),
        );
        let local = Arc::new(Local {
            name,
            folder,
            printer: inner.printer.clone(),
            app: OnceLock::new(),
            standing,
            seen: Mutex::new(Seen { text: Some(text), refused: false }),
        });
        let template = blueprint
            .spec
            .template
            .as_ref()
            .and_then(|template| blueprint::templates::get(&template.name));
        let app = App::new(Parts {
            db,
            clock: inner.clock.clone(),
            passwords: inner.passwords.for_tenant(),
            model_server: ModelServer::new(
                inner.model_base.clone(),
                credential.clone(),
                inner.client.clone(),
            ),
            models: inner.models.clone(),
            owner: Arc::clone(&local) as Arc<dyn BlueprintOwner>,
            site: local.site(blueprint),
            origin: site.clone(),
        })
        .map_err(|error| unexpected(&format!("build the pages: {error}")))?;
        let ready = async {
            app.recover().await?;
            match template {
                Some(template) => tenant_runtime::seed::plant(&app, template).await,
                None => Ok(()),
            }
        };
        ready.await.map_err(|error| unexpected(&format!("prepare the platform: {error}")))?;
        // From here on nothing fails: what is begun now, only `stop` ends.
        let stop = CancellationToken::new();
        _ = local.app.set(app.downgrade());
        local.standing.apply(&app.site().blueprint);
        inner.gate.open(host_name.clone(), tenant_runtime::router(app.clone()));
        tidy::begin(&local.name, app.downgrade(), stop.clone());
        watch::begin(&local.folder, stop.clone(), {
            let local = Arc::clone(&local);
            move || {
                let local = Arc::clone(&local);
                async move { local.look_again().await }
            }
        });
        phase.done(&site);
        Ok(Self { local, app, site, secure_site, host_name, stop })
    }

    /// Where it is, with a fresh admin link while it has no owner.
    pub async fn running(&self, clock: &Clock) -> Result<Running, Failure> {
        let mut running = self.described();
        running.warnings = look::warnings(&self.local.folder, &self.app.site().blueprint);
        let owned = async {
            let mut db = self.app.db().acquire().await?;
            Ok(accounts::people::first_owner(&mut db).await?.is_some())
        };
        if !Box::pin(owned).await.map_err(no_link)? {
            running.admin_link = Some(Box::pin(self.admin_link(clock)).await?);
        }
        Ok(running)
    }

    /// A fresh one-time link: it makes the first owner, or lets the owner back in. Links made
    /// before it are void.
    pub async fn admin_link(&self, clock: &Clock) -> Result<String, Failure> {
        let made = async {
            let mut db = self.app.db().begin().await?;
            let link = accounts::ownership::issue(&mut db, clock.now()).await?;
            db.commit().await?;
            Ok(format!("{}/welcome/{}", self.site, link.token.expose()))
        };
        made.await.map_err(no_link)
    }

    /// Where it is.
    pub fn described(&self) -> Running {
        Running {
            name: self.local.name.to_string(),
            site: self.site.clone(),
            secure_site: self.secure_site.clone(),
            folder: self.local.folder.path().to_owned(),
            admin_link: None,
            warnings: Vec::new(),
        }
    }

    /// By which blueprint it runs, and where.
    pub fn runs(&self) -> Runs {
        Runs { spec: self.app.site().blueprint.spec.clone(), site: self.site.clone() }
    }

    /// Its runtime, for as long as it runs.
    #[cfg(test)]
    pub fn app(&self) -> WeakApp {
        self.app.downgrade()
    }

    /// Refuses another folder with the same name.
    pub fn same_folder(&self, folder: &Folder) -> Result<(), Failure> {
        if self.local.folder == *folder {
            return Ok(());
        }
        Err(super::records::elsewhere(self.local.name.as_str(), self.local.folder.path()))
    }

    /// Stops answering, lets answers under way be stored, closes the database, and leaves
    /// nothing of it in the host.
    pub async fn stop(self, host: &Host) {
        let name = &self.local.name;
        self.stop.cancel();
        host.0.gate.close(&self.host_name);
        if tokio::time::timeout(STOPPED_WITHIN, self.app.stop()).await.is_err() {
            tracing::warn!(%name, "its database was still in use when it was stopped");
        }
        self.local.standing.end();
    }
}

impl Local {
    fn app(&self) -> Option<App> {
        self.app.get()?.upgrade()
    }

    fn site(&self, blueprint: PlatformBlueprint) -> Site {
        Site::new(blueprint, |path| look::picture(&self.folder, path).ok())
    }

    /// Looks at the file again: a good edit is applied, a bad one is told, once, and changes
    /// nothing. One that is taken back is told too, or the last word on it would be a refusal.
    async fn look_again(&self) {
        let Some(app) = self.app() else { return };
        let mut seen = self.seen.lock().await;
        let text = self.folder.text();
        if text.as_ref().ok() == seen.text.as_ref() {
            return;
        }
        seen.text = text.as_ref().ok().cloned();
        let mut warnings = Vec::new();
        let (lines, applied) = match text.and_then(|text| self.folder.understand(&text)) {
            Ok(blueprint) if blueprint.metadata.name.as_deref() != Some(self.name.as_str()) => {
                let line = format!("metadata.name: a platform keeps its name, {}", self.name);
                (vec![line], false)
            }
            Ok(blueprint) => {
                let old = app.site();
                let changes = blueprint::changes(&old.blueprint, &blueprint);
                warnings = look::warnings(&self.folder, &blueprint);
                let idle = blueprint::changed_without_effect(&old.blueprint, &blueprint);
                warnings.extend(look::without_effect(&idle));
                self.standing.apply(&blueprint);
                app.apply(self.site(blueprint));
                (changes.iter().map(ToString::to_string).collect(), true)
            }
            Err(failure) => (failure.what.lines().map(str::to_owned).collect(), false),
        };
        let before = std::mem::replace(&mut seen.refused, !applied);
        if applied && lines.is_empty() && !before {
            return;
        }
        let name = self.name.as_str();
        let warnings = warnings.as_slice();
        self.printer.tell(&Event::Blueprint { name, applied, lines: &lines, warnings });
    }
}

#[async_trait]
impl BlueprintOwner for Local {
    async fn change(
        &self,
        base: &PlatformBlueprint,
        wanted: &PlatformBlueprint,
    ) -> Result<(), ChangeRefused> {
        ChangeRefused::where_rules_break(wanted)?;
        let app = self.app().ok_or(ChangeRefused::ChangedMeanwhile)?;
        let mut seen = self.seen.lock().await;
        let (current, text) =
            self.folder.read().map_err(|failure| ChangeRefused::NotStored(failure.what))?;
        if current != *base {
            return Err(ChangeRefused::ChangedMeanwhile);
        }
        let text = crate::folder::rewrite(&text, wanted);
        crate::files::write_whole(&self.folder.blueprint_file(), text.as_bytes())
            .map_err(|error| ChangeRefused::NotStored(error.to_string()))?;
        self.standing.apply(wanted);
        app.apply(self.site(wanted.clone()));
        *seen = Seen { text: Some(text), refused: false };
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn no_link(error: sqlx::Error) -> Failure {
    unexpected(&format!("make the admin link: {error}"))
}

fn database_failed(error: &tenant::Error) -> Failure {
    Failure::new(
        Kind::Database,
        error.to_string(),
        "Nothing is half-made: run the same command again once the cause is mended.",
    )
}
