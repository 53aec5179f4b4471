//! What has to be before anybody is served: tables of our version, and what a platform begins with.

use std::time::Duration;

use super::door::Door;
use crate::app::App;
use crate::{SCHEMA, seed};

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why the platform cannot serve yet.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("the database does not answer")]
    Database(#[from] sqlx::Error),
    #[error("the database has no tables of ours yet")]
    NoTables,
    #[error("the tables have version {found}, and this program is made for {}", SCHEMA.version)]
    OtherTables { found: i32 },
}

/// Tries until it is done; each time it is not, the door says why.
pub(super) async fn until_ready(app: &App, door: &Door) {
    let mut pause = Duration::from_millis(250);
    while let Err(why) = prepare(app).await {
        let cause = std::error::Error::source(&why).map(ToString::to_string);
        tracing::warn!(%why, cause, "cannot serve yet");
        door.stays_closed(why.to_string());
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn prepare(app: &App) -> Result<(), NotReady> {
    let mut db = app.db().acquire().await?;
    let found = database::tenant::version(&mut db).await?.ok_or(NotReady::NoTables)?;
    drop(db);
    // Tables grow before programs do, so those of the next version are good, and older are not.
    if !(SCHEMA.version..=SCHEMA.version + 1).contains(&found) {
        return Err(NotReady::OtherTables { found });
    }
    app.recover_beside_others().await?;
    let site = app.site();
    let template = site.blueprint.spec.template.as_ref();
    if let Some(template) = template.and_then(|it| blueprint::templates::get(&it.name)) {
        seed::plant(app, template).await?;
    }
    Ok(())
}
