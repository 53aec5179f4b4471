//! Making, changing and publishing agents.

use accounts::sessions::SignedIn;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use pages::parts::{Action, EmptyState};
use pages::{Flash, Page};
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::db;
use crate::domain::agent::{Agent, Draft, slug_of};
use crate::error::{Error, Result};
use crate::http::told::{Done, Told};
use crate::http::visitor::{Admin, Jar};
use crate::view::agents::{AgentForm, AgentList, admin_card};
use crate::view::shell;

/// How many agents the list shows.
const A_PAGE: i64 = 200;

/// What the form sends.
#[derive(Deserialize)]
pub struct Sent {
    name: String,
    #[serde(default)]
    description: String,
    instructions: String,
    #[serde(default)]
    starters: String,
    #[serde(default)]
    model: String,
}

/// Which version the page showed that sends this.
#[derive(Deserialize)]
pub struct Shown {
    version: i32,
}

impl Sent {
    fn draft(&self) -> Draft {
        let model = self.model.trim();
        // Browsers send line ends as CR LF.
        let text = |sent: &str| sent.trim().replace("\r\n", "\n").replace('\0', "");
        Draft {
            name: text(&self.name),
            description: text(&self.description),
            instructions: text(&self.instructions),
            model: (!model.is_empty()).then(|| model.to_owned()),
            starters: self.starters.lines().map(text).filter(|line| !line.is_empty()).collect(),
        }
    }
}

/// All agents.
pub async fn list(State(app): State<App>, Admin(signed_in): Admin) -> Result<Html<String>> {
    let agents = db::agents::all_newest(&mut *app.db().acquire().await?, A_PAGE).await?;
    let body = AgentList {
        agents: agents.iter().map(admin_card).collect(),
        empty: EmptyState {
            title: "No agents yet".to_owned(),
            text: "An agent is a name, a purpose and a way to behave.".to_owned(),
            action: Some(Action::primary("Make the first one", "/admin/agents/new")),
        },
    };
    let page = shell::admin_page(&app, &signed_in, "/admin/agents", "Agents", body);
    Ok(Html(app.engine().render("admin/agents", &page)?))
}

/// An empty form.
pub async fn new(State(app): State<App>, Admin(signed_in): Admin) -> Result<Response> {
    let empty = Draft {
        name: String::new(),
        description: String::new(),
        instructions: String::new(),
        model: None,
        starters: Vec::new(),
    };
    let form = AgentForm::new("New agent", "/admin/agents".to_owned(), &empty, &app.models());
    show(&app, &signed_in, StatusCode::OK, form)
}

/// Makes an agent from the form; it is a draft until it is published.
pub async fn create(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Jar(jar): Jar,
    Form(sent): Form<Sent>,
) -> Result<Response> {
    let draft = sent.draft();
    let problems = draft.problems();
    if !problems.is_empty() {
        let action = "/admin/agents".to_owned();
        let form = AgentForm::with_problems("New agent", action, &draft, &app.models(), &problems);
        return show(&app, &signed_in, StatusCode::UNPROCESSABLE_ENTITY, form);
    }
    let now = app.now();
    let (id, person) = (Uuid::now_v7(), signed_in.person.id);
    let mut tx = app.db().begin().await?;
    let slug = slug_of(&draft.name);
    let made = db::agents::insert(&mut tx, id, &slug, Some(person), now).await?;
    if !made {
        // The name is taken by another agent; its own id makes the address its own.
        let tail = id.simple().to_string();
        let slug = format!("{}-{}", slug.get(..28).unwrap_or(&slug), &tail[26..]);
        if !db::agents::insert(&mut tx, id, &slug, Some(person), now).await? {
            return Err(Error::Conflict("An agent has this name already.".to_owned()));
        }
    }
    db::agents::add_version(&mut tx, id, &draft, Some(person), now).await?;
    tx.commit().await?;
    Ok(Done::AgentMade.and_go(jar, &format!("/admin/agents/{id}")))
}

/// An agent's newest version in the form.
pub async fn edit(
    State(app): State<App>,
    Admin(signed_in): Admin,
    told: Told,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let agent = newest(&app, id).await?;
    let mut page = form_page(&app, &signed_in, stored_form(&app, &agent));
    page.flash = told.flash();
    Ok(told.on(Html(app.engine().render("admin/agent", &page)?)))
}

/// Keeps the form as the agent's next version; what people meet stays until it is published.
pub async fn save(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Jar(jar): Jar,
    Path(id): Path<Uuid>,
    Form(sent): Form<Sent>,
) -> Result<Response> {
    let agent = newest(&app, id).await?;
    let draft = sent.draft();
    let problems = draft.problems();
    if !problems.is_empty() {
        let action = format!("/admin/agents/{id}");
        let name = &agent.text.name;
        let form = AgentForm::with_problems(name, action, &draft, &app.models(), &problems);
        return show(&app, &signed_in, StatusCode::UNPROCESSABLE_ENTITY, form.stored(&agent));
    }
    let back = format!("/admin/agents/{id}");
    if draft == agent.text {
        return Ok(Done::AgentUnchanged.and_go(jar, &back));
    }
    let mut tx = app.db().begin().await?;
    db::agents::add_version(&mut tx, id, &draft, Some(signed_in.person.id), app.now()).await?;
    tx.commit().await?;
    Ok(Done::AgentSaved.and_go(jar, &back))
}

/// Makes the version on the page the one people meet, unless there is a newer one by now.
pub async fn publish(
    State(app): State<App>,
    Admin(signed_in): Admin,
    Jar(jar): Jar,
    Path(id): Path<Uuid>,
    Form(Shown { version }): Form<Shown>,
) -> Result<Response> {
    let mut tx = app.db().begin().await?;
    db::agents::lock(&mut tx, id).await?;
    let agent = db::agents::newest(&mut tx, id).await?.ok_or(Error::Nothing("agent"))?;
    if agent.version != version {
        drop(tx);
        let mut page = form_page(&app, &signed_in, stored_form(&app, &agent));
        page.flash = Some(Flash::warning(format!(
            "Nothing was published: version {} was saved meanwhile. Here it is. Publish it if it \
             is as you want it.",
            agent.version
        )));
        let html = app.engine().render("admin/agent", &page)?;
        return Ok((StatusCode::CONFLICT, Html(html)).into_response());
    }
    db::agents::publish(&mut tx, id, version).await?;
    tx.commit().await?;
    Ok(Done::AgentPublished.and_go(jar, &format!("/admin/agents/{id}")))
}

/// Takes an agent away from people.
pub async fn unpublish(
    State(app): State<App>,
    Admin(_): Admin,
    Jar(jar): Jar,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    if !db::agents::unpublish(&mut *app.db().acquire().await?, id).await? {
        return Err(Error::Nothing("agent"));
    }
    Ok(Done::AgentTaken.and_go(jar, &format!("/admin/agents/{id}")))
}

async fn newest(app: &App, id: Uuid) -> Result<Agent> {
    db::agents::newest(&mut *app.db().acquire().await?, id).await?.ok_or(Error::Nothing("agent"))
}

fn show(app: &App, signed_in: &SignedIn, status: StatusCode, form: AgentForm) -> Result<Response> {
    let page = form_page(app, signed_in, form);
    Ok((status, Html(app.engine().render("admin/agent", &page)?)).into_response())
}

/// An agent in the form, as it is stored.
fn stored_form(app: &App, agent: &Agent) -> AgentForm {
    let action = format!("/admin/agents/{}", agent.id);
    AgentForm::new(&agent.text.name, action, &agent.text, &app.models()).stored(agent)
}

fn form_page(app: &App, signed_in: &SignedIn, form: AgentForm) -> Page<AgentForm> {
    let title = form.heading.clone();
    shell::admin_page(app, signed_in, "/admin/agents", &title, form)
}
