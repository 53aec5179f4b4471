//! The models that answer, each engine with a queue of its own: loaded, asked, drained, let go.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::slot::Slot;
use crate::admission::{Load, Policy};
use crate::engine::{Engine, EngineError, Health, Job, Meter, ModelCard, Piece, Prompt, Reason};

/// Brings a model from wherever models are.
#[async_trait]
pub trait Loader: Send + Sync {
    /// The engine of the model with this id. Asked for one at a time.
    async fn load(&self, model: &str) -> Result<Arc<dyn Engine>, LoadFailed>;

    /// The id under which it answers then: another one where `model` is the path of a file.
    fn id_of(&self, model: &str) -> String {
        model.to_owned()
    }
}

/// Why a model could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadFailed {
    /// Nobody knows a model of that name.
    #[error("no model named {0} is known")]
    Unknown(String),
    /// The text is for whoever runs the server.
    #[error("{0}")]
    Broken(String),
}

/// Which engines there are. The first slot is the default, and is there before its engine is.
pub(super) struct Fleet {
    slots: RwLock<Vec<Arc<Slot>>>,
    /// Ids of models that are still to come.
    expected: RwLock<Vec<String>>,
    policy: Policy,
    /// Held while a model is loaded or let go: one at a time.
    changing: tokio::sync::Mutex<()>,
}

/// The longest a loaded model may take for its first token.
const WARM_UP: Duration = Duration::from_mins(2);

impl Fleet {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            slots: RwLock::new(vec![Slot::new(policy.clone())]),
            expected: RwLock::default(),
            policy,
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// The slot that answers for `model`, or for who names none. Until the default engine is
    /// there it may turn out to be anybody's.
    pub(super) fn slot(&self, model: Option<&str>) -> Option<Arc<Slot>> {
        let slots = self.slots();
        let default = slots.first()?;
        let Some(model) = model else { return Some(Arc::clone(default)) };
        let answers = |slot: &&Arc<Slot>| slot.models().iter().any(|card| card.id == model);
        let found = slots.iter().find(answers);
        found.or_else(|| default.engine().is_none().then_some(default)).cloned()
    }

    /// These models will come: who asks for one is told to wait.
    pub(super) fn expect(&self, models: impl IntoIterator<Item = String>) {
        let mut expected = self.expected.write().unwrap_or_else(PoisonError::into_inner);
        *expected = models.into_iter().collect();
    }

    /// Whether this model is still to come.
    pub(super) fn is_expected(&self, model: &str) -> bool {
        let expected = self.expected.read().unwrap_or_else(PoisonError::into_inner);
        expected.iter().any(|id| id == model)
    }

    pub(super) fn default_slot(&self) -> Option<Arc<Slot>> {
        self.slots().first().cloned()
    }

    /// Every model that answers, the default first.
    pub(super) fn models(&self) -> Vec<ModelCard> {
        self.slots().iter().flat_map(|slot| slot.models()).collect()
    }

    /// How busy they are, all together.
    pub(super) fn load(&self) -> Load {
        self.slots().iter().map(|slot| slot.load()).fold(
            Load { running: 0, waiting: 0 },
            |sum, load| Load {
                running: sum.running + load.running,
                waiting: sum.waiting + load.waiting,
            },
        )
    }

    /// How many jobs they work on at once, all together.
    pub(super) fn room(&self) -> usize {
        let of = |slot: &Arc<Slot>| slot.engine().map(|engine| *engine.room().borrow());
        self.slots().iter().filter_map(of).sum()
    }

    /// How each engine has fared, by its first model.
    pub(super) fn health(&self) -> Vec<(String, Health)> {
        let of = |slot: &Arc<Slot>| {
            let engine = slot.engine()?;
            Some((engine.models().into_iter().next()?.id, engine.health()))
        };
        self.slots().iter().filter_map(of).collect()
    }

    /// Loads a model beside those that are there, unless it is there already. It is in the list
    /// once it has answered a first token. Says under which id.
    pub(super) async fn bring(
        &self,
        model: &str,
        loader: &dyn Loader,
    ) -> Result<String, LoadFailed> {
        let _one = self.changing.lock().await;
        let id = loader.id_of(model);
        if self.models().iter().any(|card| card.id == id) {
            return Ok(id);
        }
        let engine = loader.load(model).await?;
        warm_up(engine.as_ref()).await?;
        self.add(engine);
        Ok(id)
    }

    /// Takes in an engine; as the default if there is none.
    pub(super) fn add(&self, engine: Arc<dyn Engine>) {
        let models = engine.models();
        let mut expected = self.expected.write().unwrap_or_else(PoisonError::into_inner);
        expected.retain(|id| !models.iter().any(|card| card.id == *id));
        drop(expected);
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        match slots.first() {
            Some(default) if default.engine().is_none() => default.set(engine),
            _ => {
                let slot = Slot::new(self.policy.clone());
                slot.set(engine);
                slots.push(slot);
            }
        }
    }

    /// Lets a model go: nobody new is let in, and it is dropped when its last job has ended, which
    /// is waited for `patience` at most. Says whether it was there.
    pub(super) async fn let_go(&self, model: &str, patience: Duration) -> bool {
        let _one = self.changing.lock().await;
        let Some(slot) = self.take(model) else { return false };
        let deadline = Instant::now() + patience;
        while slot.load() != (Load { running: 0, waiting: 0 }) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    fn take(&self, model: &str) -> Option<Arc<Slot>> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let answers = |slot: &Arc<Slot>| slot.models().iter().any(|card| card.id == model);
        let at = slots.iter().position(answers)?;
        let slot = slots.remove(at);
        if slots.is_empty() {
            slots.push(Slot::new(self.policy.clone()));
        }
        Some(slot)
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A first token, so that what is listed works, and the first person waits for nothing special.
async fn warm_up(engine: &dyn Engine) -> Result<(), LoadFailed> {
    let model = engine.models().into_iter().next().map(|card| card.id).unwrap_or_default();
    let job = Job::new(model, Prompt::question("Hello"), 1);
    let first = async {
        let mut stream = engine.generate(job, Meter::default()).await?;
        while let Some(piece) = stream.next().await {
            if let Piece::End { reason: Reason::Failed(error), .. } = piece {
                return Err(error);
            }
        }
        Ok::<_, EngineError>(())
    };
    match tokio::time::timeout(WARM_UP, first).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(LoadFailed::Broken(error.to_string())),
        Err(_) => Err(LoadFailed::Broken("it made no token in two minutes".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use web::token::Caller;

    use super::*;
    use crate::admission::{Cost, Place, Requester};
    use crate::simulator::Simulator;

    fn fleet(models: &[&str]) -> Fleet {
        let fleet = Fleet::new(Policy::default());
        for model in models {
            fleet.add(Arc::new(Simulator::echo().named(*model)));
        }
        fleet
    }

    fn ids(fleet: &Fleet) -> Vec<String> {
        fleet.models().into_iter().map(|card| card.id).collect()
    }

    fn enter(fleet: &Fleet, model: &str) -> Place {
        let caller = Caller::new("acme", "u", "a");
        let slot = fleet.slot(Some(model)).unwrap();
        let class = slot.queue().classes().lowest();
        let who = Requester { caller, class, paying: false };
        slot.queue().enter(&who, Cost { prompt_tokens: 1, max_tokens: 1 }).unwrap()
    }

    /// Loads what is called anything but `missing` or `broken`.
    #[derive(Default)]
    struct Shelf(AtomicUsize);

    #[async_trait]
    impl Loader for Shelf {
        async fn load(&self, model: &str) -> Result<Arc<dyn Engine>, LoadFailed> {
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            match model {
                "missing" => Err(LoadFailed::Unknown(model.to_owned())),
                "broken" => Ok(Arc::new(Simulator::breaking_after(0).named(model))),
                _ => Ok(Arc::new(Simulator::echo().named(self.id_of(model)))),
            }
        }

        fn id_of(&self, model: &str) -> String {
            model.rsplit('/').next().unwrap_or_default().to_owned()
        }
    }

    #[tokio::test]
    async fn each_model_has_a_queue_and_who_names_none_gets_the_default() {
        let fleet = fleet(&["small", "large"]);
        assert_eq!(ids(&fleet), ["small", "large"]);
        let slot = |model| fleet.slot(model).unwrap();
        assert_eq!(slot(None).models()[0].id, "small");
        assert_eq!(slot(Some("large")).models()[0].id, "large");
        assert!(fleet.slot(Some("other")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_is_loaded_once_for_all_who_ask_and_listed_when_it_works() {
        let (fleet, shelf) = (fleet(&["small"]), Shelf::default());
        let (one, other) = tokio::join!(fleet.bring("large", &shelf), fleet.bring("large", &shelf));
        let large = || Ok("large".to_owned());
        assert_eq!((one, other, shelf.0.load(Ordering::Relaxed)), (large(), large(), 1));
        assert_eq!(ids(&fleet), ["small", "large"]);

        let missing = fleet.bring("missing", &shelf).await;
        assert_eq!(missing, Err(LoadFailed::Unknown("missing".to_owned())));
        assert!(matches!(fleet.bring("broken", &shelf).await, Err(LoadFailed::Broken(_))));
        assert_eq!(ids(&fleet), ["small", "large"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_is_asked_for_by_its_path_is_loaded_once_too() {
        let (fleet, shelf) = (fleet(&["small"]), Shelf::default());
        for _ in 0..2 {
            let brought = fleet.bring("/models/large", &shelf).await;
            assert_eq!(brought, Ok("large".to_owned()));
        }
        assert_eq!(
            (ids(&fleet), shelf.0.load(Ordering::Relaxed)),
            (vec!["small".into(), "large".into()], 1)
        );
    }

    #[tokio::test]
    async fn a_model_is_expected_until_it_has_come_and_not_when_it_has_gone() {
        let fleet = fleet(&["small"]);
        fleet.expect(["small", "large"].map(str::to_owned));
        assert!(fleet.is_expected("large") && !fleet.is_expected("other"));
        fleet.add(Arc::new(Simulator::echo().named("large")));
        assert!(!fleet.is_expected("large"));
        assert!(fleet.let_go("large", Duration::ZERO).await && !fleet.is_expected("large"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_goes_when_its_last_job_has_ended_and_nobody_new_is_let_in() {
        let fleet = Arc::new(fleet(&["small", "large"]));
        let place = enter(&fleet, "large");
        let going = tokio::spawn({
            let fleet = Arc::clone(&fleet);
            async move { fleet.let_go("large", Duration::from_mins(1)).await }
        });
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(!going.is_finished() && fleet.slot(Some("large")).is_none());
        drop(place);
        assert!(going.await.unwrap());
        assert!(!fleet.let_go("large", Duration::ZERO).await, "it is gone already");
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_never_ends_does_not_keep_its_model_for_ever() {
        let fleet = fleet(&["small"]);
        let _place = enter(&fleet, "small");
        assert!(fleet.let_go("small", Duration::from_mins(1)).await);
        assert!(ids(&fleet).is_empty());
        fleet.add(Arc::new(Simulator::echo().named("next")));
        assert_eq!(fleet.slot(None).unwrap().models()[0].id, "next");
    }
}
