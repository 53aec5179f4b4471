//! `control-plane`: serves the API, admits organizations, answers tickets, checks an audit.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use accounts::Email;
use accounts::passwords::{Cost, Passwords};
use blueprint::{PlanName, Slug};
use clap::{Args, Parser, Subcommand};
use control_plane::cluster::Kubernetes;
use control_plane::domain::audit::{self, Entry};
use control_plane::domain::id::TicketId;
use control_plane::domain::ticket::{LONGEST_TEXT, Text};
use control_plane::pool::pool;
use control_plane::rates::Rates;
use control_plane::root_keys::{self, Replica};
use control_plane::settings::Settings;
use control_plane::{
    App, Parts, admit, courier, grants, herald, keeper, lost, migrate, model_servers, observer,
    router, tickets,
};
use sqlx::{ConnectOptions as _, PgPool};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use web::egress::Egress;
use web::serve::{Limits, Places, Proxies, Transport};
use work::Clock;

/// One API over the whole fleet.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What is logged, like `info` or `control_plane=debug`.
    #[arg(long, env = "SOULFRA_LOG", default_value = "info", global = true)]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the API until it is told to stop.
    Serve(At),
    /// Admits an organization, and prints once: a key with which everything can be done, and the link by
    /// which its owner joins.
    Admit(Admit),
    /// Takes away the second factor and the passkeys of somebody who lost phone and codes, and signs them out everywhere:
    /// from then on their password lets them in. Ask first who it is that asks.
    ForgetSecondFactor(Forget),
    /// Tells which root key seals, how much is sealed under which, and how many control planes that run have them: what
    /// nothing is sealed under may be thrown away.
    RootKeys(At),
    /// What organizations ask those who run the fleet, and what they are answered.
    Tickets {
        #[command(subcommand)]
        does: Tickets,
    },
    /// Model servers that lease money for platforms here and tell what was used: makes keys for them, and takes
    /// them back.
    ModelServer {
        #[command(subcommand)]
        does: ModelServers,
    },
    /// Prints what platforms have to know to take grants of this control plane, as the operator's settings have it:
    /// `installation.controlPlane.grants`. The key that signs comes first.
    GrantKeys(GrantKeys),
    /// Checks lines of an audit, one JSON value each, without any database.
    VerifyAudit {
        /// The file that holds them, from the first one on.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum Tickets {
    /// A line for each that is not closed: those that wait for an answer first, outages before questions.
    List(At),
    /// All that was said in one.
    Show(Ticket),
    /// Answers one, as Support, with the text that is read from standard input.
    Answer(Ticket),
    /// Closes one.
    Close(Ticket),
}

#[derive(Debug, Args)]
struct Ticket {
    #[command(flatten)]
    at: At,
    /// Its id, such as `list` tells it.
    id: TicketId,
}

#[derive(Debug, Args)]
struct At {
    /// Where it is met and where its database is, as YAML.
    #[arg(long, env = "SOULFRA_CONTROL_PLANE_SETTINGS")]
    settings: PathBuf,
}

#[derive(Debug, Args)]
struct Admit {
    #[command(flatten)]
    at: At,
    /// As blueprints name it, such as `acme`.
    #[arg(long)]
    slug: Slug,
    /// As people call it.
    #[arg(long)]
    name: String,
    /// starter, business or enterprise.
    #[arg(long, default_value = "starter")]
    plan: PlanName,
    /// Of whoever is to own it: an invitation is made for this address.
    #[arg(long)]
    owner: Option<Email>,
}

#[derive(Debug, Args)]
struct GrantKeys {
    #[command(flatten)]
    at: At,
    /// Makes another key first, which does not sign yet.
    #[arg(long, conflicts_with_all = ["sign_with", "remove"])]
    add: bool,
    /// Has this key sign from now on: platforms have to know it by then.
    #[arg(long, value_name = "KID", conflicts_with = "remove")]
    sign_with: Option<String>,
    /// Takes this key away, which signs no more.
    #[arg(long, value_name = "KID")]
    remove: Option<String>,
}

#[derive(Debug, Args)]
struct Forget {
    #[command(flatten)]
    at: At,
    /// Whose.
    #[arg(long)]
    person: Email,
}

#[derive(Debug, Subcommand)]
enum ModelServers {
    /// Prints a key for a model server, once: its `controlPlane.keyFile` holds it.
    Add {
        #[command(flatten)]
        at: At,
        /// Whatever tells it from others, such as `gpu-1`.
        name: String,
    },
    /// A line of each, the newest first: name, id, the key's first letters, since when, and when it asked last.
    List(At),
    /// Takes the key of one back.
    Revoke {
        #[command(flatten)]
        at: At,
        /// Its name.
        name: String,
    },
}

/// Passwords that are hashed at the same time: each takes a core and 19 MiB.
const HASHED_AT_ONCE: usize = 2;
/// Files that are no callers: the database, webhooks, the log.
const FILES: u64 = 256;
/// Connections of callers at once.
const CALLERS: usize = 16_384;

fn main() -> ExitCode {
    let Arguments { command, log } = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        match command {
            Command::Serve(At { settings }) => serve(&settings).await,
            Command::Admit(wanted) => admitted(wanted).await,
            Command::ForgetSecondFactor(wanted) => forgotten(wanted).await,
            Command::RootKeys(At { settings }) => told(&settings).await,
            Command::Tickets { does } => of_tickets(does).await,
            Command::ModelServer { does } => of_model_servers(does).await,
            Command::GrantKeys(wanted) => grant_keys(wanted).await,
            Command::VerifyAudit { file } => verified(&file),
        }
    })
}

async fn serve(file: &Path) -> Result<(), String> {
    let settings = Settings::read(file).map_err(|error| error.to_string())?;
    let root_keys = settings.root_keys().map_err(|error| error.to_string())?;
    let db = database(&settings).await?;
    let stop = web::stop::when_told().map_err(|error| error.to_string())?;
    let client = api_server::connect().await.map_err(|error| error.to_string())?;
    let cluster = Arc::new(Kubernetes::follow(client, stop.clone()));
    let passwords = Passwords::new(Cost::OWASP, HASHED_AT_ONCE).map_err(|it| it.to_string())?;
    let proxies = Proxies::at(settings.trusted_proxies.0.iter().copied());
    let url = settings.url.clone();
    let (clock, places) = (Clock::System, Places::new(Limits::of(CALLERS)).behind(proxies.clone()));
    let installation = settings.installation().map_err(|error| error.to_string())?;
    let egress = Egress::allowing(settings.egress.0.iter().copied());
    let egress = egress.map_err(|error| format!("no TLS to call webhooks with: {error}"))?;
    let app = App::new(Parts {
        db,
        cluster,
        clock,
        passwords,
        root_keys,
        egress,
        rates: Rates::default(),
        url,
        proxies,
        installation,
        gateway: settings.gateway.clone(),
    });
    let app = app.map_err(|error| error.to_string())?;
    let (files, wanted) = (web::open_files::raise(), CALLERS as u64 + FILES);
    if files < wanted {
        tracing::warn!(files, wanted, "fewer files may be open than callers need: allow more");
    }
    let replica = Replica::join(&app).await.map_err(|error| error.to_string())?;
    grants::signing(&app).await.map_err(|error| format!("no key for grants: {error}"))?;
    let at = settings.listen;
    let listener = TcpListener::bind(at).await;
    let listener = listener.map_err(|error| format!("cannot listen on {at}: {error}"))?;
    tracing::info!(%at, "listening");
    let others = [
        tokio::spawn(keeper::run(app.clone(), stop.clone())),
        tokio::spawn(observer::run(app.clone(), stop.clone())),
        tokio::spawn(herald::run(app.clone(), stop.clone())),
        tokio::spawn(courier::run(app.clone(), stop.clone())),
        tokio::spawn(root_keys::run(app.clone(), replica, file.to_owned(), stop.clone())),
    ];
    web::serve::serve(listener, Transport::Plain, router(app), stop, places).await;
    for other in others {
        other.await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn admitted(wanted: Admit) -> Result<(), String> {
    let Admit { at, slug, name, plan, owner } = wanted;
    let settings = Settings::read(&at.settings).map_err(|error| error.to_string())?;
    let db = database(&settings).await?;
    let new = admit::New { slug, name, plan, owner };
    let admitted = admit::organization(&db, &settings.url, new, Clock::System.now()).await;
    let admitted = admitted.map_err(|error| error.to_string())?;
    say(admitted.key.expose())?;
    admitted.invitation.map_or(Ok(()), |link| say(&link))
}

async fn forgotten(wanted: Forget) -> Result<(), String> {
    let Forget { at, person } = wanted;
    let settings = Settings::read(&at.settings).map_err(|error| error.to_string())?;
    let db = database(&settings).await?;
    let forgotten = lost::second_factor(&db, &person, Clock::System.now()).await;
    forgotten.map_err(|error| error.to_string())?;
    say(&format!("{person} is signed out everywhere; the password alone lets them in now"))
}

async fn told(settings: &Path) -> Result<(), String> {
    let settings = Settings::read(settings).map_err(|error| error.to_string())?;
    let listed = settings.root_keys_that_are_there().map_err(|error| error.to_string())?;
    let db = database(&settings).await?;
    let mut conn = db.acquire().await.map_err(|error| error.to_string())?;
    let lines = root_keys::told::status(&mut conn, &listed, Clock::System.now()).await;
    lines.map_err(|error| error.to_string())?.iter().try_for_each(|line| say(line))
}

async fn of_tickets(does: Tickets) -> Result<(), String> {
    let done = match does {
        Tickets::List(at) => tickets::told::list(&opened(&at).await?).await,
        Tickets::Show(Ticket { at, id }) => tickets::told::show(&opened(&at).await?, id).await,
        Tickets::Answer(Ticket { at, id }) => {
            // Before the database is asked: whoever types has all the time they need.
            let text = typed()?;
            let db = opened(&at).await?;
            let answered = tickets::answer(&db, id, &text, Clock::System.now()).await;
            answered.map(|()| vec![format!("{id} is answered")])
        }
        Tickets::Close(Ticket { at, id }) => {
            let closed = tickets::settle(&opened(&at).await?, id, Clock::System.now()).await;
            closed.map(|()| vec![format!("{id} is closed")])
        }
    };
    done.map_err(|error| error.to_string())?.iter().try_for_each(|line| say(line))
}

/// What stands on standard input, as a message.
fn typed() -> Result<Text, String> {
    // No letter has more bytes than four; what is longer is refused as such.
    let most = u64::try_from(LONGEST_TEXT * 4 + 2).unwrap_or(u64::MAX);
    let text = std::io::read_to_string(std::io::stdin().lock().take(most));
    let text =
        text.map_err(|error| format!("cannot read the answer from standard input: {error}"))?;
    Text::read(&text).map_err(|why| format!("the answer on standard input {why}"))
}

async fn of_model_servers(does: ModelServers) -> Result<(), String> {
    let (ModelServers::Add { at, .. } | ModelServers::List(at) | ModelServers::Revoke { at, .. }) =
        &does;
    let settings = Settings::read(&at.settings).map_err(|error| error.to_string())?;
    let (db, now) = (database(&settings).await?, Clock::System.now());
    let lines = match does {
        ModelServers::Add { name, .. } => {
            let key = model_servers::add(&db, &name, now).await;
            key.map(|key| vec![key.expose().to_owned()])
        }
        ModelServers::List(_) => model_servers::list(&db).await,
        ModelServers::Revoke { name, .. } => model_servers::revoke(&db, &name, now)
            .await
            .map(|()| vec![format!("the key of {name} is good for nothing any more")]),
    };
    lines.map_err(|error| error.to_string())?.iter().try_for_each(|line| say(line))
}

async fn grant_keys(wanted: GrantKeys) -> Result<(), String> {
    let GrantKeys { at, add, sign_with, remove } = wanted;
    let settings = Settings::read(&at.settings).map_err(|error| error.to_string())?;
    let db = database(&settings).await?;
    let mut tx = db.begin().await.map_err(|error| error.to_string())?;
    let now = Clock::System.now();
    let done = match (add, sign_with, remove) {
        (true, ..) => {
            let listed = settings.root_keys_that_are_there().map_err(|it| it.to_string())?;
            grants::add(&mut tx, &listed, now).await.map(|_| ())
        }
        (_, Some(id), _) => grants::sign_with(&mut tx, &id, now).await,
        (_, _, Some(id)) => grants::remove(&mut tx, &id).await,
        _ => Ok(()),
    };
    done.map_err(|error| error.to_string())?;
    let keys = grants::published(&mut tx).await.map_err(|error| error.to_string())?;
    tx.commit().await.map_err(|error| error.to_string())?;
    if keys.is_empty() {
        return Err(
            "there is no key yet: the first is made when `control-plane serve` starts".into()
        );
    }
    let grants = serde_json::json!({ "issuer": grants::issuer(&settings.url), "keys": keys });
    say(&grants.to_string())
}

fn verified(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty()).enumerate();
    let entries: Vec<Entry> = lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))
        })
        .collect::<Result<_, _>>()?;
    audit::verify(&entries).map_err(|error| error.to_string())?;
    say(&format!("{} lines, none changed, none left out up to the last", entries.len()))
}

async fn opened(at: &At) -> Result<PgPool, String> {
    database(&Settings::read(&at.settings).map_err(|error| error.to_string())?).await
}

async fn database(settings: &Settings) -> Result<PgPool, String> {
    let options = settings.database().map_err(|error| error.to_string())?;
    // Without the bounds of the pool: what brings tables up to date may take longer.
    let migrating = options.connect().await;
    let mut migrating =
        migrating.map_err(|error| format!("the database cannot be reached: {error}"))?;
    let migrated = migrate(&mut migrating).await;
    migrated.map_err(|error| format!("its tables cannot be brought up to date: {error}"))?;
    Ok(pool(options))
}

/// What was asked for; all else is the log's.
fn say(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    said.map_err(|error| format!("cannot write it: {error}"))
}
