//! What is done to platforms, as it can be followed: begun before it is asked of the cluster, in the
//! transaction of its line of the audit.

use axum::http::{HeaderMap, HeaderValue, header};
use blueprint::PlatformBlueprint;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;

use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::operations::{self, New, Words};
use crate::db::organizations::Organization;
use crate::db::platforms::Owned;
use crate::domain::id::{OperationId, PlatformId};
use crate::domain::preview::Wish;
use crate::error::{Error, Result};
use crate::http::caller::Caller;

/// Fields that are told in words, at most, and how many letters of each.
const LINES: usize = 50;
const LETTERS: usize = 300;

/// What was done to a platform.
#[derive(Debug)]
pub struct Changed {
    /// As the cluster has it by now.
    pub blueprint: PlatformBlueprint,
    /// What can be followed until it is so; none where it was so already.
    pub operation: Option<OperationId>,
}

/// Something that is being done.
pub(super) struct Doing<'a> {
    app: &'a App,
    owned: &'a Owned,
    pub(super) id: OperationId,
}

impl<'a> Doing<'a> {
    /// Written down before it is done: of what was cut off, it is known that it was begun.
    pub(super) async fn begin(
        app: &'a App,
        caller: &Caller,
        owned: &'a Owned,
        (new, detail): (New<'_>, Value),
    ) -> Result<Self> {
        let (mut tx, now) = (app.begin().await?, app.now());
        let done = Done {
            organization: owned.organization,
            actor: caller.actor(),
            action: &format!("platform.{}", new.kind),
            target: &owned.id.to_string(),
            detail,
        };
        audit::write(&mut tx, done, now).await?;
        let id = operations::begin(&mut tx, owned, (caller.actor(), new), now).await?;
        tx.commit().await?;
        Ok(Self { app, owned, id })
    }

    /// What the cluster answered, written down. Of no answer it is found out later what came of it.
    pub(super) async fn came_to(self, answer: Result<PlatformBlueprint>) -> Result<Changed> {
        let written = match &answer {
            Ok(blueprint) => self.taken(blueprint).await,
            Err(Error::NoCluster(_) | Error::Database(_)) => Ok(()),
            Err(error) => self.failed(&error.detail()).await,
        };
        if let Err(error) = written {
            // It is done: whoever looks after operations finds that out.
            tracing::warn!(operation = %self.id, %error, "what came of it is not written down yet");
        }
        Ok(Changed { blueprint: answer?, operation: Some(self.id) })
    }

    async fn taken(&self, blueprint: &PlatformBlueprint) -> sqlx::Result<()> {
        let mut tx = self.app.begin().await?;
        taken(&mut tx, (self.owned.id, self.id), blueprint, self.app.now()).await?;
        tx.commit().await
    }

    async fn failed(&self, why: &str) -> sqlx::Result<()> {
        let mut conn = self.app.conn().await?;
        operations::failed(&mut conn, self.id, why, self.app.now()).await
    }
}

/// The cluster took it, and has it so.
///
/// # Errors
/// The database.
pub async fn taken(
    conn: &mut PgConnection,
    of: (PlatformId, OperationId),
    blueprint: &PlatformBlueprint,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let generation = blueprint.metadata.generation.unwrap_or(1);
    operations::taken(conn, of, (generation, &blueprint.spec), now).await
}

/// What becomes of a platform by a blueprint, as its preview tells it.
pub(super) fn words(
    app: &App,
    before: Option<&PlatformBlueprint>,
    wanted: &PlatformBlueprint,
    organization: &Organization,
) -> Words {
    let pays = organization.plan;
    let mut after = match before {
        Some(before) => PlatformBlueprint { spec: wanted.spec.clone(), ..before.clone() },
        None => wanted.clone(),
    };
    after.status.get_or_insert_default().account = Some(organization.account());
    let wish = Wish { before, after: &after, pays };
    let told = wish.preview(app.installation(), app.now());
    Words { summary: told.summary, changes: lines(told.fields.into_iter().map(|it| it.text)) }
}

/// So many of them, each no longer than can be read.
pub(super) fn lines(changes: impl Iterator<Item = String>) -> Vec<String> {
    changes.take(LINES).map(|line| line.chars().take(LETTERS).collect()).collect()
}

/// Where it is told how far it is.
pub(super) fn followed(operation: Option<OperationId>) -> HeaderMap {
    let place = operation.map(|id| format!("</v1/operations/{id}>; rel=\"monitor\""));
    let place = place.and_then(|place| HeaderValue::from_str(&place).ok());
    place.map(|place| (header::LINK, place)).into_iter().collect()
}
