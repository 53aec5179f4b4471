//! One engine and the queue before it. The engine may come later, or be exchanged; who waits keeps
//! the place.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::admission::{Admission, Clock, Load, Policy};
use crate::engine::{Engine, ModelCard};

pub(super) struct Slot {
    engine: watch::Sender<Option<Arc<dyn Engine>>>,
    /// Tells the queue how much room the present engine has.
    follower: Mutex<Option<AbortHandle>>,
    queue: Admission,
}

impl Slot {
    /// Without an engine; none start before there is one.
    pub(super) fn new(policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            engine: watch::Sender::new(None),
            follower: Mutex::default(),
            queue: Admission::with(policy, 0, Clock::default()),
        })
    }

    /// From now on this engine answers. What another one has begun runs to its end there.
    pub(super) fn set(&self, engine: Arc<dyn Engine>) {
        let mut room = engine.room();
        self.engine.send_replace(Some(engine));
        self.queue.set_at_once(*room.borrow_and_update());
        let queue = self.queue.clone();
        let follower = tokio::spawn(async move {
            while room.changed().await.is_ok() {
                queue.set_at_once(*room.borrow_and_update());
            }
        });
        self.follow(Some(follower.abort_handle()));
    }

    fn follow(&self, follower: Option<AbortHandle>) {
        let mut mine = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *mine, follower).inspect(AbortHandle::abort);
    }

    pub(super) fn queue(&self) -> &Admission {
        &self.queue
    }

    pub(super) fn load(&self) -> Load {
        self.queue.load()
    }

    pub(super) fn engine(&self) -> Option<Arc<dyn Engine>> {
        self.engine.borrow().clone()
    }

    pub(super) fn models(&self) -> Vec<ModelCard> {
        self.engine().map(|engine| engine.models()).unwrap_or_default()
    }

    /// The engine, waited for if it is still being loaded.
    pub(super) async fn engine_within(&self, wait: Duration) -> Option<Arc<dyn Engine>> {
        let mut engine = self.engine.subscribe();
        let loaded = tokio::time::timeout(wait, engine.wait_for(Option::is_some)).await;
        loaded.ok()?.ok()?.clone()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.follow(None);
    }
}
