//! Passkeys: a device lets its person in. The one thing of the console that needs scripts.

use accounts::passkeys::{self, PasskeyError};
use accounts::sessions::{Means, NewSession, SignedIn};
use accounts::webauthn::{Answer, NewKey};
use accounts::{DisplayName, Visit, factors};
use axum::extract::{Form, Path, Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pages::parts::{CardForm, Field};
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;
use web::next::safe_next;

use super::refused::{Refused, form};
use super::second_factor::proven;
use super::session::{Next, shown_again, signed_in as enter};
use super::told::Done;
use super::view::{self, Device};
use super::visitor::{From, Person, Visitor};
use crate::app::App;
use crate::db::members;
use crate::domain::id::PersonId;
use crate::error::{Error, Result};

/// What a device says that signs.
#[derive(Deserialize)]
pub struct SentAnswer {
    id: String,
    client_data: String,
    device_data: String,
    signature: String,
    #[serde(default)]
    next: Option<String>,
}

/// What a device says that has made a key.
#[derive(Deserialize)]
pub struct SentKey {
    name: String,
    client_data: String,
    device_data: String,
    public_key: String,
    algorithm: String,
}

/// What somebody shows who wants to add one: the password, or a code where there is a second factor.
#[derive(Deserialize)]
pub struct SentProof {
    proof: SecretString,
}

/// What is asked before one is added.
#[derive(Clone, Copy)]
enum Shown {
    Password,
    Code,
}

/// Asks the device to sign.
pub async fn sign_in_page(
    State(app): State<App>,
    Visitor(signed_in): Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    let next = safe_next(next.as_deref());
    if signed_in.is_some_and(|it| it.means == Means::Passkey) {
        return Ok(Redirect::to(next).into_response());
    }
    asked(&app, next, None)
}

/// Lets in whose device has signed.
pub async fn sign_in(
    State(app): State<App>,
    From(visit): From,
    Form(sent): Form<SentAnswer>,
) -> Result<Response> {
    let next = safe_next(sent.next.as_deref());
    match let_in(&app, &sent, &visit).await {
        Ok(session) => enter(&app, &session, next),
        Err(error) => asked(&app, next, Some(&refused(error)?)),
    }
}

/// Asks who it is that wants to add one.
pub async fn new_page(State(app): State<App>, Person(signed_in): Person) -> Result<Response> {
    shown_enough(&app, &signed_in, "/account/passkeys/new").await?;
    let shown = to_show(&app, &signed_in).await?;
    form(&app, Some(&signed_in), proving(shown), None)
}

/// Asks the device for a key, where that was shown.
pub async fn new(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
    Form(sent): Form<SentProof>,
) -> Result<Response> {
    shown_enough(&app, &signed_in, "/account/passkeys/new").await?;
    let shown = to_show(&app, &signed_in).await?;
    let allowed = match shown {
        Shown::Password => by_password(&app, &signed_in, sent.proof, visit).await?,
        Shown::Code => by_code(&app, &signed_in, &sent.proof, visit).await?,
    };
    match allowed {
        Ok(challenge) => asked_for_key(&app, &signed_in, &challenge).await,
        Err(refused) => form(&app, Some(&signed_in), proving(shown), Some(&refused)),
    }
}

/// Adds the device's key.
pub async fn add(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
    Form(sent): Form<SentKey>,
) -> Result<Response> {
    match added(&app, &signed_in, &sent, &visit).await {
        Ok(()) => Ok(Done::PasskeyAdded.and_go(&app, "/account")),
        Err(error) => {
            let shown = to_show(&app, &signed_in).await?;
            form(&app, Some(&signed_in), proving(shown), Some(&refused(error)?))
        }
    }
}

/// Takes one away.
pub async fn remove(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    shown_enough(&app, &signed_in, "/account").await?;
    let mut tx = app.begin().await?;
    if !passkeys::remove(&mut tx, signed_in.person.id, id, &visit, app.now()).await? {
        return Err(Error::Nothing("passkey"));
    }
    tx.commit().await?;
    Ok(Done::PasskeyRemoved.and_go(&app, "/account"))
}

/// Nothing, where they may change how they sign in. Who has a passkey and is in an organization that asks
/// for more than a password has to have come by it: a password alone would put another one in its place.
/// Where there is a second factor, that is asked for in any case.
pub(super) async fn shown_enough(app: &App, signed_in: &SignedIn, back: &str) -> Result<()> {
    if signed_in.means == Means::Passkey {
        return Ok(());
    }
    let (mut conn, id) = (app.conn().await?, signed_in.person.id);
    if factors::has(&mut conn, id).await? || passkeys::list(&mut conn, id).await?.is_empty() {
        return Ok(());
    }
    let seats = members::seats(&mut conn, PersonId(id)).await?;
    if seats.iter().any(|(organization, _)| organization.policy.asks_for_factor()) {
        return Err(Error::PasskeyFirst(back.to_owned()));
    }
    Ok(())
}

async fn let_in(
    app: &App,
    sent: &SentAnswer,
    visit: &Visit,
) -> std::result::Result<NewSession, PasskeyError> {
    let site = app.site().ok_or(PasskeyError::Refused)?;
    let answer = Answer {
        credential_id: read(&sent.id)?,
        client_data: read(&sent.client_data)?,
        device_data: read(&sent.device_data)?,
        signature: read(&sent.signature)?,
    };
    let (mut tx, keys) = (app.begin().await?, app.root_keys());
    let (_, session) = passkeys::sign_in(&mut tx, (&keys, site), &answer, visit, app.now()).await?;
    tx.commit().await?;
    Ok(session)
}

async fn added(
    app: &App,
    signed_in: &SignedIn,
    sent: &SentKey,
    visit: &Visit,
) -> std::result::Result<(), PasskeyError> {
    let site = app.site().ok_or(PasskeyError::Refused)?;
    let new = NewKey {
        client_data: read(&sent.client_data)?,
        device_data: read(&sent.device_data)?,
        public_key: read(&sent.public_key)?,
        algorithm: sent.algorithm.parse().map_err(|_| PasskeyError::Refused)?,
    };
    // Whoever gave it no name that can be shown finds it by its day.
    let unnamed = || "Passkey".parse::<DisplayName>();
    let name = sent.name.parse().or_else(|_| unnamed()).map_err(|_| PasskeyError::Refused)?;
    let (mut tx, keys) = (app.begin().await?, app.root_keys());
    passkeys::add(&mut tx, (&keys, site), signed_in, (&new, &name, visit), app.now()).await?;
    Ok(tx.commit().await?)
}

async fn by_password(
    app: &App,
    signed_in: &SignedIn,
    password: SecretString,
    visit: Visit,
) -> Result<std::result::Result<Vec<u8>, Refused>> {
    let verified = match shown_again(app, signed_in, password, visit).await? {
        Ok(verified) => verified,
        Err(refused) => return Ok(Err(refused)),
    };
    let (mut tx, keys) = (app.begin().await?, app.root_keys());
    match passkeys::allow_by_password(&mut tx, &keys, verified, signed_in, app.now()).await {
        Ok(challenge) => {
            tx.commit().await?;
            Ok(Ok(challenge))
        }
        Err(error) => Ok(Err(refused(error)?)),
    }
}

async fn by_code(
    app: &App,
    signed_in: &SignedIn,
    code: &SecretString,
    visit: Visit,
) -> Result<std::result::Result<Vec<u8>, Refused>> {
    let (tx, proven) = match proven(app, signed_in, code, visit).await {
        Ok(proven) => proven,
        Err(error) => return Ok(Err(Refused::of_code(error)?)),
    };
    tx.commit().await?;
    let allowed = passkeys::allow_by_code(&app.root_keys(), &proven, signed_in, app.now());
    allowed.map(Ok).or_else(|error| Ok(Err(refused(error)?)))
}

async fn to_show(app: &App, signed_in: &SignedIn) -> Result<Shown> {
    let mut conn = app.conn().await?;
    let has_one = factors::has(&mut conn, signed_in.person.id).await?;
    Ok(if has_one { Shown::Code } else { Shown::Password })
}

fn read(text: &str) -> std::result::Result<Vec<u8>, PasskeyError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| PasskeyError::Refused)
}

fn refused(error: PasskeyError) -> Result<Refused> {
    match error {
        PasskeyError::Store(error) => Err(error.into()),
        told => Ok(Refused::because(&format!("{told}."))),
    }
}

fn proving(shown: Shown) -> CardForm {
    let field = match shown {
        Shown::Password => Field::password("proof", "Your password", "current-password"),
        Shown::Code => {
            let field = Field::text("proof", "Code of the app, or a recovery code");
            Field { autocomplete: Some("one-time-code"), ..field }.max_length(40)
        }
    };
    let fields = vec![field.required()];
    let mut form = CardForm::new("Add a passkey", "/account/passkeys/new", "Go on", fields);
    let lead = "A key on your phone, your computer or a stick lets you in, without a password. First, \
                show that it is you.";
    form.lead = Some(lead.to_owned());
    form
}

fn asked(app: &App, next: &str, refused: Option<&Refused>) -> Result<Response> {
    let body = Device {
        heading: "Sign in with a passkey",
        notice: refused.map(Refused::notice),
        lead: "Your device asks whether it is you, as when you unlock it.",
        challenge: URL_SAFE_NO_PAD.encode(passkeys::challenge(&app.root_keys(), app.now())),
        site: host(app)?,
        user: String::new(),
        account: String::new(),
        known: String::new(),
        action: "/signin/passkey",
        name: None,
        said: vec!["id", "client_data", "device_data", "signature"],
        next: next.to_owned(),
        button: "Use a passkey",
        back: "/signin",
        otherwise: "Sign in with a password",
    };
    let page = view::page(app, None, body.heading, body.clone());
    let html = app.engine().render("passkey", &page)?;
    let Some(refused) = refused else { return Ok(Html(html).into_response()) };
    Ok(refused.answered(html))
}

async fn asked_for_key(app: &App, signed_in: &SignedIn, challenge: &[u8]) -> Result<Response> {
    let mut conn = app.conn().await?;
    let known = passkeys::list(&mut conn, signed_in.person.id).await?;
    drop(conn);
    let known: Vec<_> = known.iter().map(|it| URL_SAFE_NO_PAD.encode(&it.credential_id)).collect();
    let name = Field::text("name", "What you call it").required().max_length(80);
    let body = Device {
        heading: "Add a passkey",
        notice: None,
        lead: "Give it a name that you know it again by, such as that of your phone. Then your device \
               asks whether it is you.",
        challenge: URL_SAFE_NO_PAD.encode(challenge),
        site: host(app)?,
        user: URL_SAFE_NO_PAD.encode(signed_in.person.id),
        account: signed_in.person.email.to_string(),
        known: known.join(" "),
        action: "/account/passkeys",
        name: Some(name),
        said: vec!["client_data", "device_data", "public_key", "algorithm"],
        next: "/account".to_owned(),
        button: "Make a passkey",
        back: "/account",
        otherwise: "Back to your account",
    };
    let page = view::page(app, Some(signed_in), body.heading, body.clone());
    Ok(Html(app.engine().render("passkey", &page)?).into_response())
}

/// Devices know sites by name: one that is met by an address has no passkeys.
fn host(app: &App) -> Result<String> {
    Ok(app.site().ok_or(Error::Nothing("passkey"))?.host.to_owned())
}
