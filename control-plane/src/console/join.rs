//! Accepting an invitation: with a new account, or the one there is.

use accounts::people::{self, NewPerson};
use accounts::sessions::{NewSession, SignedIn};
use accounts::sign_up::{self, SignUpError};
use accounts::{DisplayName, Email, NewPassword, Status, Visit};
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use pages::parts::{CardForm, Field, Other};
use pages::sentence;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;

use super::session::with_session;
use super::told;
use super::view;
use super::visitor::{From, Visitor};
use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::invitations::{self, Invitation};
use crate::db::members;
use crate::db::organizations::{self, Organization};
use crate::domain::id::PersonId;
use crate::error::{Error, Result};

/// What the form sends; nothing of it, where somebody has an account.
#[derive(Default, Deserialize)]
pub struct Sent {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: SecretString,
}

/// What is in the way of a new account.
#[derive(Default)]
struct Wrong {
    name: Option<String>,
    password: Option<String>,
}

/// What an invitation leads to.
struct Invited {
    invitation: Invitation,
    organization: Organization,
    email: Email,
    /// Whether somebody has an account of that address.
    is_known: bool,
}

/// What the link would do. Mail scanners open it too, so nothing is done.
pub async fn page(
    State(app): State<App>,
    Visitor(visitor): Visitor,
    Path(link): Path<String>,
) -> Result<Response> {
    let Some(invited) = invited(&app, &link).await? else { return gone(&app) };
    ask(&app, StatusCode::OK, &link, &invited, (visitor.as_ref(), "", Wrong::default()))
}

/// Accepts it.
pub async fn join(
    State(app): State<App>,
    Visitor(visitor): Visitor,
    From(visit): From,
    Path(link): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response> {
    let Some(invited) = invited(&app, &link).await? else { return gone(&app) };
    let place = format!("/o/{}", invited.organization.slug);
    if let Some(visitor) = visitor.filter(|visitor| visitor.person.email == invited.email) {
        let mut tx = app.begin().await?;
        if !accepted(&mut tx, &app, &invited.invitation, PersonId(visitor.person.id)).await? {
            return gone(&app);
        }
        tx.commit().await?;
        return Ok(told::Done::Joined.and_go(&app, &place));
    }
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    if invited.is_known {
        return ask(&app, refused, &link, &invited, (None, "", Wrong::default()));
    }
    let (name, password) =
        (sent.name.parse::<DisplayName>(), NewPassword::new(&sent.password, &invited.email));
    let (name, password) = match (name, password) {
        (Ok(name), Ok(password)) => (name, password),
        (name, password) => {
            let wrong = Wrong {
                name: name.err().map(|problem| sentence(&problem)),
                password: password.err().map(|problem| sentence(&problem)),
            };
            return ask(&app, refused, &link, &invited, (None, &sent.name, wrong));
        }
    };
    match with_account(&app, &invited, name, &password, &visit).await? {
        Some(session) => with_session(&app, &session, told::Done::Joined.and_go(&app, &place)),
        None => gone(&app),
    }
}

async fn invited(app: &App, link: &str) -> Result<Option<Invited>> {
    let mut conn = app.conn().await?;
    let found = invitations::of_link(&mut conn, link, app.now()).await?;
    let Some(invitation) = found else { return Ok(None) };
    let organization = organizations::get(&mut conn, invitation.organization).await?;
    let organization = organization.ok_or(Error::Nothing("organization"))?;
    let email = invitation.email.parse::<Email>();
    let email = email.map_err(|error| Error::Internal(error.to_string()))?;
    let is_known = people::by_email(&mut conn, &email).await?.is_some();
    Ok(Some(Invited { invitation, organization, email, is_known }))
}

/// They are a member from now on; false where the link was used or taken back meanwhile.
pub(super) async fn accepted(
    conn: &mut PgConnection,
    app: &App,
    invitation: &Invitation,
    person: PersonId,
) -> Result<bool> {
    let now = app.now();
    organizations::lock(&mut *conn, invitation.organization).await?;
    if !invitations::accept(&mut *conn, invitation.id, now).await? {
        return Ok(false);
    }
    let organization = invitation.organization;
    if !members::add(&mut *conn, organization, (person, invitation.role), now).await? {
        // They came in by another one, and are what that made of them.
        return Ok(true);
    }
    let done = Done {
        organization,
        actor: &person.to_string(),
        action: "invitation.accept",
        target: &invitation.id.to_string(),
        detail: json!({"email": invitation.email, "role": invitation.role}),
    };
    audit::write(conn, done, now).await?;
    Ok(true)
}

async fn with_account(
    app: &App,
    invited: &Invited,
    name: DisplayName,
    password: &NewPassword,
    visit: &Visit,
) -> Result<Option<NewSession>> {
    let now = app.now();
    let new = NewPerson {
        email: invited.email.clone(),
        display_name: name,
        // What they may do is what they are in organizations.
        role: accounts::Role::User,
        status: Status::Active,
    };
    let hash = app.passwords().hash(password).await?;
    let mut tx = app.begin().await?;
    let made = sign_up::finish(&mut tx, &new, &hash, None, visit, now).await;
    let (person, session) = match made {
        Ok(made) => made,
        // Somebody was quicker, with the same link or another one.
        Err(SignUpError::EmailTaken) => return Ok(None),
        Err(SignUpError::Store(error)) => return Err(error.into()),
        Err(SignUpError::Passwords(error)) => return Err(error.into()),
        Err(error) => return Err(Error::Internal(error.to_string())),
    };
    if !accepted(&mut tx, app, &invited.invitation, PersonId(person.id)).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(session)
}

fn ask(
    app: &App,
    status: StatusCode,
    link: &str,
    invited: &Invited,
    (visitor, name, wrong): (Option<&SignedIn>, &str, Wrong),
) -> Result<Response> {
    let Invited { invitation, organization, email, is_known } = invited;
    let action = format!("/join/{link}");
    let heading = format!("Join {}", organization.name);
    let lead = format!("You are invited as {}, with the address {email}.", invitation.role.title());
    let sign_in =
        || Other::new("You have an account:", "Sign in", format!("/signin?next={action}"));
    let mut form = match visitor {
        Some(visitor) if visitor.person.email == *email => {
            CardForm::new(&heading, &action, "Join", Vec::new())
        }
        Some(visitor) => {
            let mut form = CardForm::new(&heading, "/signout", "Sign out", Vec::new());
            form.other = Some(Other::new(
                &format!("You are signed in as {}.", visitor.person.email),
                "Stay so",
                "/".to_owned(),
            ));
            form
        }
        None if *is_known => {
            let mut form = CardForm::new(&heading, &action, "", Vec::new());
            form.button = None;
            form.other = Some(sign_in());
            form
        }
        None => {
            let mut called = Field::text("name", "Your name").required().max_length(80);
            called.autocomplete = Some("name");
            let fields = vec![
                called.value(name).error(wrong.name),
                Field::new_password("password", "Password").error(wrong.password),
            ];
            CardForm::new(&heading, &action, "Make an account and join", fields)
        }
    };
    form.lead = Some(lead);
    let page = view::page(app, None, &heading, form);
    Ok((status, Html(app.engine().render("card-form", &page)?)).into_response())
}

/// It was used, taken back, is too old, or never was.
fn gone(app: &App) -> Result<Response> {
    let mut form = CardForm::new("This link cannot be used", "/signin", "", Vec::new());
    form.button = None;
    form.lead = Some(
        "It works once and for seven days, and a newer one may have taken its place. Ask whoever \
         invited you for another one."
            .to_owned(),
    );
    form.other = Some(Other::new("Joined already?", "Sign in", "/signin".to_owned()));
    let page = view::page(app, None, "This link cannot be used", form);
    let html = app.engine().render("card-form", &page)?;
    Ok((StatusCode::GONE, Html(html)).into_response())
}
