//! The people of the platform: who they are, what they may do, who is let in.

use accounts::people::{self, ChangeError};
use accounts::{Permission, Role, Status};
use axum::extract::{Form, Path, Query, State};
use axum::response::{Html, Redirect};
use pages::parts::Pagination;
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::visitor::Admin;
use crate::view::admin::{People, PersonRow, RoleChoice};
use crate::view::shell;

/// How many people a page holds.
const A_PAGE: usize = 50;

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
    Query(After { after }): Query<After>,
) -> Result<Html<String>> {
    let found = people::list(&mut *app.db().acquire().await?, after, A_PAGE).await?;
    let me = &signed_in.person;
    let body = People {
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
    let page = shell::admin_page(&app, &signed_in, "/admin/people", "People", body);
    Ok(Html(app.engine().render("admin/people", &page)?))
}

/// Gives a person another role.
pub async fn set_role(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Path(id): Path<Uuid>,
    Form(change): Form<Change>,
) -> Result<Redirect> {
    let role: Role =
        change.role.parse().map_err(|_| Error::Unusable("There is no such role.".to_owned()))?;
    let mut tx = app.db().begin().await?;
    people::set_role(&mut tx, signed_in.person.role, id, role).await.map_err(told)?;
    tx.commit().await?;
    Ok(Redirect::to("/admin/people"))
}

/// Ends a person's sessions and keeps them out.
pub async fn suspend(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Path(id): Path<Uuid>,
) -> Result<Redirect> {
    let mut tx = app.db().begin().await?;
    people::suspend(&mut tx, signed_in.person.role, id).await.map_err(told)?;
    tx.commit().await?;
    Ok(Redirect::to("/admin/people"))
}

/// Lets a person in: one who waits, or one who was suspended.
pub async fn activate(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Path(id): Path<Uuid>,
) -> Result<Redirect> {
    let mut tx = app.db().begin().await?;
    people::activate(&mut tx, signed_in.person.role, id).await.map_err(told)?;
    tx.commit().await?;
    Ok(Redirect::to("/admin/people"))
}

fn told(error: ChangeError) -> Error {
    match error {
        ChangeError::Store(error) => Error::Database(error),
        ChangeError::NoPerson => Error::Nothing("person"),
        ChangeError::NotAllowed => Error::NotAllowed(Permission::ManagePeople),
        told @ ChangeError::LastOwner => Error::Conflict(format!("{told}.")),
    }
}
