//! Calls to addresses that people named: webhooks, providers of single sign-on and the like. They end outside, or not at all.
//!
//! ```text
//! URL -> parts that cannot be -> addresses of its name, each of them checked -> connected to one of these
//! ```
//! A name is asked for once in a call, and what was checked is what is connected to: a name that says
//! something else a moment later changes nothing. Nothing is followed, since each hop would be a new
//! address. Who has something inside to be called says so: [`Egress::allowing`].

mod addresses;

use std::error::Error as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Url, redirect};

/// Nobody waits longer for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Nor for the whole of an answer.
const WHOLE: Duration = Duration::from_secs(15);
/// More of an answer is not read, in bytes.
const MOST: usize = 64 << 10;
/// Longer URLs are nobody's.
const LONGEST: usize = 2_048;

/// Why nothing was called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It cannot be called, whatever is there.
    #[error("{0}")]
    Url(&'static str),
    /// What is there is inside, or nobody's.
    #[error("{0} leads to an address that is not on the internet")]
    Inside(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing was called.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody answered, or not in time; in words that may be shown.
    #[error("{0}")]
    NoAnswer(&'static str),
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it went.
    pub status: StatusCode,
    /// With what.
    pub headers: HeaderMap,
    /// The first 64 KiB.
    pub body: Bytes,
}

/// Addresses of a name.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Calls to the outside. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    client: reqwest::Client,
    allowed: Arc<[IpNet]>,
}

impl Egress {
    /// To the internet, and nowhere else.
    ///
    /// # Errors
    /// Where TLS cannot be had.
    pub fn new() -> reqwest::Result<Self> {
        Self::allowing([])
    }

    /// To the internet, and to these networks of one's own; there by `http` too, where an address is named.
    ///
    /// # Errors
    /// Where TLS cannot be had.
    pub fn allowing(networks: impl IntoIterator<Item = IpNet>) -> reqwest::Result<Self> {
        Self::resolving(networks.into_iter().collect(), Arc::new(|name| Box::pin(looked_up(name))))
    }

    fn resolving(allowed: Arc<[IpNet]>, lookup: Lookup) -> reqwest::Result<Self> {
        let guarded = Guarded { lookup, allowed: allowed.clone() };
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .redirect(redirect::Policy::none())
            .no_proxy()
            // A connection that is kept is to an address that was checked long ago.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(guarded))
            .build()?;
        Ok(Self { client, allowed })
    }

    /// Whether this can be called, as far as that is known without asking for its name.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        if url.as_str().len() > LONGEST {
            return Err(Refused::Url("an address has 2,048 letters at most"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Url("an address has no name and password in it"));
        }
        if url.fragment().is_some() {
            return Err(Refused::Url("an address ends before a #"));
        }
        let named = url.host_str().ok_or(Refused::Url("an address names a host"))?;
        let literal = named.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let is_own = literal.is_some_and(|address| is_in(&self.allowed, address));
        match url.scheme() {
            "https" => {}
            "http" if is_own => {}
            _ => return Err(Refused::Url("an address begins with https://")),
        }
        match literal {
            Some(address) if !is_own && !addresses::is_global(address) => {
                Err(Refused::Inside(named.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Asks for what is there, and reads the first 64 KiB of it.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn get(&self, url: &Url, headers: HeaderMap) -> Result<Answer, CallError> {
        self.check(url)?;
        answered(self.client.get(url.clone()).headers(headers)).await
    }

    /// Sends this there, and reads the first 64 KiB of the answer.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, CallError> {
        self.check(url)?;
        answered(self.client.post(url.clone()).headers(headers).body(body)).await
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Result<Answer, CallError> {
    let mut answer = request.send().await.map_err(|error| because(&error))?;
    let mut body = Vec::new();
    while body.len() < MOST
        && let Some(part) = answer.chunk().await.map_err(|error| because(&error))?
    {
        body.extend_from_slice(&part[..part.len().min(MOST - body.len())]);
    }
    let (status, headers) = (answer.status(), answer.headers().clone());
    Ok(Answer { status, headers, body: body.into() })
}

/// Names, of which only addresses outside are told.
struct Guarded {
    lookup: Lookup,
    allowed: Arc<[IpNet]>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, allowed) = ((self.lookup)(name.as_str().to_owned()), self.allowed.clone());
        Box::pin(async move {
            let found = found.await?;
            let is_outside = |it: &IpAddr| is_in(&allowed, *it) || addresses::is_global(*it);
            // One of them inside is a try, or a mistake: none of them is called.
            if !found.iter().all(is_outside) {
                return Err(Refused::Inside(name.as_str().to_owned()).into());
            }
            let found: Addrs = Box::new(found.into_iter().map(|it| SocketAddr::new(it, 0)));
            Ok(found)
        })
    }
}

async fn looked_up(mut name: String) -> io::Result<Vec<IpAddr>> {
    // From the root on: what is short for something of our own network is nobody's to call.
    if !name.ends_with('.') {
        name.push('.');
    }
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
}

fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// What became of a call, in words without anything of ours in them.
fn because(error: &reqwest::Error) -> CallError {
    let mut cause = error.source();
    while let Some(it) = cause {
        if let Some(refused) = it.downcast_ref::<Refused>() {
            return refused.clone().into();
        }
        cause = it.source();
    }
    CallError::NoAnswer(if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection: the name is unknown, nobody listens, or the certificate is not good"
    } else {
        "the connection broke off"
    })
}

#[cfg(test)]
mod tests;
