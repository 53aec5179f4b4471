//! How a second command speaks to the host process: one JSON line each way, over a socket that
//! only this person can open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::records::Kept;
use crate::failure::{Failure, Kind, Result};
use crate::home::Home;

/// How long the host may take over a request; bringing up a platform is the longest.
const PATIENCE: Duration = Duration::from_mins(2);
/// The longest request or reply, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// What can be asked of the host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// Bring up the platform in this folder, if it is not up.
    Add {
        /// The platform's folder.
        folder: PathBuf,
    },
    /// Which platforms run?
    Status,
    /// Stop one.
    Stop {
        /// Its name.
        name: String,
    },
    /// Stop all, and the host.
    StopAll,
    /// Make a one-time link that lets a platform's owner in.
    AdminLink {
        /// The platform's name.
        name: String,
    },
    /// Where the console is, and how its owner gets in.
    Console {
        /// Who is to be its owner, where that is said.
        email: Option<String>,
    },
    /// Where the host's Postgres is, for backup and the like.
    Database,
}

/// One running platform.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Its address.
    pub site: String,
    /// Its address over HTTPS, where the host answers so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_site: Option<String>,
    /// Its folder.
    pub folder: PathBuf,
    /// The one-time link, while it has no owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_link: Option<String>,
    /// What is not shown as its blueprint has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What the host answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Reply {
    /// The platform is up.
    Added {
        /// Where.
        running: Running,
    },
    /// These run.
    Platforms {
        /// All of them.
        platforms: Vec<Running>,
    },
    /// Stopped, or was not running.
    Stopped {
        /// Whether it ran.
        ran: bool,
    },
    /// A one-time link; none when the platform does not run.
    AdminLink {
        /// The link.
        link: Option<String>,
    },
    /// The console of this machine.
    Console {
        /// Its address.
        url: String,
        /// A link by which its owner joins; none where they have.
        link: Option<String>,
    },
    /// The administrator's connection.
    Database {
        /// A Postgres URL.
        url: String,
        /// Which server it is.
        #[serde(flatten)]
        kept: Kept,
    },
    /// It could not be done.
    Failed {
        /// The exit code.
        code: u8,
        /// What happened.
        what: String,
        /// What to do next.
        hint: String,
    },
}

/// Asks the host process. `None`: none runs.
pub async fn ask(home: &Home, request: &Request) -> Result<Option<Reply>> {
    let Ok(mut stream) = UnixStream::connect(home.socket()?).await else { return Ok(None) };
    let work = async {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = String::new();
        BufReader::new(stream.take(LONGEST)).read_line(&mut answer).await?;
        std::io::Result::Ok(serde_json::from_str(&answer)?)
    };
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(reply)) => Ok(Some(reply)),
        Ok(Err(error)) => Err(no_answer(&error.to_string())),
        Err(_) => Err(no_answer("it did not answer in two minutes")),
    }
}

/// Opens the socket for the host process, in place of one left by a host that died.
pub fn listen(socket: &Path) -> Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    // The lock is ours, so nobody listens on it any more.
    if let Err(error) = std::fs::remove_file(socket)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Failure::file("replace", socket, &error));
    }
    let listener =
        UnixListener::bind(socket).map_err(|error| Failure::file("open", socket, &error))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| Failure::file("protect", socket, &error))?;
    Ok(listener)
}

/// Reads one request and writes one reply.
pub async fn converse<F, A>(stream: UnixStream, answer: F)
where
    F: FnOnce(Request) -> A,
    A: Future<Output = Reply>,
{
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let heard = tokio::time::timeout(
        Duration::from_secs(5),
        BufReader::new(read.take(LONGEST)).read_line(&mut line),
    )
    .await;
    if !matches!(heard, Ok(Ok(1..))) {
        return;
    }
    let reply = match serde_json::from_str(&line) {
        Ok(request) => answer(request).await,
        Err(error) => Reply::Failed {
            code: Kind::Host as u8,
            what: format!("the host process did not understand the request: {error}"),
            hint: "It may be of another version: `create-ai-platform stop --all`, then again."
                .to_owned(),
        },
    };
    if let Ok(mut bytes) = serde_json::to_vec(&reply) {
        bytes.push(b'\n');
        if let Err(error) = write.write_all(&bytes).await {
            tracing::debug!(%error, "the asker left before the reply");
        }
    }
}

fn no_answer(why: &str) -> Failure {
    Failure::new(
        Kind::Host,
        format!("the host process did not answer: {why}"),
        "Look at its terminal or at host.log; end it with Ctrl-C there and start again.",
    )
}
