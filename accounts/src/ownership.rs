//! The admin link: how a platform gets its first owner, and how an owner gets back in.
//!
//! Before there is an owner the link makes whoever holds it the first one. Afterwards a link lets
//! one owner in, after that owner says so: the page it leads to only looks.
use jiff::Timestamp;
use sqlx::PgConnection;

use crate::events::{self, Kind};
use crate::links::{self, LinkError, NewLink, Purpose};
use crate::passwords::PasswordHash;
use crate::people::{self, CreateError, NewPerson};
use crate::sessions::{self, Means, NewSession};
use crate::{DisplayName, Email, Person, Role, Status, Token, Visit, credentials};

/// What an admin link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// To the form that makes the first owner: [`claim_ownership`].
    FirstOwner,
    /// To letting this person in: [`sign_in_by_link`].
    Back(Person),
}

/// Whoever is to own the platform.
#[derive(Clone, Debug)]
pub struct NewOwner {
    /// Not yet taken by anybody.
    pub email: Email,
    /// What others see.
    pub display_name: DisplayName,
    /// Of the password the owner chose. Hash it after [`look`], so that only who holds a link
    /// makes us hash.
    pub hash: PasswordHash,
}

/// Why an admin link does nothing.
#[derive(Debug, thiserror::Error)]
pub enum WelcomeError {
    /// The link itself.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It is for a first owner, and there is one; or it is somebody else's way back in.
    #[error("this platform has an owner already")]
    OwnerExists,
    /// It is for a first owner, and was used to sign in.
    #[error("this platform has no owner yet")]
    NoOwner,
    /// Its person cannot sign in any more.
    #[error("this account is not active")]
    NotActive,
    /// Somebody has the address chosen for the owner.
    #[error("this e-mail address has an account already")]
    EmailTaken,
}

impl From<sqlx::Error> for WelcomeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Link(LinkError::Store(error))
    }
}

impl From<CreateError> for WelcomeError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::EmailTaken => Self::EmailTaken,
            CreateError::Store(error) => error.into(),
        }
    }
}

/// Makes an admin link, for the owner who has been here longest, or for the first one to come.
pub async fn issue(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<NewLink> {
    let owner = people::first_owner(conn).await?.map(|owner| owner.id);
    links::issue(conn, Purpose::AdminWelcome, owner, now).await
}

/// For whom an admin link is made whose secret somebody else has drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// The first owner, where there is none yet.
    FirstOwner,
    /// The first owner, or the one who has been here longest.
    Whoever,
}

/// Makes the admin link of these bits, good until then, and says its token as long as it is good.
/// The same however often it is called; bits are good for one link, for ever.
pub async fn offer(
    conn: &mut PgConnection,
    bits: &[u8; 32],
    whom: For,
    until: Timestamp,
    now: Timestamp,
) -> sqlx::Result<Option<Token>> {
    let owner = people::first_owner(conn).await?.map(|owner| owner.id);
    if until <= now || (whom == For::FirstOwner && owner.is_some()) {
        return Ok(None);
    }
    let about = (Purpose::AdminWelcome, owner);
    let token = links::offer(conn, bits, about, (now, until)).await?;
    match look(conn, token.expose(), now).await {
        Ok(_) => Ok(Some(token)),
        Err(WelcomeError::Link(LinkError::Store(error))) => Err(error),
        Err(_) => Ok(None),
    }
}

/// What the link would do, and nothing done.
pub async fn look(
    conn: &mut PgConnection,
    token: &str,
    now: Timestamp,
) -> Result<Welcome, WelcomeError> {
    let link = links::peek(conn, token, Purpose::AdminWelcome, now).await?;
    match link.person_id {
        Some(id) => {
            let person = people::get(conn, id).await?.filter(|who| who.status == Status::Active);
            person.map(Welcome::Back).ok_or(WelcomeError::NotActive)
        }
        None if people::first_owner(conn).await?.is_some() => Err(WelcomeError::OwnerExists),
        None => Ok(Welcome::FirstOwner),
    }
}

/// Uses the link up and makes the first owner, signed in. Call it in a transaction, and roll back
/// on an error: then the link is still good.
pub async fn claim_ownership(
    conn: &mut PgConnection,
    token: &str,
    owner: &NewOwner,
    visit: &Visit,
    now: Timestamp,
) -> Result<(Person, NewSession), WelcomeError> {
    let link = links::consume(conn, token, Purpose::AdminWelcome, now).await?;
    // The link for a first owner is one row, locked until the end: of two claims, one gets here.
    if link.person_id.is_some() || people::first_owner(conn).await?.is_some() {
        return Err(WelcomeError::OwnerExists);
    }
    let new = NewPerson {
        email: owner.email.clone(),
        display_name: owner.display_name.clone(),
        role: Role::Owner,
        status: Status::Active,
    };
    let person = people::create(conn, &new, now).await?;
    credentials::set(conn, person.id, &owner.hash, now).await?;
    events::record(conn, Kind::SignedUp, person.id, 0, visit, now).await?;
    let session = sessions::begin(conn, (person.id, Means::Link), visit, now).await?;
    Ok((person, session))
}

/// Uses the link up and lets its person in. Call it in a transaction, and roll back on an error.
pub async fn sign_in_by_link(
    conn: &mut PgConnection,
    token: &str,
    visit: &Visit,
    now: Timestamp,
) -> Result<(Person, NewSession), WelcomeError> {
    let link = links::consume(conn, token, Purpose::AdminWelcome, now).await?;
    let id = link.person_id.ok_or(WelcomeError::NoOwner)?;
    let person = people::get(conn, id).await?.filter(|who| who.status == Status::Active);
    let person = person.ok_or(WelcomeError::NotActive)?;
    let session = sessions::begin(conn, (person.id, Means::Link), visit, now).await?;
    events::record(conn, Kind::SignedInByLink, person.id, 0, visit, now).await?;
    Ok((person, session))
}
