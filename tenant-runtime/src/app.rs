//! The state of one platform's runtime, field by field.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use accounts::passwords::Passwords;
use async_trait::async_trait;
use blueprint::PlatformBlueprint;
use jiff::Timestamp;
use pages::Engine;
use sqlx::PgPool;
use web::grant::Trust;
use work::Clock;

use crate::answers::Answers;
use crate::model_server::ModelServer;
use crate::site::Site;

/// One platform at run time. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// An [`App`] that is not kept alive by this: for what the app itself holds.
#[derive(Clone)]
pub struct WeakApp(Weak<Inner>);

impl WeakApp {
    /// The app, while there is one.
    pub fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

/// What an [`App`] is made of.
pub struct Parts {
    /// This platform's own database, as its own role.
    pub db: PgPool,
    /// The time.
    pub clock: Clock,
    /// Hashes passwords, a few at a time.
    pub passwords: Passwords,
    /// The only way to a model.
    pub model_server: ModelServer,
    /// The models that can be asked; the first is the default. None while that is not known.
    pub models: Vec<String>,
    /// Who writes the blueprint.
    pub owner: Arc<dyn BlueprintOwner>,
    /// What the blueprint makes of it.
    pub site: Site,
    /// The platform's address, as people type it: scheme, host and port.
    pub origin: String,
}

struct Inner {
    parts: Parts,
    site: RwLock<Arc<Site>>,
    models: RwLock<Arc<[String]>>,
    trust: RwLock<Option<Arc<Trust>>>,
    answers: Answers,
    engine: Engine,
}

/// Whoever owns the blueprint's text: the file in local mode, the control plane in production.
/// The portal never writes it itself; it asks.
#[async_trait]
pub trait BlueprintOwner: Send + Sync {
    /// Asks for a change made from `base`. Refused when the blueprint has changed since, or when
    /// the new one breaks a rule.
    async fn change(
        &self,
        base: &PlatformBlueprint,
        wanted: &PlatformBlueprint,
    ) -> Result<(), ChangeRefused>;
}

/// Why a change to the blueprint was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeRefused {
    /// Somebody changed it meanwhile.
    #[error("The blueprint was changed meanwhile. Look at the new state and try again.")]
    ChangedMeanwhile,
    /// It breaks rules; each line says where and what would be right.
    #[error("{}", .0.join("; "))]
    BreaksRules(Vec<String>),
    /// It is kept where this program cannot write; each line says what would have to be changed.
    #[error(
        "The blueprint of this platform is kept in its cluster. Ask whoever runs it to change \
         there (kubectl edit pb): {}",
        .0.join("; ")
    )]
    KeptElsewhere(Vec<String>),
    /// The owner cannot be reached or cannot write.
    #[error("The change could not be stored: {0}. Nothing was changed.")]
    NotStored(String),
}

impl ChangeRefused {
    /// Refuses a blueprint that breaks rules, with all of them.
    ///
    /// # Errors
    /// [`ChangeRefused::BreaksRules`].
    pub fn where_rules_break(wanted: &PlatformBlueprint) -> Result<(), Self> {
        let problems = blueprint::check(wanted);
        if problems.is_empty() {
            return Ok(());
        }
        Err(Self::BreaksRules(problems.iter().map(ToString::to_string).collect()))
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Result<Self, pages::BuildError> {
        let site = RwLock::new(Arc::new(parts.site.clone()));
        let models = RwLock::new(parts.models.as_slice().into());
        let engine = crate::view::engine()?;
        let (trust, answers) = (RwLock::default(), Answers::default());
        Ok(Self(Arc::new(Inner { parts, site, models, trust, answers, engine })))
    }

    /// The same, without keeping it alive.
    pub fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }

    /// This platform's database.
    pub fn db(&self) -> &PgPool {
        &self.0.parts.db
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    /// Hashes passwords.
    pub fn passwords(&self) -> &Passwords {
        &self.0.parts.passwords
    }

    /// The way to the models.
    pub fn model_server(&self) -> &ModelServer {
        &self.0.parts.model_server
    }

    /// The models that can be asked; the first is the default. None while that is not known.
    pub fn models(&self) -> Arc<[String]> {
        Arc::clone(&self.0.models.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these can be asked.
    pub fn offer(&self, models: Vec<String>) {
        *self.0.models.write().unwrap_or_else(PoisonError::into_inner) = models.into();
    }

    /// Whose grants are taken; nobody's, where no control plane is known.
    pub fn trust(&self) -> Option<Arc<Trust>> {
        self.0.trust.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on grants of this control plane are taken, and no others.
    pub fn take_grants_of(&self, trust: Option<Trust>) {
        *self.0.trust.write().unwrap_or_else(PoisonError::into_inner) = trust.map(Arc::new);
    }

    /// Who writes the blueprint.
    pub fn owner(&self) -> &dyn BlueprintOwner {
        &*self.0.parts.owner
    }

    /// The address people type.
    pub fn origin(&self) -> &str {
        &self.0.parts.origin
    }

    /// The platform's name, as the model server knows it.
    pub fn name(&self) -> String {
        self.site().blueprint.metadata.name.clone().unwrap_or_default()
    }

    /// The answers being spoken.
    pub fn answers(&self) -> &Answers {
        &self.0.answers
    }

    /// Renders pages.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What the blueprint makes of this platform right now.
    pub fn site(&self) -> Arc<Site> {
        Arc::clone(&self.0.site.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a changed blueprint into effect. Requests under way finish with the old one.
    pub fn apply(&self, site: Site) {
        *self.0.site.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(site);
    }

    /// The model for an agent: what it asks for, else the blueprint's default, else the first;
    /// never one that is not there, as far as that is known.
    pub fn model_for(&self, wanted: Option<&str>) -> String {
        let site = self.site();
        let default = site.blueprint.spec.ai.default_model.as_deref();
        let models = self.models();
        let there = |model: &&str| models.is_empty() || models.iter().any(|m| m == model);
        [wanted, default]
            .into_iter()
            .flatten()
            .find(there)
            .or(models.first().map(String::as_str))
            .unwrap_or_default()
            .to_owned()
    }

    /// Makes the platform ready after a start, where no other copy of the runtime serves it: answers
    /// that a crash cut off are over.
    pub async fn recover(&self) -> sqlx::Result<()> {
        let mut db = self.db().acquire().await?;
        let cut = crate::db::messages::interrupt_all(&mut db, self.now()).await?;
        if cut > 0 {
            tracing::info!(cut, "answers were interrupted by the last end");
        }
        Ok(())
    }

    /// The same where others may serve it too: answers are over that nobody speaks any more.
    pub async fn recover_beside_others(&self) -> sqlx::Result<()> {
        let mut db = self.db().acquire().await?;
        let cut = crate::db::messages::interrupt_silent(&mut db, None, self.now()).await?;
        if cut > 0 {
            tracing::info!(cut, "answers were interrupted: nobody speaks them any more");
        }
        Ok(())
    }

    /// Waits until no answer is being spoken, for at most `patience`.
    pub async fn finish(&self, patience: Duration) {
        let ended = async {
            while self.answers().running() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        _ = tokio::time::timeout(patience, ended).await;
    }

    /// Ends what is under way and closes the database.
    pub async fn stop(&self) {
        self.answers().stop_all();
        self.finish(Duration::from_secs(5)).await;
        self.db().close().await;
    }
}
