//! The site as anybody meets it: home, an agent, a page to read, brand and assets.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use pages::parts::{Avatar, EmptyState};
use web::for_ever;

use super::told::Told;
use super::visitor::Visitor;
use crate::app::App;
use crate::db;
use crate::domain::agent::is_slug;
use crate::error::{Error, Result};
use crate::view::agents::{AgentPage, Home, Reading, card};
use crate::view::chat::composer;
use crate::view::shell;

/// How many agents the home page shows.
const AT_HOME: i64 = 60;

/// The home page: what this is, and whom one can talk to.
pub async fn home(
    State(app): State<App>,
    Visitor(signed_in): Visitor,
    told: Told,
) -> Result<Response> {
    let agents = db::agents::published(&mut *app.db().acquire().await?, AT_HOME).await?;
    let site = app.site();
    let body = Home {
        name: site.display_name().to_owned(),
        tagline: site.blueprint.spec.identity.tagline.clone(),
        introduction: site
            .pages
            .iter()
            .find(|page| page.slug == "home")
            .map(|page| pages::markdown::to_html(&page.markdown)),
        agents: agents.iter().map(card).collect(),
        empty: EmptyState {
            title: "Nobody to talk to yet".to_owned(),
            text: "Agents appear here as soon as they are published.".to_owned(),
            action: None,
        },
        signed_in: signed_in.is_some(),
    };
    let mut page = shell::page(&app, signed_in.as_ref(), "/", "Home", body);
    page.flash = told.flash();
    Ok(told.on(Html(app.engine().render("home", &page)?)))
}

/// All agents stand on the home page.
pub async fn agents() -> Redirect {
    Redirect::to("/#agents")
}

/// One agent: what it does, and a place to begin.
pub async fn agent(
    State(app): State<App>,
    Visitor(signed_in): Visitor,
    Path(slug): Path<String>,
) -> Result<Html<String>> {
    if !is_slug(&slug) {
        return Err(Error::Nothing("agent"));
    }
    let agent = db::agents::by_slug(&mut *app.db().acquire().await?, &slug)
        .await?
        .ok_or(Error::Nothing("agent"))?;
    let title = agent.text.name.clone();
    let path = format!("/agents/{slug}");
    let talk_href = format!("{path}/talk");
    let body = AgentPage {
        avatar: Avatar::of(&title),
        description: agent.text.description,
        starters: agent.text.starters,
        composer: composer(talk_href.clone(), &title),
        talk_href,
        sign_in_href: signed_in.is_none().then(|| format!("/signin?next={path}")),
        name: agent.text.name,
    };
    let page = shell::page(&app, signed_in.as_ref(), &path, &title, body);
    Ok(Html(app.engine().render("agent", &page)?))
}

/// A page to read: about, terms, privacy.
pub async fn reading(
    State(app): State<App>,
    Visitor(signed_in): Visitor,
    Path(slug): Path<String>,
) -> Result<Html<String>> {
    let site = app.site();
    let found = site.pages.iter().find(|page| page.slug == slug).ok_or(Error::Nothing("page"))?;
    let body = Reading { html: pages::markdown::to_html(&found.markdown) };
    let path = format!("/pages/{slug}");
    let page = shell::page(&app, signed_in.as_ref(), &path, &found.title, body);
    Ok(Html(app.engine().render("reading", &page)?))
}

/// A style sheet, a script: by a name that carries its hash.
pub async fn asset(Path(file): Path<String>) -> Result<Response> {
    let path = format!("/assets/{file}");
    let asset =
        pages::assets().iter().find(|asset| asset.path == path).ok_or(Error::Nothing("file"))?;
    Ok(for_ever(asset.content_type, asset.bytes.to_vec()))
}

/// The brand's colours and icon, by their hash; the logo.
pub async fn brand(State(app): State<App>, Path(file): Path<String>) -> Result<Response> {
    let site = app.site();
    let hash = site.brand.hash();
    if file == "logo" {
        let logo = site.logo.clone().ok_or(Error::Nothing("logo"))?;
        let mut response = for_ever(logo.content_type, logo.bytes.to_vec());
        // An SVG opened by itself is a document; as a picture it needs none of this.
        response.headers_mut().insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        );
        return Ok(response);
    }
    match file.strip_prefix(hash) {
        Some(".css") => Ok(for_ever("text/css; charset=utf-8", site.brand.css().to_owned())),
        Some(".svg") => Ok(for_ever("image/svg+xml", site.brand.icon())),
        _ => Err(Error::Nothing("file")),
    }
}

/// Whether the process lives.
pub async fn live() -> &'static str {
    "ok\n"
}

/// Whether it can serve: its database answers.
pub async fn ready(State(app): State<App>) -> Response {
    let asked = async { db::answers(&mut *app.db().acquire().await?).await };
    match tokio::time::timeout(std::time::Duration::from_secs(2), asked).await {
        Ok(Ok(())) => "ok\n".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response(),
    }
}
