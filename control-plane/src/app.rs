//! The state of the control plane.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::PgPool;
use work::Clock;

use crate::cluster::Cluster;

/// What everything here shares. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub struct Parts {
    /// The database `control`.
    pub db: PgPool,
    /// Where platforms are.
    pub cluster: Arc<dyn Cluster>,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The database `control`.
    pub fn db(&self) -> &PgPool {
        &self.0.db
    }

    /// Where platforms are.
    pub fn cluster(&self) -> &dyn Cluster {
        &*self.0.cluster
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}
