//! The runtime as a program of its own: one platform, whose blueprint and secrets are files that
//! somebody else writes, behind an edge that ends TLS.
//!
//! ```text
//! settings -> door (alive, not ready) -> prepare (tables, seed) -> edge -> router
//!                 declared: the blueprint's files, looked at again and again
//!                 models:   what the model server offers, asked again and again
//! ```

mod declared;
mod door;
mod edge;
mod elsewhere;
mod models;
mod prepare;
mod settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use accounts::passwords::{Cost, Passwords};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use web::serve::{Limits, Places, Transport, serve};
use work::Clock;

pub use settings::{Settings, StartError};

use crate::{App, Parts, tidy};
use declared::Declared;
use door::Door;
use edge::Edge;
use elsewhere::Elsewhere;

/// How many passwords are hashed at once; each takes 19 MiB and a core.
const HASHING_AT_ONCE: usize = 2;
/// Connections at once: the edge holds them, and gathers many visitors in each.
const CONNECTIONS: usize = 2048;
/// Answers under way, and those who hear them, have so long to come to their end once the stop was
/// asked for. A pod is given 60 s, of which 5 s pass before it is told and 5 s are for what is
/// stopped then.
const FAREWELL: Duration = Duration::from_secs(45);

/// Serves a platform until `stop`; `tell` hears where.
///
/// # Errors
/// [`StartError`]: it could not begin. What is only not there yet (the database, the model server)
/// is waited for, and is no error.
pub async fn run(
    settings: Settings,
    stop: CancellationToken,
    tell: impl FnOnce(SocketAddr),
) -> Result<(), StartError> {
    let declared = Declared::read(&settings.blueprint)?;
    let name = declared.name.clone();
    let own_host = format!("{name}.{}", settings.platform_domain);
    // Followed for as long as this is held.
    let database = settings.database().await?;
    let app = App::new(Parts {
        db: database.pool().clone(),
        clock: Clock::System,
        passwords: Passwords::new(Cost::OWASP, HASHING_AT_ONCE)
            .map_err(|error| StartError::Unexpected(error.to_string()))?,
        model_server: settings.model_server()?,
        models: Vec::new(),
        owner: Arc::new(Elsewhere),
        site: declared.site(),
        origin: format!("https://{own_host}"),
    })
    .map_err(|error| StartError::Unexpected(error.to_string()))?;
    app.take_grants_of(declared.trust());
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|cause| StartError::Port { address: settings.listen, cause })?;
    let address = listener
        .local_addr()
        .map_err(|cause| StartError::Port { address: settings.listen, cause })?;
    tell(address);

    let door = Door::default();
    let limits = Limits {
        from_one_address: CONNECTIONS,
        from_this_machine: CONNECTIONS,
        drain: FAREWELL,
        ..Limits::of(CONNECTIONS)
    };
    let serving =
        serve(listener, Transport::Plain, door.router(), stop.clone(), Places::new(limits));
    let serving = tokio::spawn(serving);
    let edge = Edge::new(app.downgrade(), own_host);
    tokio::spawn(declared::follow(settings.blueprint, declared, app.downgrade(), stop.clone()));
    tokio::spawn(models::follow(app.downgrade(), stop.clone()));
    tokio::spawn({
        let (app, stop) = (app.clone(), stop.clone());
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = prepare::until_ready(&app, &door) => {
                    door.open(edge.before(crate::router(app.clone())));
                    tidy::begin(&name, app.downgrade(), stop);
                }
            }
        }
    });
    // Answers end beside those who hear them: one time for both.
    let finishing = async {
        stop.cancelled().await;
        app.finish(FAREWELL).await;
    };
    let (served, ()) = tokio::join!(serving, finishing);
    if let Err(error) = served {
        tracing::error!(%error, "serving broke off");
    }
    app.stop().await;
    drop(database);
    Ok(())
}
