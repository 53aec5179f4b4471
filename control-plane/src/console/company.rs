//! Signing in by an organization's own provider.
//!
//! ```text
//! who they are -> whose provider -> sent there, with a state -> back -> its word is looked at -> a session
//! ```
//! The session is good in that organization alone: another one's provider may say what it likes.

use std::time::Duration;

use accounts::sessions::NewSession;
use accounts::{Email, Token, TokenHash, Visit, people, provider};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use blueprint::Slug;
use jiff::Timestamp;
use pages::parts::{CardForm, Field, Other};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use url::Url;
use web::next::safe_next;

use super::refused::{Refused, form};
use super::session::signed_in;
use super::view;
use super::visitor::From;
use crate::app::App;
use crate::db::audit::{self, Done};
use crate::db::sign_on::{self, AWAY, Away, Trusted};
use crate::db::{members, organizations};
use crate::domain::id::PersonId;
use crate::domain::sign_on::{Known, Mistrust, Try, comes_from};
use crate::error::{Error, Result};
use crate::http::single_sign_on::redirect_url;
use crate::providers::{Client, Code};

/// A provider vouches within this time, however often it is asked for it: before who waits is told that
/// nobody answers.
const VOUCHED: Duration = Duration::from_secs(4);
/// The longest way that is gone on after somebody was away.
const LONGEST_NEXT: usize = 1_024;

/// Who wants in, and where to.
#[derive(Default, Deserialize)]
pub struct Sent {
    #[serde(default)]
    who: String,
    #[serde(default)]
    next: Option<String>,
}

/// What somebody comes back with.
#[derive(Deserialize)]
pub struct Back {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
enum NotIn {
    #[error(
        "You were away for more than ten minutes, or came back twice, or in another browser than the one \
         in which you went"
    )]
    Gone,
    #[error("Your organization has changed its single sign-on meanwhile")]
    Changed,
    #[error("Your company's provider cannot vouch for you: {0}")]
    Mistrust(#[from] Mistrust),
    #[error(
        "Your company's provider does not say that it has seen that your e-mail address is yours \
         (email, email_verified), so you are not known here yet; ask whoever runs it"
    )]
    NoAddress,
    #[error("Your company's provider speaks of {0}, and may speak of no addresses there")]
    ForeignAddress(Email),
    #[error(
        "Nobody of the address {0} is a member of this organization; ask an owner for an invitation, and \
         open its link first"
    )]
    NoMember(Email),
    #[error(
        "Your company's provider knew {0} by another name before; if that was you, an owner takes you out \
         of the organization and invites you again"
    )]
    SomebodyElse(Email),
    #[error("This account is not open")]
    NotOpen,
    #[error(transparent)]
    Ours(#[from] Error),
}

impl std::convert::From<sqlx::Error> for NotIn {
    fn from(error: sqlx::Error) -> Self {
        Self::Ours(error.into())
    }
}

/// Asks whose provider.
pub async fn page(State(app): State<App>, Query(sent): Query<Sent>) -> Result<Response> {
    form(&app, None, asking(&sent.who, safe_next(sent.next.as_deref())), None)
}

/// Sends them there.
pub async fn go(State(app): State<App>, Form(sent): Form<Sent>) -> Result<Response> {
    let next = safe_next(sent.next.as_deref().filter(|next| next.len() <= LONGEST_NEXT));
    let who = sent.who.trim().to_lowercase();
    let refuse =
        |why: &str| form(&app, None, asking(&sent.who, next), Some(&Refused::because(why)));
    let Some(trusted) = trusted_by(&app, &who).await? else {
        return refuse(
            "Nobody signs in this way with what you typed. Type the short name of your organization as \
             it is in the address of its pages, or sign in with your password.",
        );
    };
    let met = match app.providers().meet(&trusted.issuer, app.now()).await {
        Ok(met) => met,
        Err(why) => return refuse(&format!("{}. Try again in a moment.", NotIn::Mistrust(why))),
    };
    let ((state, state_hash), (browser, browser_hash)) = (Token::random(), Token::random());
    let place = {
        let mut place = met.provider.authorization.clone();
        let tried = Try { secret: browser.expose() };
        place
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("scope", "openid email")
            .append_pair("client_id", &trusted.client_id)
            .append_pair("redirect_uri", &redirect_url(&app, trusted.organization))
            .append_pair("state", state.expose())
            .append_pair("nonce", &tried.nonce())
            .append_pair("code_challenge", &tried.challenge())
            .append_pair("code_challenge_method", "S256");
        if who.contains('@') {
            place.query_pairs_mut().append_pair("login_hint", &who);
        }
        place
    };
    let Trusted { organization, issuer, client_id, .. } = trusted;
    let away = Away { organization, issuer, client_id, next: next.to_owned() };
    let mut tx = app.begin().await?;
    sign_on::go(&mut tx, &away, (&state_hash, &browser_hash), app.now()).await?;
    tx.commit().await?;
    let cookie = app.cookie().set_away(&browser, AWAY);
    let cookie = cookie.map_err(|error| Error::Internal(error.to_string()))?;
    let mut response = sent_on(&app, &place)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Lets them in, where the provider vouches for them.
pub async fn back(
    State(app): State<App>,
    headers: HeaderMap,
    From(visit): From,
    Path(of): Path<String>,
    Query(back): Query<Back>,
) -> Result<Response> {
    let mut response = match entered(&app, &headers, (&of, back), &visit).await {
        Ok((session, next)) => signed_in(&app, &session, &next)?,
        Err(NotIn::Ours(error)) => return Err(error),
        Err(why) => not_in(&app, &why)?,
    };
    let clear = app.cookie().clear_away().map_err(|error| Error::Internal(error.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, clear);
    Ok(response)
}

/// Whose provider lets in whom this names: an organization by its slug, or an address by its domain.
async fn trusted_by(app: &App, who: &str) -> Result<Option<Trusted>> {
    let mut conn = app.conn().await?;
    if let Ok(email) = who.parse::<Email>() {
        return Ok(sign_on::of_domain(&mut conn, domain(&email)).await?);
    }
    let Ok(slug) = who.parse::<Slug>() else { return Ok(None) };
    Ok(sign_on::of_slug(&mut conn, &slug).await?)
}

async fn entered(
    app: &App,
    headers: &HeaderMap,
    (of, back): (&str, Back),
    visit: &Visit,
) -> std::result::Result<(NewSession, String), NotIn> {
    let secret = app.cookie().read_away(headers).ok_or(NotIn::Gone)?;
    let both = TokenHash::of(&back.state).zip(TokenHash::of(secret));
    let (state, browser) = both.ok_or(NotIn::Gone)?;
    let (away, trusted) = {
        let mut conn = app.conn().await.map_err(Error::from)?;
        let away = sign_on::come_back(&mut conn, (&state, &browser), app.now()).await?;
        // Each organization's people come back to a place of its own: what one's provider says about
        // another's is said elsewhere.
        let away = away.filter(|away| away.organization.to_string() == of).ok_or(NotIn::Gone)?;
        let trusted = sign_on::get(&mut conn, away.organization).await?;
        (away, trusted)
    };
    let same = |it: &Trusted| it.issuer == away.issuer && it.client_id == away.client_id;
    let trusted = trusted.filter(same).ok_or(NotIn::Changed)?;
    let asked = vouched(app, &trusted, &back, Try { secret });
    let asked = tokio::time::timeout(VOUCHED, asked).await;
    let late = |_| Mistrust::NoAnswer("no answer in time".to_owned());
    let known = asked.map_err(late)??;
    let now = app.now();
    let mut tx = app.begin().await.map_err(Error::from)?;
    organizations::lock(&mut tx, trusted.organization).await?;
    // Whoever was replaced while they were asked vouches for nobody any more.
    let still = sign_on::get(&mut tx, trusted.organization).await?;
    if still.is_none_or(|still| still.changed_at != trusted.changed_at) {
        return Err(NotIn::Changed);
    }
    let person = member(&mut tx, &trusted, &known, now).await?;
    let of = (person.0, trusted.organization.0);
    let session = provider::sign_in(&mut tx, of, visit, now).await?.ok_or(NotIn::NotOpen)?;
    tx.commit().await?;
    Ok((session, away.next))
}

/// Whom the provider vouches for.
async fn vouched(
    app: &App,
    trusted: &Trusted,
    back: &Back,
    tried: Try<'_>,
) -> std::result::Result<Known, NotIn> {
    let met = app.providers().meet(&trusted.issuer, app.now()).await?;
    comes_from(&trusted.issuer, &met.provider, back.iss.as_deref())?;
    let Some(code) = &back.code else {
        let said = back.error.as_deref().unwrap_or("it sent no code");
        let said: String = said.chars().filter(|it| !it.is_control()).take(80).collect();
        return Err(Mistrust::Refused(said).into());
    };
    let secret = app.opened_client_secret(trusted.organization, &trusted.client_secret)?;
    let client = Client { issuer: &trusted.issuer, id: &trusted.client_id, secret: &secret };
    let (verifier, nonce) = (tried.verifier(), tried.nonce());
    let to = redirect_url(app, trusted.organization);
    let code = Code { code, back: &to, verifier: &verifier, nonce: &nonce };
    Ok(app.providers().hand_in(&client, &code, app.now()).await?)
}

/// Which member that is: known by what the provider calls them, and the first time by their address.
async fn member(
    conn: &mut PgConnection,
    trusted: &Trusted,
    known: &Known,
    now: Timestamp,
) -> std::result::Result<PersonId, NotIn> {
    let organization = trusted.organization;
    let called = (&*trusted.issuer, &*known.subject);
    if let Some(person) = sign_on::known(conn, organization, called).await? {
        return Ok(person);
    }
    let email = known.email.clone().ok_or(NotIn::NoAddress)?;
    if !trusted.domains.iter().any(|it| it == domain(&email)) {
        return Err(NotIn::ForeignAddress(email));
    }
    let person = people::by_email(conn, &email).await?.map(|person| PersonId(person.id));
    let Some(person) = person else { return Err(NotIn::NoMember(email)) };
    // Who is invited joins in a session of their own: a provider's word makes nobody a member.
    if members::role(conn, organization, person).await?.is_none() {
        return Err(NotIn::NoMember(email));
    }
    if !sign_on::link(conn, organization, called, person, now).await? {
        return Err(NotIn::SomebodyElse(email));
    }
    let done = Done {
        organization,
        actor: &person.to_string(),
        action: "member.link",
        target: &person.to_string(),
        detail: json!({"issuer": called.0, "subject": called.1}),
    };
    audit::write(conn, done, now).await?;
    Ok(person)
}

fn domain(email: &Email) -> &str {
    email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// A form may not lead off this site, so a page does.
fn sent_on(app: &App, place: &Url) -> Result<Response> {
    let host = place.host_str().unwrap_or_default();
    let mut form = CardForm::new("Sign in with your company", "/signin/company", "", Vec::new());
    form.button = None;
    form.lead = Some(format!("Your company lets you in at {host}."));
    form.other = Some(Other::new("Is that where you sign in?", "Go on", place.to_string()));
    form.also = Some(Other::new("Or not?", "Another way in", "/signin".to_owned()));
    let page = view::page(app, None, "Sign in with your company", form);
    Ok(Html(app.engine().render("card-form", &page)?).into_response())
}

fn not_in(app: &App, why: &NotIn) -> Result<Response> {
    let mut form = CardForm::new("You are not signed in", "/signin/company", "", Vec::new());
    form.button = None;
    form.lead = Some(format!("{why}. Nothing was done."));
    let again = "/signin/company".to_owned();
    form.other = Some(Other::new("From the beginning:", "Sign in with your company", again));
    form.also = Some(Other::new("Another way in?", "Sign in with your password", "/signin".into()));
    let page = view::page(app, None, "You are not signed in", form);
    let html = app.engine().render("card-form", &page)?;
    Ok((StatusCode::FORBIDDEN, Html(html)).into_response())
}

fn asking(who: &str, next: &str) -> CardForm {
    let field = Field::text("who", "E-mail address, or your organization's short name");
    let fields = vec![field.required().max_length(254).value(who).autofocus()];
    let heading = "Sign in with your company";
    let mut form = CardForm::new(heading, "/signin/company", "Go on", fields);
    form.lead = Some("The provider that your organization has set up lets you in.".to_owned());
    form.other = Some(Other::new("Another way in?", "Sign in with a password", "/signin".into()));
    next.clone_into(&mut form.next);
    form
}
