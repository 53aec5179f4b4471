//! A person's second factor: set up, recovery codes anew, turned off.

use accounts::second_factor::{self, FactorError, Proven};
use accounts::sessions::SignedIn;
use accounts::{Proof, RecoveryCode, Secret, Visit};
use accounts::{factors, passkeys};
use axum::extract::{Form, Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use pages::parts::{CardForm, Field, Other};
use secrecy::SecretString;
use serde::Deserialize;
use sqlx::{Postgres, Transaction};
use url::form_urlencoded::byte_serialize;
use web::next::safe_next;

use super::passkeys::shown_enough;
use super::refused::{Refused, form};
use super::session::{Next, shown_again};
use super::told::Done;
use super::view::{self, RecoveryCodes, SetUp};
use super::visitor::{From, Person};
use crate::app::{App, sealing};
use crate::error::Result;

/// What apps call us.
const ISSUER: &str = "Soulfra";

/// What the first form sends.
#[derive(Deserialize)]
pub struct SentPassword {
    password: SecretString,
    #[serde(default)]
    next: Option<String>,
}

/// What the others send.
#[derive(Deserialize)]
pub struct SentCode {
    code: SecretString,
    #[serde(default)]
    next: Option<String>,
}

/// Asks for the password, before a secret is shown.
pub async fn page(
    State(app): State<App>,
    Person(signed_in): Person,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    let mut conn = app.conn().await?;
    let is_on = factors::has(&mut conn, signed_in.person.id).await?;
    let has_passkeys = !passkeys::list(&mut conn, signed_in.person.id).await?.is_empty();
    drop(conn);
    let next = safe_next(next.as_deref());
    if is_on {
        return Ok(Redirect::to("/account").into_response());
    }
    let mut asking = password(next);
    if has_passkeys {
        let next: String = byte_serialize(next.as_bytes()).collect();
        let at = format!("/signin/passkey?next={next}");
        asking.other = Some(Other::new("Your passkey stands for it:", "Sign in with it", at));
    }
    form(&app, Some(&signed_in), asking, None)
}

/// Shows a new secret to whoever knows the password.
pub async fn begin(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
    Form(sent): Form<SentPassword>,
) -> Result<Response> {
    let next = safe_next(sent.next.as_deref());
    shown_enough(&app, &signed_in, "/account/second-factor").await?;
    match offer(&app, &signed_in, sent.password, visit).await? {
        Ok(secret) => set_up(&app, &signed_in, &secret, next, None),
        Err(refused) => form(&app, Some(&signed_in), password(next), Some(&refused)),
    }
}

/// Turns it on by the first code, and shows the recovery codes.
pub async fn confirm(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
    Form(sent): Form<SentCode>,
) -> Result<Response> {
    let next = safe_next(sent.next.as_deref());
    match confirmed(&app, &signed_in, &sent.code, &visit).await {
        Ok(codes) => shown(&app, &signed_in, &codes, next),
        Err(FactorError::Refused) => {
            let why =
                "This is not the code that the app shows now. Is the time of your phone right?";
            let mut conn = app.conn().await?;
            let secret =
                second_factor::offered(&mut conn, sealing(&app.root_keys()), &signed_in, app.now())
                    .await;
            drop(conn);
            match secret {
                Ok(secret) => set_up(&app, &signed_in, &secret, next, Some(&Refused::because(why))),
                Err(error) => over(&app, &signed_in, next, error),
            }
        }
        Err(error) => over(&app, &signed_in, next, error),
    }
}

/// Asks for a code, before new recovery codes are shown.
pub async fn codes_page(State(app): State<App>, Person(signed_in): Person) -> Result<Response> {
    form(&app, Some(&signed_in), new_codes(), None)
}

/// Shows new recovery codes.
pub async fn renew_codes(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
    Form(sent): Form<SentCode>,
) -> Result<Response> {
    let renewed = async {
        let (mut tx, proven) = proven(&app, &signed_in, &sent.code, visit).await?;
        let codes = second_factor::renew_codes(&mut tx, proven, app.now()).await?;
        tx.commit().await?;
        Ok(codes)
    };
    match renewed.await {
        Ok(codes) => shown(&app, &signed_in, &codes, "/account"),
        Err(error) => form(&app, Some(&signed_in), new_codes(), Some(&Refused::of_code(error)?)),
    }
}

/// Asks for a code, before it is turned off.
pub async fn off_page(State(app): State<App>, Person(signed_in): Person) -> Result<Response> {
    form(&app, Some(&signed_in), turning_off(), None)
}

/// Turns it off.
pub async fn turn_off(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
    Form(sent): Form<SentCode>,
) -> Result<Response> {
    let turned_off = async {
        let (mut tx, proven) = proven(&app, &signed_in, &sent.code, visit).await?;
        second_factor::turn_off(&mut tx, proven, app.now()).await?;
        tx.commit().await?;
        Ok(())
    };
    match turned_off.await {
        Ok(()) => Ok(Done::SecondFactorOff.and_go(&app, "/account")),
        Err(error) => form(&app, Some(&signed_in), turning_off(), Some(&Refused::of_code(error)?)),
    }
}

/// A secret, where the password is right.
async fn offer(
    app: &App,
    signed_in: &SignedIn,
    password: SecretString,
    visit: Visit,
) -> Result<std::result::Result<Secret, Refused>> {
    let verified = match shown_again(app, signed_in, password, visit).await? {
        Ok(verified) => verified,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut tx = app.begin().await?;
    match second_factor::offer(&mut tx, sealing(&app.root_keys()), verified, signed_in, app.now())
        .await
    {
        Ok(secret) => {
            tx.commit().await?;
            Ok(Ok(secret))
        }
        Err(error) => Ok(Err(Refused::of_code(error)?)),
    }
}

async fn confirmed(
    app: &App,
    signed_in: &SignedIn,
    code: &SecretString,
    visit: &Visit,
) -> std::result::Result<Vec<RecoveryCode>, FactorError> {
    let proof = Proof::read(code).ok_or(FactorError::Refused)?;
    let (mut tx, with) = (app.begin().await?, (&proof, visit));
    let codes =
        second_factor::confirm(&mut tx, sealing(&app.root_keys()), signed_in, with, app.now())
            .await?;
    tx.commit().await?;
    Ok(codes)
}

/// Who has shown the factor just now, and the transaction in which they did.
pub(super) async fn proven(
    app: &App,
    signed_in: &SignedIn,
    code: &SecretString,
    visit: Visit,
) -> std::result::Result<(Transaction<'static, Postgres>, Proven), FactorError> {
    let (now, proof) = (app.now(), Proof::read(code).ok_or(FactorError::Refused)?);
    let asked = second_factor::ask(&mut *app.conn().await?, signed_in, visit, now).await?;
    let mut tx = app.begin().await?;
    let proven =
        second_factor::prove(&mut tx, sealing(&app.root_keys()), asked, &proof, now).await?;
    Ok((tx, proven))
}

/// The way begins again.
fn over(app: &App, signed_in: &SignedIn, next: &str, error: FactorError) -> Result<Response> {
    form(app, Some(signed_in), password(next), Some(&Refused::of_code(error)?))
}

fn password(next: &str) -> CardForm {
    let fields = vec![Field::password("password", "Your password", "current-password").required()];
    let heading = "Set up a second factor";
    let mut form = CardForm::new(heading, "/account/second-factor", "Go on", fields);
    let lead = "From then on you sign in with your password and a code of an authenticator app on your \
                phone. You are signed out everywhere else, and passkeys are taken away: add yours again \
                afterwards. First, show that it is you.";
    form.lead = Some(lead.to_owned());
    next.clone_into(&mut form.next);
    form
}

fn new_codes() -> CardForm {
    let fields = vec![code("Code of the app, or a recovery code")];
    let action = "/account/recovery-codes";
    let mut form = CardForm::new("New recovery codes", action, "Make new codes", fields);
    form.lead = Some("Those that you have now work no more.".to_owned());
    form
}

fn turning_off() -> CardForm {
    let fields = vec![code("Code of the app, or a recovery code")];
    let action = "/account/second-factor/off";
    let mut form = CardForm::new("Turn off the second factor", action, "Turn it off", fields);
    let lead = "From then on your password alone lets you in, and whoever knows it. An organization \
                that asks for a second factor has you set one up again.";
    form.lead = Some(lead.to_owned());
    form
}

fn code(label: &str) -> Field {
    Field { autocomplete: Some("one-time-code"), ..Field::text("code", label) }
        .required()
        .max_length(40)
        .autofocus()
}

fn set_up(
    app: &App,
    signed_in: &SignedIn,
    secret: &Secret,
    next: &str,
    refused: Option<&Refused>,
) -> Result<Response> {
    let uri = secret.uri(ISSUER, signed_in.person.email.as_str());
    let field = Field::one_time_code("code", "Code of six digits").required().max_length(40);
    let body = SetUp::of(&secret.text(), &uri, field, next, refused.map(Refused::notice));
    let page = view::page(app, Some(signed_in), "Set up a second factor", body);
    let html = app.engine().render("second-factor", &page)?;
    let Some(refused) = refused else { return Ok(Html(html).into_response()) };
    Ok(refused.answered(html))
}

fn shown(app: &App, signed_in: &SignedIn, codes: &[RecoveryCode], next: &str) -> Result<Response> {
    let page = view::page(app, Some(signed_in), "Recovery codes", RecoveryCodes::of(codes, next));
    Ok(Html(app.engine().render("recovery-codes", &page)?).into_response())
}
