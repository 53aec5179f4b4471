//! What a blueprint would do, before anybody applies it.

use axum::Json;
use axum::extract::State;
use blueprint::{BlueprintName, PlatformBlueprint};

use crate::app::App;
use crate::cluster::is_going;
use crate::db::deletions;
use crate::db::organizations::{self, Organization};
use crate::db::platforms::{self, Owned};
use crate::domain::preview::{Preview, Wish};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::platforms::claim::is_written_here;
use crate::http::platforms::create::belongs_to;
use crate::http::platforms::seen_of;
use crate::http::sent::SentBlueprint;

/// What a blueprint would do, were it applied now: what changes and what starts again, what becomes of
/// data, what it costs from when on. Refused is what would be refused then. Nothing is done.
#[utoipa::path(
    post, path = "/v1/blueprints/preview", operation_id = "previewBlueprint", tag = "catalogue",
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = Preview))
)]
pub async fn preview(
    State(app): State<App>,
    caller: Caller,
    sent: SentBlueprint,
) -> Result<Json<Preview>> {
    Ok(Json(of(&app, &caller, sent.blueprint).await?))
}

/// What it would do.
///
/// # Errors
/// Those with which it would be refused.
pub async fn of(app: &App, caller: &Caller, mut wanted: PlatformBlueprint) -> Result<Preview> {
    caller.may(Scope::PlatformsRead)?;
    let name = wanted.platform_name().map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let organization = organizations::get(&mut conn, caller.organization()).await?;
    let organization = organization.ok_or(Error::Nothing("organization"))?;
    belongs_to(&mut wanted, &organization)?;
    drop(conn);
    let there = match there(app, &organization, &name).await? {
        Some((owned, there)) => {
            is_written_here(&owned, &there, &wanted)?;
            Some(there)
        }
        None => None,
    };
    let mut after = match &there {
        // What is there stays what it is: where its data is, which one of its name it is.
        Some(there) => PlatformBlueprint { spec: wanted.spec, ..there.clone() },
        None => wanted,
    };
    let plan = organization.plan;
    after.status.get_or_insert_default().account = Some(organization.account());
    let wish = Wish { before: there.as_ref(), after: &after, pays: plan };
    Ok(wish.preview(app.installation(), app.now()))
}

/// What of the organization's is there under this name; `None` where the name is free.
async fn there(
    app: &App,
    organization: &Organization,
    name: &BlueprintName,
) -> Result<Option<(Owned, PlatformBlueprint)>> {
    let mut conn = app.conn().await?;
    let owned = platforms::by_name(&mut conn, name).await?;
    let taken = || Error::NameTaken(name.to_string());
    if let Some(owned) = owned {
        if owned.organization != organization.id {
            return Err(taken());
        }
        let deletion = deletions::of(&mut conn, owned.id).await?;
        // The cluster may take its time.
        drop(conn);
        let there = seen_of(app, &owned).await?;
        match (there, deletion) {
            (Some(there), _) if is_going(&there) => return Err(Error::IsDeleted(owned.id)),
            (Some(there), _) => return Ok(Some((owned, there))),
            (None, Some(_)) => return Err(Error::IsDeleted(owned.id)),
            (None, None) => {}
        }
    } else {
        drop(conn);
    }
    // Somebody's, who made it by other means.
    let is_free = app.cluster().get(name).await?.is_none();
    if is_free { Ok(None) } else { Err(taken()) }
}
