//! The people of the platform: who they are, what they may do, who is let in.

use accounts::people::{self, ChangeError};
use accounts::sessions::SignedIn;
use accounts::{Permission, Role, Status};
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use pages::Page;
use pages::parts::Pagination;
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::told::{Done, Told};
use crate::http::visitor::{Admin, Jar};
use crate::view::admin::{People, PersonRow, RoleChoice};
use crate::view::shell;

/// How many people a page holds.
const A_PAGE: usize = 50;
/// Where the list is.
const PEOPLE: &str = "/admin/people";

/// Where the list goes on.
#[derive(Deserialize)]
pub struct After {
    #[serde(default)]
    after: Option<Uuid>,
}

/// What the form of one person sends.
#[derive(Deserialize)]
pub struct Change {
    role: String,
}

/// A page of people, newest first.
pub async fn list(
    State(app): State<App>,
    Admin(signed_in): Admin,
    told: Told,
    Query(After { after }): Query<After>,
) -> Result<Response> {
    let mut page = page(&app, &signed_in, after, None).await?;
    page.flash = told.flash();
    Ok(told.on(Html(app.engine().render("admin/people", &page)?)))
}

/// The page of people from `after` on, and why the last change was `refused`.
async fn page(
    app: &App,
    signed_in: &SignedIn,
    after: Option<Uuid>,
    refused: Option<String>,
) -> Result<Page<People>> {
    let has_families = app.site().has_families();
    let found = people::list(&mut *app.db().acquire().await?, after, A_PAGE).await?;
    let me = &signed_in.person;
    let body = People {
        refused,
        sign_up: format!("{}/signup", app.origin()),
        rows: found
            .people
            .iter()
            .map(|person| PersonRow {
                id: person.id,
                name: person.display_name.to_string(),
                email: person.email.to_string(),
                role: shell::role_name(person.role),
                status: person.status.as_str(),
                created_at: person.created_at,
                can_activate: person.status != Status::Active,
                can_suspend: person.status != Status::Suspended && person.id != me.id,
                roles: Role::ALL
                    .into_iter()
                    .filter(|role| me.role.may_change(person.role, *role))
                    .filter(|role| has_families || !of_families(*role) || *role == person.role)
                    .map(|role| RoleChoice {
                        value: role.as_str(),
                        label: shell::role_name(role),
                        chosen: role == person.role,
                    })
                    .collect(),
            })
            .collect(),
        pages: Pagination {
            next: found.next.map(|next| format!("/admin/people?after={next}")),
            ..Pagination::default()
        },
    };
    Ok(shell::admin_page(app, signed_in, PEOPLE, "People", body))
}

/// Gives a person another role.
pub async fn set_role(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Jar(jar): Jar,
    Path(id): Path<Uuid>,
    Form(change): Form<Change>,
) -> Result<Response> {
    let no_role = || Error::Unusable("There is no such role here.".to_owned());
    let role = change.role.parse::<Role>().map_err(|_| no_role())?;
    let mut tx = app.db().begin().await?;
    if of_families(role) && !app.site().has_families() {
        // What somebody is already is in the list, and may be sent back.
        let person = people::get(&mut tx, id).await?;
        person.filter(|person| person.role == role).ok_or_else(no_role)?;
    }
    if let Err(error) = people::set_role(&mut tx, signed_in.person.role, id, role).await {
        tx.rollback().await?;
        return refuse(&app, &signed_in, error).await;
    }
    tx.commit().await?;
    Ok(Done::RoleChanged.and_go(jar, PEOPLE))
}

/// Ends a person's sessions and keeps them out.
pub async fn suspend(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Jar(jar): Jar,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let mut tx = app.db().begin().await?;
    if let Err(error) = people::suspend(&mut tx, signed_in.person.role, id).await {
        tx.rollback().await?;
        return refuse(&app, &signed_in, error).await;
    }
    tx.commit().await?;
    Ok(Done::PersonSuspended.and_go(jar, PEOPLE))
}

/// Lets a person in: one who waits, or one who was suspended.
pub async fn activate(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Jar(jar): Jar,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let places = app.site().entitlements.users;
    let mut tx = app.db().begin().await?;
    if let Err(error) = people::activate(&mut tx, signed_in.person.role, id, places).await {
        tx.rollback().await?;
        return refuse(&app, &signed_in, error).await;
    }
    tx.commit().await?;
    Ok(Done::PersonLetIn.and_go(jar, PEOPLE))
}

/// Roles that say something only where children may be.
fn of_families(role: Role) -> bool {
    matches!(role, Role::Parent | Role::Child)
}

/// Says on the page of people why nothing was changed, where something can be done about it there.
async fn refuse(app: &App, signed_in: &SignedIn, error: ChangeError) -> Result<Response> {
    let why = match error {
        ChangeError::Store(error) => return Err(Error::Database(error)),
        ChangeError::NoPerson => return Err(Error::Nothing("person")),
        ChangeError::NotAllowed => return Err(Error::NotAllowed(Permission::ManagePeople)),
        ChangeError::LastOwner => {
            "Nothing was changed: this is the only owner, and a platform needs one. Make somebody \
             else an owner first."
        }
        ChangeError::NoPlace => {
            "Nobody was let in: as many people are here as your plan allows. Suspend somebody \
             else first, or choose a larger plan."
        }
    };
    let page = page(app, signed_in, None, Some(why.to_owned())).await?;
    Ok((StatusCode::CONFLICT, Html(app.engine().render("admin/people", &page)?)).into_response())
}
