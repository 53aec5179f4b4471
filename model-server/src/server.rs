//! The running server: two ports, the models, an end in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use inference::budget::Local;
use inference::models::Store;
use inference::safety::{BadRules, ModelGuard, Rules};
use inference::till::{Keeper, OpenError, Till};
use inference::{
    Credentials, Inference, Limits, LoadFailed, Loader, Now, admin_router, budget, router,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use web::serve::{Places, Transport, serve};
use web::token::Credential;

use crate::config::{Config, ConfigError, Tenant};
use crate::routes::{Offers, RouteError};
use crate::shelf::Shelf;

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port.
    #[error("could not listen on {address}: {cause}")]
    Port {
        /// Which.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// A model.
    #[error("the model {model} is not there: {cause}")]
    Model {
        /// Which.
        model: String,
        /// Why.
        cause: LoadFailed,
    },
    /// There is no folder to keep models in.
    #[error("no folder for models: set cache")]
    NoCache,
    /// The records of what was used.
    #[error("could not use the records of what was used: {0}")]
    Usage(#[from] OpenError),
    /// The rules of safety.
    #[error("the rules of safety cannot be read: {0}")]
    Rules(#[from] BadRules),
    /// A model of others.
    #[error(transparent)]
    Route(#[from] RouteError),
}

/// Where a server can be asked.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// By tenants.
    pub tenants: SocketAddr,
    /// By operators.
    pub operators: SocketAddr,
}

/// How long engines may take to stop, once nobody is served any more.
const STOPPED_WITHIN: Duration = Duration::from_secs(3);
/// How long a guard may take for each text it judges.
const GUARD_PATIENCE: Duration = Duration::from_secs(10);

/// Serves until `stop` is cancelled. The ports are open at once, and told to `open`; the models
/// are loaded meanwhile, and a server one of whose models is missing ends.
pub async fn run(
    config: Config,
    stop: CancellationToken,
    open: impl FnOnce(Addresses),
) -> Result<(), StartError> {
    let now: Now = Arc::new(system_time);
    let (till, local, keeper) = open_till(&config, &now).await?;
    let credentials = Credentials::default();
    for tenant in &config.tenants {
        let Tenant { name, class, safety, monthly_budget, per_user_daily_tokens, .. } = tenant;
        let credential = Credential::new(tenant.secret()?);
        let known = inference::Tenant::new(credential, class, (*safety).into());
        credentials.set(name, known);
        if let Some(local) = &local {
            local.set_budget(name, *monthly_budget);
        }
        till.ledger()
            .set_limits(name, budget::Limits { per_user_daily_tokens: *per_user_daily_tokens });
    }
    let store = match &config.cache {
        Some(folder) => Store::new(folder),
        None => Store::of_this_person().ok_or(StartError::NoCache)?,
    };
    let offers = Offers::new(&config.upstreams, config.prices.clone())?;
    let shelf = Arc::new(Shelf::new(store, offers, config.engine));
    let inference = Inference::new(credentials, now, Limits::default())
        .with_till(till)
        .with_rules(Rules::new()?);
    let (tenants, tenants_at) = listen(config.listen).await?;
    let (operators, operators_at) = listen(config.admin).await?;
    open(Addresses { tenants: tenants_at, operators: operators_at });

    let places = || Places::new(web::serve::Limits::default());
    let serve = |listener, router| {
        tokio::spawn(serve(listener, Transport::Plain, router, stop.clone(), places()))
    };
    let brings = Arc::clone(&shelf) as Arc<dyn Loader>;
    let operators = serve(operators, admin_router(inference.clone(), brings));
    let tenants = serve(tenants, router(inference.clone()));
    let loading = load(&config, &inference, shelf.as_ref());
    if let Some(Err(error)) = stop.run_until_cancelled(loading).await {
        stop.cancel();
        return Err(error);
    }
    // Whatever becomes of one of them, the other one ends too.
    let _ = tenants.await;
    stop.cancel();
    let _ = operators.await;
    inference.close(STOPPED_WITHIN).await;
    keeper.close().await;
    Ok(())
}

/// Where budgets are this process's own, also the treasury to set them at.
async fn open_till(
    config: &Config,
    now: &Now,
) -> Result<(Till, Option<Local>, Keeper), StartError> {
    let (folder, prices, now) = (&config.usage, config.prices.clone(), Arc::clone(now));
    if let Some(control_plane) = &config.control_plane {
        let (till, keeper) = Till::open_remote(folder, control_plane.remote()?, prices, now)?;
        return Ok((till, None, keeper));
    }
    let (till, local, keeper) = Till::open_local(folder, prices, now).await?;
    Ok((till, Some(local), keeper))
}

async fn load(config: &Config, inference: &Inference, shelf: &Shelf) -> Result<(), StartError> {
    let Config { models, embeddings, guard, .. } = config;
    let here: Vec<_> = models.iter().map(|model| shelf.id_of(model)).collect();
    let offered = || shelf.offers().ids();
    inference.expect(here.iter().cloned().chain(offered().map(str::to_owned)));
    // Before anything can be asked that it is to judge.
    if let Some(model) = guard {
        let missing = |cause| StartError::Model { model: model.clone(), cause };
        let engine = shelf.load(model).await.map_err(missing)?;
        let id = engine.models().into_iter().next().map_or_else(|| model.clone(), |card| card.id);
        inference.set_guard(Arc::new(ModelGuard::new(engine, id, GUARD_PATIENCE)));
        tracing::info!(model, "the guard is ready");
    }
    for model in models {
        let missing = |cause| StartError::Model { model: model.clone(), cause };
        inference.bring(model, shelf).await.map_err(missing)?;
        tracing::info!(model, "a model is ready");
    }
    for model in offered() {
        if !here.iter().any(|here| here == model)
            && let Some(engine) = shelf.offers().route(model, None).map_err(RouteError::from)?
        {
            inference.add_engine(engine);
        }
    }
    if let Some(model) = embeddings {
        let missing = |cause| StartError::Model { model: model.clone(), cause };
        inference.set_embedder(shelf.embedder(model).await.map_err(missing)?);
        tracing::info!(model, "the model for embeddings is ready");
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let port = |cause| StartError::Port { address, cause };
    let listener = TcpListener::bind(address).await.map_err(port)?;
    let address = listener.local_addr().map_err(port)?;
    Ok((listener, address))
}

#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn system_time() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
