//! Tickets: what the organization asks whoever runs the fleet.

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use blueprint::BlueprintName;
use pages::parts::{Action, EmptyState, Field};
use pages::sentence;
use serde::Deserialize;

use super::confirm::asked;
use super::told::Done;
use super::view::{self, Confirm, MessageRow, NewTicket, TicketPage, TicketRow, Tickets};
use super::visitor::Seat;
use crate::app::App;
use crate::db::{names, platforms, tickets as table};
use crate::domain::id::PlatformId;
use crate::domain::page::{NoPage, Page, Wanted};
use crate::domain::scope::Scope;
use crate::domain::ticket::{LONGEST_SUBJECT, LONGEST_TEXT, State as Far, Subject, Text, Urgency};
use crate::error::{Error, Result};
use crate::http::tickets::{read, who};
use crate::tickets::{self, New};

/// The list.
pub async fn page(
    State(app): State<App>,
    seat: Seat,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    seat.caller.may(Scope::PlatformsRead)?;
    let (before, limit) = wanted.read()?;
    let before = before.map(|text| text.parse()).transpose().map_err(|_| NoPage::After)?;
    let (mut conn, organization) = (app.conn().await?, seat.organization.id);
    let found = table::list(&mut conn, organization, before, limit + 1).await?;
    let names = names::of(&mut conn, organization, found.iter().map(|it| &*it.by)).await?;
    drop(conn);
    let listed = Page::of(found, limit, |it| it.id.to_string());
    let base = base(&seat);
    let new_href = seat.caller.has(Scope::TicketsWrite).then(|| format!("{base}/new"));
    let body = Tickets {
        rows: listed.items.iter().map(|it| TicketRow::of(it, &base, &names)).collect(),
        empty: EmptyState {
            title: "No tickets yet".to_owned(),
            text: "Whoever runs this installation answers what you ask here.".to_owned(),
            action: new_href.clone().map(|href| Action::primary("Ask for help", href)),
        },
        new_href,
        pages: view::paged(&base, &wanted, listed.next),
    };
    let page = view::in_organization(&app, &seat, "/tickets", "Help", body);
    Ok(Html(app.engine().render("tickets", &page)?))
}

/// What a new ticket is to say, as far as it was said.
#[derive(Default, Deserialize)]
pub struct Wish {
    #[serde(default)]
    platform: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    urgency: String,
    #[serde(default)]
    text: String,
}

/// What is wrong with it, by its field.
#[derive(Default)]
struct Wrong {
    platform: Option<String>,
    subject: Option<String>,
    text: Option<String>,
    all: Option<String>,
}

/// Where one is written; of the platform that the reader comes from.
pub async fn new(State(app): State<App>, seat: Seat, Query(wish): Query<Wish>) -> Result<Response> {
    seat.caller.may(Scope::TicketsWrite)?;
    written(&app, &seat, StatusCode::OK, &wish, Wrong::default())
}

/// Makes it.
pub async fn create(
    State(app): State<App>,
    seat: Seat,
    Form(wish): Form<Wish>,
) -> Result<Response> {
    seat.caller.may(Scope::TicketsWrite)?;
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let urgency = wish.urgency.parse().unwrap_or(Urgency::Question);
    let (subject, text) = (Subject::read(&wish.subject), Text::read(&wish.text));
    let platform = platform(&app, &seat, wish.platform.trim()).await?;
    let (subject, text, platform) = match (subject, text, platform) {
        (Ok(subject), Ok(text), Ok(platform)) => (subject, text, platform),
        (subject, text, platform) => {
            let wrong = Wrong {
                platform: platform.err(),
                subject: subject.err().map(|why| sentence(&format!("this {why}"))),
                text: text.err().map(|why| sentence(&format!("this {why}"))),
                all: None,
            };
            return written(&app, &seat, refused, &wish, wrong);
        }
    };
    let mut tx = app.begin().await?;
    let new = New { subject, urgency, platform, text };
    match tickets::open(&mut tx, who(&seat.caller), new, app.now()).await.map_err(Error::from) {
        Ok(made) => {
            tx.commit().await?;
            Ok(Done::TicketMade.and_go(&app, &format!("{}/{}", base(&seat), made.id)))
        }
        Err(error @ (Error::TooManyTickets(_) | Error::TooManyTicketsMade(_))) => {
            drop(tx);
            let wrong = Wrong { all: Some(error.detail()), ..Wrong::default() };
            written(&app, &seat, StatusCode::CONFLICT, &wish, wrong)
        }
        Err(error) => Err(error),
    }
}

/// One, and what was said in it.
pub async fn show(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    shown(&app, &seat, (&id, &wanted), StatusCode::OK, Tried::default()).await
}

/// What somebody says.
#[derive(Deserialize)]
pub struct Said {
    #[serde(default)]
    text: String,
}

/// What came of the last try to say something.
#[derive(Default)]
struct Tried {
    text: String,
    wrong: Option<String>,
    refused: Option<String>,
}

/// Says something more.
pub async fn say(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Form(said): Form<Said>,
) -> Result<Response> {
    seat.caller.may(Scope::TicketsWrite)?;
    let (ticket, wanted) = (read(&id)?, Wanted::default());
    let text = match Text::read(&said.text) {
        Ok(text) => text,
        Err(why) => {
            let wrong = Some(sentence(&format!("this {why}")));
            let tried = Tried { text: said.text, wrong, refused: None };
            let refused = StatusCode::UNPROCESSABLE_ENTITY;
            return shown(&app, &seat, (&id, &wanted), refused, tried).await;
        }
    };
    let mut tx = app.begin().await?;
    let done = tickets::say(&mut tx, who(&seat.caller), (ticket, &text), app.now()).await;
    match done.map_err(Error::from) {
        Ok(_) => {
            tx.commit().await?;
            Ok(Done::TicketAnswered.and_go(&app, &format!("{}/{id}", base(&seat))))
        }
        Err(error @ (Error::Ticket(_) | Error::TooManyTickets(_))) => {
            drop(tx);
            let refused = Some(error.detail());
            let tried = Tried { text: said.text, wrong: None, refused };
            shown(&app, &seat, (&id, &wanted), StatusCode::CONFLICT, tried).await
        }
        Err(error) => Err(error),
    }
}

/// Asks whether it is to be closed.
pub async fn closing(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    seat.caller.may(Scope::TicketsWrite)?;
    let mut conn = app.conn().await?;
    let found = table::get(&mut conn, seat.organization.id, read(&id)?).await?;
    drop(conn);
    let ticket = found.ok_or(Error::Nothing("ticket"))?;
    let back = format!("{}/{id}", base(&seat));
    let body = Confirm {
        heading: format!("Close “{}”?", ticket.subject),
        text: "Nobody answers it any more. For 30 days a message opens it again.",
        action: format!("{back}/close"),
        button: "Close it",
        back,
    };
    asked(&app, &seat, "/tickets", body)
}

/// Closes it.
pub async fn close(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    seat.caller.may(Scope::TicketsWrite)?;
    let ticket = read(&id)?;
    let mut tx = app.begin().await?;
    tickets::close(&mut tx, who(&seat.caller), ticket, app.now()).await?;
    tx.commit().await?;
    Ok(Done::TicketClosed.and_go(&app, &format!("{}/{id}", base(&seat))))
}

/// The platform of the organization that is called so; none where nothing was typed.
async fn platform(
    app: &App,
    seat: &Seat,
    name: &str,
) -> Result<std::result::Result<Option<PlatformId>, String>> {
    if name.is_empty() {
        return Ok(Ok(None));
    }
    let found = match name.parse::<BlueprintName>() {
        Ok(name) => platforms::by_name(&mut *app.conn().await?, &name).await?,
        Err(_) => None,
    };
    let own = found.filter(|found| found.organization == seat.organization.id);
    Ok(own.map(|own| Some(own.id)).ok_or_else(|| "You have no platform of this name.".to_owned()))
}

fn written(
    app: &App,
    seat: &Seat,
    status: StatusCode,
    wish: &Wish,
    wrong: Wrong,
) -> Result<Response> {
    let urgencies: Vec<_> = Urgency::ALL.iter().map(|it| (it.word(), view::urgency(*it))).collect();
    let fields = vec![
        Field::text("subject", "What it is about")
            .required()
            .max_length(u32::try_from(LONGEST_SUBJECT).unwrap_or(u32::MAX))
            .value(&wish.subject)
            .error(wrong.subject),
        Field::select("urgency", "How much it matters", &urgencies).required().value(&wish.urgency),
        Field::text("platform", "Platform")
            .max_length(40)
            .hint("Its name, as in harbour-school. Leave it empty where it is about none.")
            .value(&wish.platform)
            .error(wrong.platform),
        text("What you ask", &wish.text, wrong.text),
    ];
    let base = base(seat);
    let body = NewTicket { action: format!("{base}/new"), back: base, fields, refused: wrong.all };
    let page = view::in_organization(app, seat, "/tickets", "Ask for help", body);
    Ok((status, Html(app.engine().render("new-ticket", &page)?)).into_response())
}

async fn shown(
    app: &App,
    seat: &Seat,
    (id, wanted): (&str, &Wanted),
    status: StatusCode,
    tried: Tried,
) -> Result<Response> {
    seat.caller.may(Scope::PlatformsRead)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|text| text.parse()).transpose().map_err(|_| NoPage::After)?;
    let (mut conn, organization) = (app.conn().await?, seat.organization.id);
    let found = table::get(&mut conn, organization, read(id)?).await?;
    let ticket = found.ok_or(Error::Nothing("ticket"))?;
    let said = table::messages(&mut conn, ticket.id, after.unwrap_or(0), limit + 1).await?;
    let platform = match ticket.platform {
        Some(platform) => platforms::get(&mut conn, organization, platform).await?,
        None => None,
    };
    let who = said.iter().map(|it| &*it.by).chain([&*ticket.by]);
    let names = names::of(&mut conn, organization, who).await?;
    drop(conn);
    let listed = Page::of(said, limit, |it| it.number.to_string());
    let base = base(seat);
    let row = TicketRow::of(&ticket, &base, &names);
    let can_write = seat.caller.has(Scope::TicketsWrite);
    let body = TicketPage {
        platform: platform.map(|it| {
            let href = format!("/o/{}/platforms/{}", seat.organization.slug, it.name);
            Action::secondary(it.name.as_str(), href)
        }),
        refused: tried.refused,
        messages: listed.items.into_iter().map(|it| MessageRow::of(it, &names)).collect(),
        pages: view::paged(&row.href, wanted, listed.next),
        answer: can_write.then(|| text("Your message", &tried.text, tried.wrong)),
        close_href: (can_write && ticket.state != Far::Closed)
            .then(|| format!("{}/close", row.href)),
        row,
    };
    let page = view::in_organization(app, seat, "/tickets", &ticket.subject, body);
    Ok((status, Html(app.engine().render("ticket", &page)?)).into_response())
}

fn text(label: &str, value: &str, wrong: Option<String>) -> Field {
    Field::textarea("text", label, 8)
        .required()
        .max_length(u32::try_from(LONGEST_TEXT).unwrap_or(u32::MAX))
        .hint("Plain text. No passwords and no keys: whoever runs this installation reads it.")
        .value(value)
        .error(wrong)
}

fn base(seat: &Seat) -> String {
    format!("/o/{}/tickets", seat.organization.slug)
}
