//! The portal's first page: what to do next, how it goes, whether all is well.

use axum::extract::State;
use axum::response::Html;
use jiff::SignedDuration;
use pages::parts::{Checklist, Checklisted, Tile, Trend};

use crate::app::App;
use crate::db;
use crate::error::Result;
use crate::http::visitor::Admin;
use crate::view::admin::{Home, health, places, tile, waiting};
use crate::view::shell;

/// Renders it.
pub async fn page(State(app): State<App>, Admin(signed_in): Admin) -> Result<Html<String>> {
    let now = app.now();
    let week = SignedDuration::from_hours(7 * 24);
    let mut db = app.db().acquire().await?;
    let (people_now, talks_now) = db::conversations::activity(&mut db, now - week, now).await?;
    let (people_then, talks_then) =
        db::conversations::activity(&mut db, now - week - week, now - week).await?;
    let tokens_now = db::messages::tokens_between(&mut db, now - week, now).await?;
    let tokens_then = db::messages::tokens_between(&mut db, now - week - week, now - week).await?;
    let people = accounts::people::count(&mut db).await?;
    let pending = accounts::people::waiting(&mut db).await?;
    let taken = accounts::people::places_taken(&mut db).await?;
    let own_agents = db::agents::count_own(&mut db).await?;
    let brand_done = db::facts::get(&mut db, super::brand::SAVED).await?.is_some();
    drop(db);

    let site = app.site();
    let checklist = Checklist::new(
        "Make it yours",
        vec![
            Checklisted::new(
                "Choose your look",
                "Colours, typeface and corners, with a live preview.",
                "Open the brand page",
                "/admin/brand",
                brand_done,
            ),
            Checklisted::new(
                "Make your first agent",
                "Say in plain words how it should behave.",
                "Make an agent",
                "/admin/agents/new",
                own_agents > 0,
            ),
            Checklisted::new(
                "Talk to an agent",
                "See what your people will see.",
                "Meet the agents",
                "/",
                talks_now + talks_then > 0,
            ),
            Checklisted::new(
                "Invite people",
                "Share the address of your sign-up page.",
                "See the address",
                "/admin/people",
                people - pending > 1,
            ),
        ],
    );
    let in_plan = match site.entitlements.users {
        Some(limit) => format!("of {limit} in your plan"),
        None => "your plan has no limit".to_owned(),
    };
    let body = Home {
        notices: waiting(pending)
            .into_iter()
            .chain(places(taken, site.entitlements.users))
            .collect(),
        checklist: (checklist.done < checklist.total).then_some(checklist),
        tiles: vec![
            tile("People active this week", people_now, people_then, "/admin/people"),
            tile("Conversations this week", talks_now, talks_then, "/conversations"),
            tile("Tokens written this week", tokens_now, tokens_then, "/admin/agents"),
            Tile {
                label: "Places taken".to_owned(),
                value: taken.to_string(),
                change: Some(in_plan),
                trend: Trend::Flat,
                href: Some("/admin/people".to_owned()),
            },
        ],
        health: vec![
            health("Site", true, "answers"),
            health("Database", true, "answers"),
            health(
                "Model",
                !app.models().is_empty(),
                app.models().first().map_or("none is known", String::as_str),
            ),
            health("Answers under way", true, &app.answers().running().to_string()),
        ],
        site: app.origin().to_owned(),
    };
    let page = shell::admin_page(&app, &signed_in, "/admin", "Admin", body);
    Ok(Html(app.engine().render("admin/home", &page)?))
}
