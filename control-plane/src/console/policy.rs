//! What an organization asks of those who come in.

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use ipnet::IpNet;
use pages::Kind;
use pages::parts::{Field, Notice};
use serde::Deserialize;

use super::view::{self, Policy, Provider};
use super::visitor::Seat;
use crate::app::App;
use crate::db::{members, organizations};
use crate::domain::policy::{Policy as Wanted, SecondFactor, network};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::{policy, single_sign_on};

/// What the form sends.
#[derive(Clone, Deserialize)]
pub struct Sent {
    second_factor: SecondFactor,
    #[serde(default)]
    single_sign_on_only: String,
    #[serde(default)]
    allowed_addresses: String,
    #[serde(default)]
    longest_session_hours: String,
    #[serde(default)]
    longest_key_days: String,
}

/// What came of the last try.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) is_done: bool,
    pub(super) refused: Option<String>,
    pub(super) policy: Option<Sent>,
    /// Issuer, client and domains, as they were typed.
    pub(super) provider: Option<(String, String, String)>,
}

impl Tried {
    pub(super) fn done() -> Self {
        Self { is_done: true, ..Self::default() }
    }

    /// What can be mended on the page.
    pub(super) fn refused(error: &Error) -> Self {
        Self { refused: Some(error.detail()), ..Self::default() }
    }
}

/// How it is.
pub async fn page(State(app): State<App>, seat: Seat) -> Result<Response> {
    shown(&app, &seat, Tried::default()).await
}

/// Says how it is from now on.
pub async fn change(
    State(app): State<App>,
    seat: Seat,
    Form(form): Form<Sent>,
) -> Result<Response> {
    seat.caller.may(Scope::PolicyWrite)?;
    let changed = match wanted(&form) {
        Ok(wanted) => policy::change(&app, &seat.caller, &wanted).await,
        Err(why) => Err(Error::Unreadable(why)),
    };
    match changed {
        Ok(()) => shown(&app, &seat, Tried::done()).await,
        Err(error @ (Error::Unreadable(_) | Error::ShutsYouOut(_))) => {
            shown(&app, &seat, Tried { policy: Some(form), ..Tried::refused(&error) }).await
        }
        Err(error) => Err(error),
    }
}

/// What stands between commas, spaces and ends of lines.
pub(super) fn words(text: &str) -> Vec<String> {
    let is_between = |letter: char| letter.is_whitespace() || letter == ',';
    text.split(is_between).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn wanted(sent: &Sent) -> std::result::Result<Wanted, String> {
    let number = |text: &str, what: &str| {
        let text = text.trim();
        let number = (!text.is_empty()).then(|| text.parse::<u32>()).transpose();
        number.map_err(|_| format!("{what}: a whole number, or nothing"))
    };
    let networks = words(&sent.allowed_addresses);
    Ok(Wanted {
        second_factor: sent.second_factor,
        single_sign_on_only: sent.single_sign_on_only == "only",
        allowed_addresses: networks
            .iter()
            .map(|it| network(it))
            .collect::<std::result::Result<_, _>>()?,
        longest_session_hours: number(&sent.longest_session_hours, "Hours of a session")?,
        longest_key_days: number(&sent.longest_key_days, "Days of a key")?,
    })
}

pub(super) async fn shown(app: &App, seat: &Seat, tried: Tried) -> Result<Response> {
    let provider = single_sign_on::seen(app, &seat.caller).await?;
    let mut conn = app.conn().await?;
    let without = members::without_second_factor(&mut conn, seat.organization.id).await?;
    let now = organizations::policy(&mut conn, seat.organization.id).await?;
    drop(conn);
    let status = match tried.refused {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let form = tried.policy.unwrap_or_else(|| sent(&now));
    let notice = tried.refused.map(|text| {
        let title = Some("Nothing was changed".to_owned());
        Notice { kind: Kind::Danger, title, text, action: None }
    });
    let secret = Field::password("client_secret", "Client secret", "off").max_length(1_024);
    let (secret, remove) = match &provider {
        Some(_) => (secret.hint("Leave it empty to keep the one there is."), Some("/remove")),
        None => (secret.required(), None),
    };
    let typed = tried
        .provider
        .or_else(|| provider.map(|known| (known.issuer, known.client_id, known.domains.join(" "))));
    let base = format!("/o/{}/settings", seat.organization.slug);
    let action = format!("{base}/single-sign-on");
    let body = Policy {
        is_changed: tried.is_done,
        notice,
        fields: fields(&form),
        without,
        provider: Provider {
            remove: remove.map(|remove| format!("{action}{remove}")),
            action,
            redirect_url: single_sign_on::redirect_url(app, seat.organization.id),
            fields: of_provider(typed.unwrap_or_default(), secret),
        },
        base,
    };
    let page = view::in_organization(app, seat, "/settings", "Settings", body);
    Ok((status, Html(app.engine().render("policy", &page)?)).into_response())
}

/// The policy, as the form has it.
fn sent(policy: &Wanted) -> Sent {
    let number = |it: Option<u32>| it.map(|it| it.to_string()).unwrap_or_default();
    let networks: Vec<_> = policy.allowed_addresses.iter().map(IpNet::to_string).collect();
    Sent {
        second_factor: policy.second_factor,
        single_sign_on_only: if policy.single_sign_on_only { "only" } else { "any" }.to_owned(),
        allowed_addresses: networks.join("\n"),
        longest_session_hours: number(policy.longest_session_hours),
        longest_key_days: number(policy.longest_key_days),
    }
}

fn fields(sent: &Sent) -> Vec<Field> {
    let choices = [(SecondFactor::Optional, "Each decides"), (SecondFactor::Required, "Needed")];
    let choices = choices.map(|(value, label)| (value.word(), label));
    let ways = [("any", "Any way"), ("only", "Single sign-on alone")];
    let number = |name, label, hint: &str, value: &String| {
        Field { autocomplete: Some("off"), ..Field::text(name, label) }
            .max_length(4)
            .hint(hint)
            .value(value)
    };
    vec![
        Field::select("second_factor", "A second factor", &choices)
            .required()
            .hint("A passkey stands for it, and single sign-on does.")
            .value(sent.second_factor.word()),
        Field::select("single_sign_on_only", "How members come in", &ways)
            .hint(
                "To choose single sign-on alone, sign in by it first. Owners still come in with a second \
                 factor or a passkey, should the provider fail.",
            )
            .value(&sent.single_sign_on_only),
        Field::textarea("allowed_addresses", "Networks they come from", 3)
            .hint(
                "Such as 192.0.2.0/24, one a line, for sessions and keys, and in your platforms for who \
                 runs them. Nothing: from everywhere.",
            )
            .value(&sent.allowed_addresses),
        number(
            "longest_session_hours",
            "Hours of a session",
            "After so many hours members sign in again, and who runs your platforms does there. Nothing: \
             720.",
            &sent.longest_session_hours,
        ),
        number(
            "longest_key_days",
            "Days of a key",
            "So many days after they were made keys are good no more, those there are too. Nothing: as \
             long as each was made for.",
            &sent.longest_key_days,
        ),
    ]
}

fn of_provider(
    (issuer, client_id, domains): (String, String, String),
    secret: Field,
) -> Vec<Field> {
    vec![
        Field::text("issuer", "Issuer")
            .required()
            .max_length(2_048)
            .hint("As the provider writes it, such as https://login.acme.example.")
            .value(issuer),
        Field::text("client_id", "Client ID").required().max_length(255).value(client_id),
        secret,
        Field::text("domains", "E-mail domains")
            .required()
            .max_length(2_048)
            .hint("Whose addresses it may speak of, such as acme.example.")
            .value(domains),
    ]
}
