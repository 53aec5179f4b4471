//! One platform of this host: its database, its runtime, its blueprint as the file has it.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use blueprint::{BlueprintName, PlatformBlueprint};
use database::tenant::{self, TenantSchema};
use tenant_runtime::model_server::ModelServer;
use tenant_runtime::{App, BlueprintOwner, ChangeRefused, Parts, Picture, Site};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use web::token::Credential;
use work::Clock;

use super::control::Running;
use super::gate::Gate;
use super::{Host, unexpected};
use crate::failure::{Failure, Kind};
use crate::folder::Folder;
use crate::printer::{Event, Printer};
use crate::watch;

/// Whose tables a tenant's database has, in the order in which they are made.
pub const SCHEMA: TenantSchema = TenantSchema {
    name: "tenant",
    version: tenant_runtime::SCHEMA_VERSION,
    migrators: &[&work::MIGRATOR, &accounts::MIGRATOR, &tenant_runtime::MIGRATOR],
    readable: &["tenant"],
};

/// A platform that is up.
pub struct Platform {
    local: Arc<Local>,
    site: String,
    host_name: String,
    stop: CancellationToken,
}

/// The blueprint's owner in local mode: the file.
struct Local {
    name: BlueprintName,
    folder: Folder,
    printer: Printer,
    app: OnceLock<App>,
    /// The text last looked at, applied or refused; `None` where there was none to read. Held
    /// while it is changed, so that file and portal take turns.
    seen: Mutex<Option<String>>,
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
        let database = tenant::provision(&inner.admin, &name, &SCHEMA, &inner.key)
            .await
            .map_err(|error| database_failed(&error))?;
        if database.version < SCHEMA.version {
            tenant::migrate(&inner.admin, &name, &SCHEMA)
                .await
                .map_err(|error| database_failed(&error))?;
        }
        let db = database.pool().map_err(|error| unexpected(&format!("open the pool: {error}")))?;
        let host_name = format!("{name}.localhost");
        let site = format!("http://{host_name}:{}", inner.port);
        let credential =
            Credential::new(hex::encode(*inner.key.derive(&format!("model-server:{name}"))));
        inner.credentials.set(name.as_str(), credential.clone());
        let local = Arc::new(Local {
            name,
            folder,
            printer: inner.printer.clone(),
            app: OnceLock::new(),
            seen: Mutex::new(Some(text)),
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
                credential,
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
        let stop = CancellationToken::new();
        inner.gate.open(host_name.clone(), tenant_runtime::router(app.clone()));
        _ = local.app.set(app);
        watch::begin(&local.folder, stop.clone(), {
            let local = Arc::clone(&local);
            move || {
                let local = Arc::clone(&local);
                async move { local.look_again().await }
            }
        });
        phase.done(&site);
        Ok(Self { local, site, host_name, stop })
    }

    /// Where it is, with a fresh admin link while it has no owner.
    pub async fn running(&self, clock: &Clock) -> Result<Running, Failure> {
        let mut running = self.described();
        let Some(app) = self.local.app.get() else { return Ok(running) };
        let owned = async {
            let mut db = app.db().acquire().await?;
            Ok(accounts::people::first_owner(&mut db).await?.is_some())
        };
        if !owned.await.map_err(no_link)? {
            running.admin_link = Some(self.admin_link(clock).await?);
        }
        Ok(running)
    }

    /// A fresh one-time link: it makes the first owner, or lets the owner back in. Links made
    /// before it are void.
    pub async fn admin_link(&self, clock: &Clock) -> Result<String, Failure> {
        let Some(app) = self.local.app.get() else {
            return Err(unexpected("the platform has no runtime"));
        };
        let made = async {
            let mut db = app.db().begin().await?;
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
            folder: self.local.folder.path().to_owned(),
            admin_link: None,
        }
    }

    /// Refuses another folder with the same name.
    pub fn same_folder(&self, folder: &Folder) -> Result<(), Failure> {
        if self.local.folder == *folder {
            return Ok(());
        }
        Err(super::records::elsewhere(self.local.name.as_str(), self.local.folder.path()))
    }

    /// Stops answering, lets answers under way be stored, closes the database.
    pub async fn stop(self, gate: &Gate) {
        self.stop.cancel();
        gate.close(&self.host_name);
        if let Some(app) = self.local.app.get() {
            app.stop().await;
        }
    }
}

impl Local {
    fn site(&self, blueprint: PlatformBlueprint) -> Site {
        Site::new(blueprint, |path| picture(&self.folder, path))
    }

    /// Looks at the file again: a good edit is applied, a bad one is told, once, and changes
    /// nothing.
    async fn look_again(&self) {
        let Some(app) = self.app.get() else { return };
        let mut seen = self.seen.lock().await;
        let text = self.folder.text();
        if text.as_ref().ok() == seen.as_ref() {
            return;
        }
        *seen = text.as_ref().ok().cloned();
        let (lines, applied) = match text.and_then(|text| self.folder.understand(&text)) {
            Ok(blueprint) if blueprint.metadata.name.as_deref() != Some(self.name.as_str()) => {
                let line = format!("metadata.name: a platform keeps its name, {}", self.name);
                (vec![line], false)
            }
            Ok(blueprint) => {
                let old = app.site();
                let changes = blueprint::changes(&old.blueprint, &blueprint);
                app.apply(self.site(blueprint));
                (changes.iter().map(ToString::to_string).collect(), true)
            }
            Err(failure) => (failure.what.lines().map(str::to_owned).collect(), false),
        };
        if applied && lines.is_empty() {
            return;
        }
        self.printer.tell(&Event::Blueprint { name: self.name.as_str(), applied, lines: &lines });
    }
}

#[async_trait]
impl BlueprintOwner for Local {
    async fn change(
        &self,
        base: &PlatformBlueprint,
        wanted: &PlatformBlueprint,
    ) -> Result<(), ChangeRefused> {
        let problems = blueprint::check(wanted);
        if !problems.is_empty() {
            let lines = problems.iter().map(ToString::to_string).collect();
            return Err(ChangeRefused::BreaksRules(lines));
        }
        let app = self.app.get().ok_or(ChangeRefused::ChangedMeanwhile)?;
        let mut seen = self.seen.lock().await;
        let (current, text) =
            self.folder.read().map_err(|failure| ChangeRefused::NotStored(failure.what))?;
        if current != *base {
            return Err(ChangeRefused::ChangedMeanwhile);
        }
        // A person's comments and order stay, wherever their text can be changed in place.
        let text = blueprint::edit(&text, wanted)
            .unwrap_or_else(|| blueprint::write_with_schema_line(wanted, crate::folder::SCHEMA));
        crate::files::write_whole(&self.folder.blueprint_file(), text.as_bytes())
            .map_err(|error| ChangeRefused::NotStored(error.to_string()))?;
        app.apply(self.site(wanted.clone()));
        *seen = Some(text);
        Ok(())
    }
}

/// A brand file of the folder, if it is a picture we serve and really lies inside the folder: a
/// link in a folder that somebody else made must not publish a file of this machine.
fn picture(folder: &Folder, path: &str) -> Option<Picture> {
    const LARGEST: u64 = 1024 * 1024;
    let content_type = match path.rsplit_once('.')?.1 {
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => return None,
    };
    let within = folder.path().canonicalize().ok()?;
    let file = within.join(path).canonicalize().ok().filter(|file| file.starts_with(&within))?;
    // Looked at before it is opened: opening a pipe would wait for ever.
    let data = std::fs::symlink_metadata(&file).ok()?;
    if !data.is_file() || data.len() > LARGEST {
        return None;
    }
    let bytes = std::fs::read(&file).ok()?;
    Some(Picture { content_type, bytes: bytes.into() })
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
