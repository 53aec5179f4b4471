//! Webhooks: addresses that are told what is done.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use pages::parts::Field;
use pages::sentence;

use super::confirm::asked;
use super::told::Done;
use super::view::{self, Confirm, DeliveryRow, WebhookPage, WebhookRow, Webhooks};
use super::visitor::Seat;
use crate::app::App;
use crate::db::{deliveries, names, webhooks};
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::page::{Page, Wanted};
use crate::domain::scope::Scope;
use crate::domain::webhook::{KINDS, tell_of_people};
use crate::error::{Error, Result};
use crate::http::webhooks::{
    NewSecret, NewWebhook, WantedWebhook, make, own, renewed, stop, tell_again,
};

/// What came of the last try to make one.
#[derive(Default)]
struct Tried {
    made: Option<NewWebhook>,
    url: String,
    kinds: Vec<String>,
    /// With the address.
    wrong: Option<String>,
    refused: Option<String>,
}

/// What came of the last thing that was done with one.
#[derive(Default)]
struct Changed {
    secret: Option<NewSecret>,
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

/// Makes one: its secret is on the page that follows, once.
pub async fn create(State(app): State<App>, seat: Seat, form: Bytes) -> Result<Response> {
    seat.caller.may(Scope::WebhooksWrite)?;
    let (mut url, mut kinds) = (String::new(), Vec::new());
    // A box that is ticked comes under the name of its kind.
    for (name, value) in url::form_urlencoded::parse(&form) {
        match &*name {
            "url" => url = value.into_owned(),
            kind => kinds.push(kind.to_owned()),
        }
    }
    let wanted = WantedWebhook { url: url.clone(), kinds: kinds.clone() };
    let made = if may_tell(&seat, &kinds) {
        make(&app, &seat.caller, wanted).await
    } else {
        Err(Error::Unreadable("Tick at least one thing that it is told.".to_owned()))
    };
    let (status, tried) = match made {
        Ok(made) => (StatusCode::CREATED, Tried { made: Some(made), ..Tried::default() }),
        Err(error @ (Error::Unreadable(_) | Error::TooManyWebhooks(_))) => {
            let why = error.detail();
            let wrong = why.strip_prefix("url: ").map(|why| sentence(&why));
            let refused = wrong.is_none().then_some(why);
            let tried = Tried { url, kinds, wrong, refused, made: None };
            (StatusCode::UNPROCESSABLE_ENTITY, tried)
        }
        Err(error) => return Err(error),
    };
    listed(&app, &seat, &Wanted::default(), status, tried).await
}

/// One of them, and what it was told.
pub async fn show(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    shown(&app, &seat, read(&id)?, &wanted, StatusCode::OK, Changed::default()).await
}

/// Makes it a new secret, which is on the page that follows, once.
pub async fn renew(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    let id = read(&id)?;
    let secret = renewed(&app, &seat.caller, id).await?;
    let changed = Changed { secret: Some(secret), refused: None };
    shown(&app, &seat, id, &Wanted::default(), StatusCode::OK, changed).await
}

/// Tells it something once more.
pub async fn replay(
    State(app): State<App>,
    seat: Seat,
    Path((_, id, delivery)): Path<(String, String, String)>,
) -> Result<Response> {
    let id = read(&id)?;
    let delivery: DeliveryId = delivery.parse().map_err(|_| Error::Nothing("delivery"))?;
    match tell_again(&app, &seat.caller, id, delivery).await {
        Ok(()) => {
            let to = format!("/o/{}/webhooks/{id}", seat.organization.slug);
            Ok(Done::ToldAgain.and_go(&app, &to))
        }
        Err(error @ (Error::StillTold | Error::WebhookGone)) => {
            let changed = Changed { refused: Some(error.detail()), secret: None };
            shown(&app, &seat, id, &Wanted::default(), StatusCode::CONFLICT, changed).await
        }
        Err(error) => Err(error),
    }
}

/// Asks whether it is to be removed.
pub async fn removal(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    seat.caller.may(Scope::WebhooksWrite)?;
    let webhook = own(&mut *app.conn().await?, &seat.caller, read(&id)?).await?;
    let base = format!("/o/{}/webhooks/{}", seat.organization.slug, webhook.id);
    let body = Confirm {
        heading: format!("Remove {}?", webhook.url),
        text: "It is told nothing more, what it was told is forgotten here, and its secret signs nothing \
               any more.",
        action: format!("{base}/remove"),
        button: "Remove it",
        back: base,
    };
    asked(&app, &seat, "/webhooks", body)
}

/// Removes it.
pub async fn remove(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    stop(&app, &seat.caller, read(&id)?).await?;
    Ok(Done::WebhookRemoved.and_go(&app, &format!("/o/{}/webhooks", seat.organization.slug)))
}

async fn listed(
    app: &App,
    seat: &Seat,
    wanted: &Wanted,
    status: StatusCode,
    tried: Tried,
) -> Result<Response> {
    seat.caller.may(Scope::WebhooksWrite)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|after| after.parse::<WebhookId>()).transpose();
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let (mut conn, organization) = (app.conn().await?, seat.organization.id);
    let found = webhooks::list(&mut conn, organization, after, limit + 1).await?;
    let names = names::of(&mut conn, organization, found.iter().map(|it| &*it.made_by)).await?;
    drop(conn);
    let listed = Page::of(found, limit, |webhook| webhook.id.to_string());
    let base = format!("/o/{}/webhooks", seat.organization.slug);
    let row = |it| WebhookRow::of(it, &base, &names, app.now());
    let kinds = KINDS.into_iter().filter(|kind| may_tell(seat, &[(*kind).to_owned()]));
    let box_of = |kind: &str| Field::checkbox(kind, kind, tried.kinds.iter().any(|it| it == kind));
    let body = Webhooks {
        refused: tried.refused,
        secret: tried.made.map(|made| made.secret),
        rows: listed.items.iter().map(row).collect(),
        pages: view::paged(&base, wanted, listed.next),
        url: Field::input("url", "Address", "url")
            .required()
            .max_length(2_048)
            .hint("On the internet, as in https://example.com/told.")
            .value(&tried.url)
            .error(tried.wrong),
        unticked: if may_tell(seat, &[]) {
            "Where nothing is ticked it is told everything, also what comes later."
        } else {
            "What becomes of platforms: you may not see more."
        },
        kinds: kinds.map(box_of).collect(),
        base,
    };
    let page = view::in_organization(app, seat, "/webhooks", "Webhooks", body);
    Ok((status, Html(app.engine().render("webhooks", &page)?)).into_response())
}

async fn shown(
    app: &App,
    seat: &Seat,
    id: WebhookId,
    wanted: &Wanted,
    status: StatusCode,
    changed: Changed,
) -> Result<Response> {
    seat.caller.may(Scope::WebhooksWrite)?;
    let (before, limit) = wanted.read()?;
    let before = before.map(|before| before.parse::<DeliveryId>()).transpose();
    let before = before.map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let known = own(&mut conn, &seat.caller, id).await?;
    let found = deliveries::list(&mut conn, id, before, limit + 1).await?;
    let names = names::of(&mut conn, seat.organization.id, [&*known.made_by].into_iter()).await?;
    drop(conn);
    let listed = Page::of(found, limit, |delivery| delivery.id.to_string());
    let base = format!("/o/{}/webhooks", seat.organization.slug);
    let webhook = WebhookRow::of(&known, &base, &names, app.now());
    let is_gone = known.gone_at.is_some();
    let title = webhook.url.clone();
    let body = WebhookPage {
        before_until: changed.secret.as_ref().map(|it| it.before_until),
        secret: changed.secret.map(|it| it.secret),
        refused: changed.refused,
        rows: listed.items.iter().map(|it| DeliveryRow::of(it, is_gone)).collect(),
        pages: view::paged(&webhook.base, wanted, listed.next),
        webhook,
    };
    let page = view::in_organization(app, seat, "/webhooks", &title, body);
    Ok((status, Html(app.engine().render("webhook", &page)?)).into_response())
}

/// Whether the reader may have somebody told of these.
fn may_tell(seat: &Seat, kinds: &[String]) -> bool {
    !tell_of_people(kinds) || seat.caller.has(Scope::AuditRead)
}

fn read(id: &str) -> Result<WebhookId> {
    id.parse().map_err(|_| Error::Nothing("webhook"))
}
