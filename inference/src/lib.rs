//! Model server: who may ask, whose turn it is, which engine answers, and what it used.
//!
//! Reading order: [`engine`] is the seam that every engine fills, [`meter`] what it counts with;
//! [`sampling`], [`chances`], [`marks`], [`stop`], [`lanes`] and [`turns`] help engines,
//! [`simulator`] helps tests; [`upstream`] is an engine of others, [`route`] several in order, [`watchdog`] replaces
//! one that died; [`embedding`] is the seam for vectors; [`wire`] is the OpenAI format;
//! [`admission`] decides whose turn it is, and [`virtual_time`] shows how fairly; [`prices`],
//! [`budget`] and [`spool`] hold what an answer costs, what may be spent and what was used, and
//! [`till`] puts these three together; [`safety`] refuses what should not be said, [`metrics`]
//! counts; [`server`] puts all of it behind HTTP; [`models`] finds, fetches and checks model files.

pub mod chances;
pub mod engine;
pub mod lanes;
pub mod marks;
pub mod meter;
pub mod sampling;
pub mod stop;
pub mod turns;

mod attempt;
pub mod route;
pub mod upstream;
pub mod watchdog;

pub mod safety;

pub mod metrics;

pub mod simulator;

pub mod embedding;

pub mod wire;

pub mod admission;

pub mod virtual_time;

pub mod prices;

pub mod budget;

pub mod spool;

pub mod till;

pub mod server;

pub mod models;

pub use engine::{
    Engine, EngineError, Job, Message, ModelCard, Owner, Piece, Prompt, Reason, Role, Shape, Usage,
};
pub use meter::Meter;
pub use server::{
    Credentials, Inference, Limits, LoadFailed, Loader, Now, Tenant, admin_router, router,
};
