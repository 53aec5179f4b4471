//! The fleet, a new platform, and one of them.

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use blueprint::{BlueprintName, Overrides, templates};
use pages::Flash;
use pages::parts::{Action, EmptyState, Field};
use serde::Deserialize;

use super::told::{Done, Told};
use super::view::{
    self, DeletedRow, Fleet, New, Organizations, PlatformPage, PlatformRow, UsageTold,
};
use super::visitor::{Seat, Somebody};
use super::{gallery, history};
use crate::app::App;
use crate::cluster::{self, CONTROL_PLANE, Version, version, writer};
use crate::db::platforms::{self, Owned};
use crate::db::{deletions, members, names};
use crate::domain::id::PersonId;
use crate::domain::page::{Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::platforms::history::readable;
use crate::http::platforms::{DELETED, Platform, admin_link, claim, create, edit, seen_of, told};
use crate::http::usage;

/// The organizations of a person; the only one's fleet, where there is one.
pub async fn start(
    State(app): State<App>,
    somebody: Somebody,
    Told(told): Told,
) -> Result<Response> {
    let Somebody { signed_in, within } = somebody;
    let mut conn = app.conn().await?;
    let mut seats = members::seats(&mut conn, PersonId(signed_in.person.id)).await?;
    seats.retain(|(organization, _)| within.is_none_or(|within| within == organization.id));
    drop(conn);
    if let [(only, _)] = &seats[..] {
        return Ok(Redirect::to(&format!("/o/{}", only.slug)).into_response());
    }
    let body = Organizations::of(seats);
    let mut page = view::page(&app, Some(&signed_in), "Organizations", body);
    page.flash = told.map(Done::flash);
    Ok(Html(app.engine().render("organizations", &page)?).into_response())
}

/// The platforms of an organization.
pub async fn fleet(
    State(app): State<App>,
    seat: Seat,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    seat.caller.may(Scope::PlatformsRead)?;
    let (after, limit) = wanted.read()?;
    let mut conn = app.conn().await?;
    let organization = seat.organization.id;
    let owned = platforms::list(&mut conn, organization, after.as_deref(), limit + 1).await?;
    let rows = told(&app, &mut conn, owned).await?;
    drop(conn);
    let listed = Page::of(rows, limit, |platform| platform.name.clone());
    let slug = &seat.organization.slug;
    let can_make = seat.caller.has(Scope::PlatformsWrite);
    let make = || Action::primary("New platform", format!("/o/{slug}/new"));
    let body = Fleet {
        name: seat.organization.name.clone(),
        base: format!("/o/{slug}"),
        new_href: can_make.then(|| format!("/o/{slug}/new")),
        rows: listed.items.iter().map(|it| PlatformRow::of(slug, it)).collect(),
        empty: EmptyState {
            title: "No platforms yet".to_owned(),
            text: "Each is a site of its own with its own people, agents and data.".to_owned(),
            action: can_make.then(make),
        },
        pages: view::paged(&format!("/o/{slug}"), &wanted, listed.next),
    };
    let page = view::in_organization(&app, &seat, "", "Platforms", body);
    Ok(Html(app.engine().render("fleet", &page)?))
}

/// What a new platform is to be, as far as it was said.
#[derive(Default, Deserialize)]
pub struct Wish {
    #[serde(default)]
    template: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    display_name: String,
}

/// A blueprint that somebody wrote, or took from a template.
#[derive(Deserialize)]
pub struct Written {
    pub(super) blueprint: String,
    /// The state that it was written over: `UID-GENERATION`.
    #[serde(default)]
    pub(super) seen: String,
}

/// First what it is called and which template it begins with; then all of its blueprint.
pub async fn new(State(app): State<App>, seat: Seat, Query(wish): Query<Wish>) -> Result<Response> {
    seat.caller.may(Scope::PlatformsWrite)?;
    if wish.name.is_empty() && wish.template.is_empty() {
        return asked(&app, &seat, StatusCode::OK, &wish, None);
    }
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let name = match wish.name.trim().parse::<BlueprintName>() {
        Ok(name) => name,
        Err(error) => return asked(&app, &seat, refused, &wish, Some(error.to_string())),
    };
    let template = templates::get(&wish.template).ok_or(Error::Nothing("template"))?;
    let overrides = Overrides {
        display_name: Some(wish.display_name.trim().to_owned()).filter(|name| !name.is_empty()),
        ..Overrides::named(name)
    };
    match blueprint::from_template(template, &overrides) {
        Ok(made) => drafted(&app, &seat, StatusCode::OK, blueprint::write(&made), Vec::new()),
        // What else is wrong is mended in the text.
        Err(problems) => {
            let problems = problems.iter().map(said).collect();
            let text = format!(
                "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\nspec:\n  template:\n    name: {}\n  \
                 identity:\n    displayName: {:?}\n",
                blueprint::API_VERSION,
                blueprint::KIND,
                wish.name.trim(),
                template.name,
                wish.display_name,
            );
            drafted(&app, &seat, refused, text, problems)
        }
    }
}

/// Makes it, or says everything that is in the way.
pub async fn create(
    State(app): State<App>,
    seat: Seat,
    Form(written): Form<Written>,
) -> Result<Response> {
    seat.caller.may(Scope::PlatformsWrite)?;
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let read = match blueprint::read(&written.blueprint) {
        Ok(read) => read,
        Err(problems) => {
            let problems = problems.iter().map(said).collect();
            return drafted(&app, &seat, refused, written.blueprint, problems);
        }
    };
    let made = async {
        let new = create::New::read(&app, &seat.caller, read).await?;
        new.make(&app, &seat.caller).await
    };
    match made.await {
        Ok(made) => Ok(to_page(&app, &seat, &made.owned, Done::PlatformMade)),
        Err(error) => match in_the_way(error) {
            Ok(problems) => drafted(&app, &seat, refused, written.blueprint, problems),
            Err(error) => Err(error),
        },
    }
}

/// One platform.
pub async fn show(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    shown(&app, &seat, &owned, StatusCode::OK, Tried::default()).await
}

/// Has it be so from now on.
pub async fn change(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
    Form(written): Form<Written>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    let problems = match blueprint::read(&written.blueprint) {
        Err(problems) => problems.iter().map(said).collect(),
        Ok(read) => {
            let seen = version_of(&written.seen).ok_or(Error::Changed)?;
            match edit::change(&app, &seat.caller, &owned, seen, read).await {
                Ok(_) => return Ok(to_page(&app, &seat, &owned, Done::PlatformChanged)),
                Err(error) => in_the_way(error)?,
            }
        }
    };
    // Still over what was seen then: whoever presses again overwrites nothing that they have not seen.
    let tried = Tried { problems, written: Some(written), ..Tried::default() };
    shown(&app, &seat, &owned, StatusCode::UNPROCESSABLE_ENTITY, tried).await
}

/// Stops it.
pub async fn suspend(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    edit::set_suspended(&app, &seat.caller, &owned, true).await?;
    Ok(to_page(&app, &seat, &owned, Done::PlatformStopped))
}

/// Takes it up again.
pub async fn resume(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    edit::set_suspended(&app, &seat.caller, &owned, false).await?;
    Ok(to_page(&app, &seat, &owned, Done::PlatformResumed))
}

/// Which state somebody looked at.
#[derive(Deserialize)]
pub struct Looked {
    seen: String,
}

/// Has what somebody else wrote be written here.
pub async fn claim(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
    Form(looked): Form<Looked>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    let seen = version_of(&looked.seen).ok_or(Error::Changed)?;
    match claim::take(&app, &seat.caller, &owned, seen).await {
        Ok(_) => Ok(to_page(&app, &seat, &owned, Done::PlatformClaimed)),
        Err(error) => {
            let tried = Tried { problems: in_the_way(error)?, ..Tried::default() };
            shown(&app, &seat, &owned, StatusCode::UNPROCESSABLE_ENTITY, tried).await
        }
    }
}

/// Has it be written elsewhere.
pub async fn release(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    claim::give(&app, &seat.caller, &owned).await?;
    Ok(to_page(&app, &seat, &owned, Done::PlatformReleased))
}

/// Has it tried again at once.
pub async fn retry(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    claim::try_again(&app, &seat.caller, &owned).await?;
    Ok(to_page(&app, &seat, &owned, Done::PlatformRetried))
}

/// Whoever deletes a platform types what it is called.
#[derive(Deserialize)]
pub struct Typed {
    name: String,
}

/// Deletes it.
pub async fn delete(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    let typed = typed.name.trim();
    if typed != owned.name.as_str() {
        let why = format!("Nothing was deleted. Type {} to delete it.", owned.name);
        let tried = Tried { name: Some((typed.to_owned(), why)), ..Tried::default() };
        return shown(&app, &seat, &owned, StatusCode::UNPROCESSABLE_ENTITY, tried).await;
    }
    match edit::remove(&app, &seat.caller, &owned, typed).await {
        Ok(_) => Ok(to_page(&app, &seat, &owned, Done::PlatformDeleted)),
        Err(error @ Error::TooManyDeleted(_)) => {
            let (status, why) = (StatusCode::TOO_MANY_REQUESTS, error.detail());
            let tried = Tried { name: Some((typed.to_owned(), why)), ..Tried::default() };
            shown(&app, &seat, &owned, status, tried).await
        }
        Err(error) => Err(error),
    }
}

/// Brings it back.
pub async fn undelete(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    edit::bring_back(&app, &seat.caller, &owned).await?;
    Ok(to_page(&app, &seat, &owned, Done::PlatformBack))
}

/// What somebody tried on a platform's page, and what is in the way.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) problems: Vec<String>,
    pub(super) written: Option<Written>,
    pub(super) name: Option<(String, String)>,
    pub(super) admin_link: Option<String>,
}

pub(super) async fn owned(app: &App, seat: &Seat, name: &str) -> Result<Owned> {
    seat.caller.may(Scope::PlatformsRead)?;
    let name: BlueprintName = name.parse().map_err(|_| Error::Nothing("platform"))?;
    let mut conn = app.conn().await?;
    let found = platforms::by_name(&mut conn, &name).await?;
    let own = found.filter(|found| found.organization == seat.organization.id);
    own.ok_or(Error::Nothing("platform"))
}

pub(super) async fn shown(
    app: &App,
    seat: &Seat,
    owned: &Owned,
    status: StatusCode,
    tried: Tried,
) -> Result<Response> {
    let seen = seen_of(app, owned).await?;
    let (deletion, names) = {
        let mut conn = app.conn().await?;
        let deletion = deletions::of(&mut conn, owned.id).await?;
        let who = deletion.iter().map(|it| &*it.by);
        let names = names::of(&mut conn, seat.organization.id, who).await?;
        (deletion, names)
    };
    let used = usage::of_seen(app, owned, seen.as_ref()).await?;
    let platform = Platform::of(owned, seen.as_ref()).or_deleted(deletion.is_some());
    let can_write = seat.caller.has(Scope::PlatformsWrite);
    let is_going = seen.as_ref().is_some_and(cluster::is_going);
    let over = seen.as_ref().and_then(version).map(|it| format!("{}-{}", it.uid, it.generation));
    let (text, over) = match tried.written {
        Some(written) => (written.blueprint, Some(written.seen)),
        None => (seen.as_ref().map(readable).unwrap_or_default(), over),
    };
    let (typed, wrong) = tried.name.unzip();
    let is_elsewhere = seen.as_ref().is_some_and(|it| writer(it) != CONTROL_PLANE);
    let at = |step: &str| format!("/o/{}/platforms/{}/{step}", seat.organization.slug, owned.name);
    let may = can_write && seen.is_some() && !is_going;
    let can_let_in = seen.as_ref().is_some_and(|it| admin_link::can_be_made(app, it));
    let may_let_in = seat.caller.has(Scope::PlatformsAdmin) && owned.found.is_none();
    let body = PlatformPage {
        admin_link: tried.admin_link,
        admin_link_href: (may_let_in && can_let_in).then(|| at("admin-link")),
        base: format!("/o/{}/platforms/{}", seat.organization.slug, owned.name),
        is_suspended: seen.as_ref().is_some_and(|seen| seen.spec.suspended),
        is_there: seen.is_some(),
        settled: is_going.then_some("It is being deleted, and can be changed no more."),
        domains: seen.as_ref().map(view::domains).unwrap_or_default(),
        running: history::running(app, owned).await?,
        usage: UsageTold::of(&used),
        problems: tried.problems,
        seen: over,
        blueprint: Field::textarea("blueprint", "Blueprint", 24).required().value(text),
        name_field: Field::text("name", "Its name")
            .required()
            .hint(format!("Type {} to delete it.", owned.name))
            .value(typed.unwrap_or_default())
            .error(wrong),
        can_write: may && !is_elsewhere,
        writer: seen.as_ref().map(|seen| writer(seen).to_owned()),
        claim_href: (may && is_elsewhere).then(|| at("claim")),
        release_href: (may && !is_elsewhere).then(|| at("release")),
        retry_href: (may && owned.found.is_none()).then(|| at("retry")),
        help_href: help(seat, owned),
        deleted: deletion.filter(|_| seen.is_none()).map(|it| DeletedRow {
            by: names.of(&it.by),
            at: it.at,
            can_undo: can_write,
        }),
        new_href: (can_write && seen.is_none() && platform.phase != DELETED).then(|| {
            format!("/o/{}/new?template=creator&name={}", seat.organization.slug, owned.name)
        }),
        ..PlatformPage::of(&platform)
    };
    let title = platform.display_name.unwrap_or(platform.name);
    let mut page = view::in_organization(app, seat, "", &title, body);
    // Whoever may write here may be writing.
    let moves = ["Pending", "Provisioning", "Upgrading", "Deleting"];
    let is_watched = moves.contains(&platform.phase.as_str()) && seen.is_some() && !can_write;
    page.refresh_seconds = is_watched.then_some(5);
    Ok((status, Html(app.engine().render("platform", &page)?)).into_response())
}

fn help(seat: &Seat, owned: &Owned) -> Option<String> {
    let new = format!("/o/{}/tickets/new?platform={}", seat.organization.slug, owned.name);
    seat.caller.has(Scope::TicketsWrite).then_some(new)
}

fn asked(
    app: &App,
    seat: &Seat,
    status: StatusCode,
    wish: &Wish,
    wrong: Option<String>,
) -> Result<Response> {
    let choices: Vec<_> =
        templates::all().iter().map(|it| (it.name.as_str(), it.title.as_str())).collect();
    let template =
        Field::select("template", "Begin with", &choices).required().value(&wish.template);
    let name = Field::text("name", "Name")
        .required()
        .max_length(40)
        .hint("Small letters, digits and hyphens, as in harbour-school. It stays for ever.")
        .value(&wish.name)
        .error(wrong);
    let called =
        Field::text("display_name", "What people call it").max_length(80).value(&wish.display_name);
    let action = format!("/o/{}/new", seat.organization.slug);
    let body = New {
        templates: templates::all().iter().map(gallery::row).collect(),
        ..New::first(action, vec![name, called, template])
    };
    let page = view::in_organization(app, seat, "/new", "New platform", body);
    Ok((status, Html(app.engine().render("new", &page)?)).into_response())
}

pub(super) fn drafted(
    app: &App,
    seat: &Seat,
    status: StatusCode,
    text: String,
    problems: Vec<String>,
) -> Result<Response> {
    let field = Field::textarea("blueprint", "Blueprint", 24).required().value(text);
    let action = format!("/o/{}/new", seat.organization.slug);
    let body = New::second(action, field, problems);
    let mut page = view::in_organization(app, seat, "/new", "New platform", body);
    if status == StatusCode::OK {
        page.flash = Some(Flash::info("Nothing is made yet. Look at it, change what you like."));
    }
    Ok((status, Html(app.engine().render("new", &page)?)).into_response())
}

/// What people can mend; everything else is told as it is everywhere.
pub(super) fn in_the_way(error: Error) -> Result<Vec<String>> {
    match error {
        Error::BreaksRules(rules) => {
            Ok(rules.iter().map(|rule| format!("{}: {}", rule.path, rule.message)).collect())
        }
        Error::NameTaken(name) => {
            Ok(vec![format!("metadata.name: another platform is called {name}; choose another one")])
        }
        Error::Unreadable(why) | Error::Refused(why) => Ok(vec![why]),
        Error::Changed => Ok(vec![
            "It was changed meanwhile, by somebody else. Nothing was done: open this page anew, and \
             decide again."
                .to_owned(),
        ]),
        Error::WrittenElsewhere { who, changes, .. } => {
            let first = format!(
                "Its label soulfra.io/managed-by says {who}: its blueprint is changed there, or claimed first."
            );
            Ok(std::iter::once(first).chain(changes).collect())
        }
        Error::ManagedBy(who) => Ok(vec![format!(
            "Its label soulfra.io/managed-by says {who}: its blueprint is changed there, not here."
        )]),
        Error::NoCluster(_) => Ok(vec![
            "The cluster does not answer at the moment. Platforms go on as they are: try again in a \
             moment."
                .to_owned(),
        ]),
        error => Err(error),
    }
}

pub(super) fn said(problem: &blueprint::Problem) -> String {
    format!("{}: {} (instead: {})", problem.path, problem.what, problem.instead)
}

fn version_of(text: &str) -> Option<Version> {
    let (uid, generation) = text.rsplit_once('-')?;
    Some(Version { uid: uid.parse().ok()?, generation: generation.parse().ok()? })
}

fn to_page(app: &App, seat: &Seat, owned: &Owned, done: Done) -> Response {
    done.and_go(app, &format!("/o/{}/platforms/{}", seat.organization.slug, owned.name))
}
