//! Who is a member, and who is invited.

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use pages::parts::Field;
use pages::sentence;
use serde::Deserialize;

use super::confirm::asked;
use super::told::Done;
use super::view::{self, Confirm, InvitationRow, MemberRow, People};
use super::visitor::Seat;
use crate::app::App;
use crate::db::{invitations, members, names};
use crate::domain::id::{InvitationId, PersonId};
use crate::domain::page::{Page, Wanted};
use crate::domain::role::Role;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::invitations::{NewInvitation, WantedInvitation, invite as invited, take_back};
use crate::http::members::change;

/// So many invitations are shown.
const INVITED: usize = 100;

/// What the form sends that invites somebody.
#[derive(Deserialize)]
pub struct Sent {
    email: String,
    role: Role,
}

/// What the form sends that changes what somebody is.
#[derive(Deserialize)]
pub struct SentRole {
    role: Role,
}

/// What came of the last thing that was done.
#[derive(Default)]
struct Tried {
    made: Option<NewInvitation>,
    email: String,
    role: Option<Role>,
    wrong: Option<String>,
    refused: Option<String>,
}

/// The list.
pub async fn page(
    State(app): State<App>,
    seat: Seat,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    listed(&app, &seat, &wanted, StatusCode::OK, Tried::default()).await
}

/// Invites somebody: the link is on the page that follows, once.
pub async fn invite(
    State(app): State<App>,
    seat: Seat,
    Form(wished): Form<Sent>,
) -> Result<Response> {
    let wanted = WantedInvitation { email: wished.email.clone(), role: wished.role };
    let (status, tried) = match invited(&app, &seat.caller, &wanted).await {
        Ok(made) => (StatusCode::CREATED, Tried { made: Some(made), ..Tried::default() }),
        Err(error @ (Error::Unreadable(_) | Error::IsMember)) => {
            let wrong = match error {
                Error::Unreadable(why) => sentence(&why.trim_start_matches("email: ")),
                _ => "Somebody of this address is a member already.".to_owned(),
            };
            let (email, role) = (wished.email, Some(wished.role));
            let tried = Tried { email, role, wrong: Some(wrong), ..Tried::default() };
            (StatusCode::UNPROCESSABLE_ENTITY, tried)
        }
        Err(error) => return Err(error),
    };
    listed(&app, &seat, &Wanted::default(), status, tried).await
}

/// Says what a member is from now on.
pub async fn set_role(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Form(wished): Form<SentRole>,
) -> Result<Response> {
    changed(&app, &seat, &id, Some(wished.role)).await
}

/// Asks whether a member is to be taken out.
pub async fn removal(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    seat.caller.may(Scope::MembersWrite)?;
    let person: PersonId = id.parse().map_err(|_| Error::Nothing("member"))?;
    let (mut conn, organization) = (app.conn().await?, seat.organization.id);
    let role = members::role(&mut conn, organization, person).await?;
    seat.caller.may(role.ok_or(Error::Nothing("member"))?.needs())?;
    let names = names::of(&mut conn, organization, [&*id].into_iter()).await?;
    drop(conn);
    let base = base(&seat);
    let body = Confirm {
        heading: format!("Take out {}?", names.name(&id)),
        text: "They see nothing of the organization any more, and keys, webhooks and invitations that \
               they made work no more. Platforms stay.",
        action: format!("{base}/{id}/remove"),
        button: "Take out",
        back: base,
    };
    asked(&app, &seat, "/people", body)
}

/// Takes a member out.
pub async fn remove(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    changed(&app, &seat, &id, None).await
}

/// Asks whether an invitation is to be taken back.
pub async fn revocation(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    seat.caller.may(Scope::MembersWrite)?;
    let id: InvitationId = id.parse().map_err(|_| Error::Nothing("invitation"))?;
    let found = invitations::get(&mut *app.conn().await?, seat.organization.id, id).await?;
    let invitation = found.ok_or(Error::Nothing("invitation"))?;
    seat.caller.may(invitation.role.needs())?;
    let body = Confirm {
        heading: format!("Take back the invitation of {}?", invitation.email),
        text: "Its link does nothing any more. You can make another one.",
        action: format!("/o/{}/invitations/{id}/revoke", seat.organization.slug),
        button: "Take back",
        back: base(&seat),
    };
    asked(&app, &seat, "/people", body)
}

/// Takes an invitation back.
pub async fn revoke(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    let id: InvitationId = id.parse().map_err(|_| Error::Nothing("invitation"))?;
    take_back(&app, &seat.caller, id).await?;
    Ok(Done::InvitationBack.and_go(&app, &base(&seat)))
}

async fn changed(app: &App, seat: &Seat, id: &str, role: Option<Role>) -> Result<Response> {
    let person: PersonId = id.parse().map_err(|_| Error::Nothing("member"))?;
    match change(app, &seat.caller, person, role).await {
        // Who took themselves out sees the list no more.
        Ok(()) if role.is_none() && person.0 == seat.signed_in.person.id => {
            Ok(Done::Left.and_go(app, "/"))
        }
        Ok(()) => {
            let done = if role.is_some() { Done::RoleSet } else { Done::MemberOut };
            Ok(done.and_go(app, &base(seat)))
        }
        Err(Error::LastOwner) => {
            let why = "Nothing was changed: this is the only owner, and there has to be one. Make \
                       somebody else an owner first.";
            let tried = Tried { refused: Some(why.to_owned()), ..Tried::default() };
            listed(app, seat, &Wanted::default(), StatusCode::CONFLICT, tried).await
        }
        Err(error) => Err(error),
    }
}

async fn listed(
    app: &App,
    seat: &Seat,
    wanted: &Wanted,
    status: StatusCode,
    tried: Tried,
) -> Result<Response> {
    seat.caller.may(Scope::MembersRead)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|after| after.parse::<PersonId>()).transpose();
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let (mut conn, organization) = (app.conn().await?, seat.organization.id);
    let found = members::list(&mut conn, organization, after, limit + 1).await?;
    let open = invitations::list(&mut conn, organization, (None, INVITED), app.now()).await?;
    let names = names::of(&mut conn, organization, open.iter().map(|it| &*it.made_by)).await?;
    drop(conn);
    let listed = Page::of(found, limit, |member| member.person.to_string());
    let base = base(seat);
    let may = |role: Role| seat.caller.has(Scope::MembersWrite) && seat.caller.has(role.needs());
    let given: Vec<Role> = Role::ALL.into_iter().filter(|role| may(*role)).collect();
    let choices: Vec<_> = given.iter().map(|role| (role.word(), role.title())).collect();
    let fields = vec![
        // Theirs, not the reader's own.
        Field::input("email", "E-mail address", "email")
            .required()
            .max_length(254)
            .value(tried.email)
            .error(tried.wrong),
        Field::select("role", "They will be", &choices)
            .required()
            .value(tried.role.unwrap_or(Role::Viewer).word()),
    ];
    let body = People {
        refused: tried.refused,
        link: tried.made.map(|made| made.url),
        rows: listed.items.iter().map(|it| MemberRow::of(it, &given, may(it.role))).collect(),
        invitations: open.iter().map(|it| InvitationRow::of(it, &names, may(it.role))).collect(),
        fields: if given.is_empty() { Vec::new() } else { fields },
        invitations_base: format!("/o/{}/invitations", seat.organization.slug),
        pages: view::paged(&base, wanted, listed.next),
        base,
    };
    let page = view::in_organization(app, seat, "/people", "People", body);
    Ok((status, Html(app.engine().render("people", &page)?)).into_response())
}

fn base(seat: &Seat) -> String {
    format!("/o/{}/people", seat.organization.slug)
}
