//! The treasury of a fleet: a control plane, over HTTP. It also takes usage in.
//!
//! It is asked at one address, over TLS unless it is on this machine, and nowhere else: no redirect is
//! followed, and no proxy sees what is sent in plain text. What it answers is read within bounds.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use usage::{Claim, Event, Lease, TreasuryError};

use super::Treasury;
use crate::spool::{Position, SinkError, UsageSink};
use crate::upstream::in_words;

const CONNECT: Duration = Duration::from_secs(2);
/// A little longer than anybody waits for money ([`Ledger`](super::Ledger)).
const LEASE: Duration = Duration::from_secs(5);
/// Less than a delivery may take, so that it fails with a reason.
const DELIVERY: Duration = Duration::from_secs(25);
/// The longest answer, in bytes.
const LONGEST: usize = 64 << 10;

/// A control plane that is asked with the key of this model server.
pub struct Remote {
    http: Client,
    leases: Url,
    usage: Url,
    /// Marked as sensitive, so that no log shows it.
    authorization: HeaderValue,
}

/// Why nobody can be asked so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The key would be sent in plain text, or nowhere.
    #[error(
        "a control plane is asked at https:// (http:// only on this machine), without user, query and fragment"
    )]
    Address,
    /// It is none.
    #[error("the key holds what no key holds; it is one line that begins with soulfra_models_")]
    Key,
    /// There is no TLS.
    #[error("cannot ask anybody: {0}")]
    Client(String),
}

/// What was used, as it is sent.
#[derive(Serialize)]
struct Told<'a> {
    events: &'a [Event],
}

/// What became of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct TakenIn {
    conflicts: usize,
    refused: usize,
}

/// What is read of a problem.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
}

impl Remote {
    /// Checks address and key; asks nobody yet.
    pub fn new(control_plane: &Url, key: &SecretString) -> Result<Self, RemoteError> {
        let is_here = is_here(control_plane);
        let is_safe =
            control_plane.scheme() == "https" || (control_plane.scheme() == "http" && is_here);
        let is_plain = control_plane.username().is_empty()
            && control_plane.password().is_none()
            && control_plane.query().is_none()
            && control_plane.fragment().is_none();
        if !is_safe || !is_plain {
            return Err(RemoteError::Address);
        }
        let key = format!("Bearer {}", key.expose_secret().trim());
        let mut authorization = HeaderValue::from_str(&key).map_err(|_| RemoteError::Key)?;
        authorization.set_sensitive(true);
        let mut http = Client::builder()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_secs(30))
            .redirect(Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .https_only(control_plane.scheme() == "https")
            .user_agent(concat!("soulfra/", env!("CARGO_PKG_VERSION")));
        if is_here {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| RemoteError::Client(in_words(error)))?;
        let [leases, usage] = ["leases", "usage"].map(|what| at(control_plane, what));
        Ok(Self { http, leases, usage, authorization })
    }

    async fn post<T: Serialize>(
        &self,
        to: &Url,
        what: &T,
        within: Duration,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let body = serde_json::to_vec(what).map_err(|error| error.to_string())?;
        let request = self.http.post(to.clone()).timeout(within);
        let request = request
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = request.send().await.map_err(in_words)?;
        let status = response.status();
        Ok((status, read(response).await?))
    }
}

#[async_trait]
impl Treasury for Remote {
    async fn lease(&self, claim: &Claim) -> Result<Lease, TreasuryError> {
        let answer = self.post(&self.leases, claim, LEASE).await;
        let (status, body) = answer.map_err(TreasuryError::Unreachable)?;
        if status == StatusCode::OK {
            let lease = serde_json::from_slice(&body);
            return lease.map_err(|_| TreasuryError::Unreachable("it speaks otherwise".to_owned()));
        }
        let known = TreasuryError::of_code(&code(&body)).filter(|_| status == StatusCode::CONFLICT);
        Err(known.unwrap_or_else(|| TreasuryError::Unreachable(refused(status, &body))))
    }
}

#[async_trait]
impl UsageSink for Remote {
    async fn deliver(&self, batch: &[Event], _: Position) -> Result<(), SinkError> {
        let answer = self.post(&self.usage, &Told { events: batch }, DELIVERY).await;
        let (status, body) = answer.map_err(SinkError)?;
        if status != StatusCode::OK {
            return Err(SinkError(refused(status, &body)));
        }
        // Whatever else it says, it has it.
        let taken: TakenIn = serde_json::from_slice(&body).unwrap_or_default();
        if taken.conflicts > 0 {
            let conflicts = taken.conflicts;
            tracing::error!(conflicts, "the control plane knows these records with other content");
        }
        if taken.refused > 0 {
            let refused = taken.refused;
            tracing::error!(
                refused,
                "the control plane cannot keep these records: look at the clock here"
            );
        }
        Ok(())
    }
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn at(control_plane: &Url, what: &str) -> Url {
    let mut url = control_plane.clone();
    let path = format!("{}/v1/inference/{what}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// Whatever is longer is no answer of a control plane.
async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(in_words)? {
        body.extend_from_slice(&bytes);
        if body.len() > LONGEST {
            return Err("its answer does not end".to_owned());
        }
    }
    Ok(body)
}

fn code(body: &[u8]) -> String {
    serde_json::from_slice::<Problem>(body).unwrap_or_default().code
}

/// For the log: what it said may be anything, but for codes of ours.
fn refused(status: StatusCode, body: &[u8]) -> String {
    let code: String = code(body).chars().filter(char::is_ascii_graphic).take(40).collect();
    format!("the control plane answered {status} {code}").trim_end().to_owned()
}

#[cfg(test)]
mod tests;
