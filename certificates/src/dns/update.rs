//! A zone that is changed by messages (RFC 2136), which a shared key signs (RFC 8945).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::join_all;
use hickory_resolver::net::client::{Client, ClientHandle as _};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::xfer::{DnsHandle as _, DnsMultiplexer, FirstAnswer as _};
use hickory_resolver::proto::op::{
    DnsRequest, DnsRequestOptions, DnsResponse, Message, ResponseCode, UpdateMessage as _,
    update_message,
};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigner};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::{Dns, Editor, NotSet};

/// A server answers within this time, or does not.
const TIMEOUT: Duration = Duration::from_secs(5);
/// So long the other servers of the zone may take to have what the first one has.
const SPREADS: Duration = Duration::from_secs(45);
/// They are asked for it so often.
const ASKS: Duration = Duration::from_millis(500);
/// One that so many times in a row gave no answer is not there.
const UNHEARD: usize = 3;
/// Nobody keeps the text for longer than this: seconds.
const TTL: u32 = 30;
/// Whoever can guess the key can have a certificate for every platform.
const SHORTEST_KEY: usize = 16;
/// So far our clock and the server's may be apart: seconds.
const FUDGE: u16 = 300;

/// Where a zone is changed.
#[derive(Clone, Debug)]
pub struct Primary {
    /// The server that takes changes.
    pub server: SocketAddr,
    /// The zone, such as `platforms.example.com`.
    pub zone: String,
    /// Whom strangers may ask. Where there are none, those that the zone itself names, at port 53.
    pub servers: Vec<SocketAddr>,
}

/// The key that changes are signed with.
#[derive(Clone, Debug)]
pub struct Key {
    /// What the server calls it.
    pub name: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The key itself in base64, as servers have it in their settings.
    pub secret: SecretString,
}

/// How a key signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-256: what everybody has.
    #[default]
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
}

/// A server of a zone, by its name, and where it is.
struct Server {
    name: String,
    at: Vec<SocketAddr>,
}

/// Whether a server has a text.
enum Has {
    It,
    /// It answers, and does not.
    Not(String),
    /// Nobody answers there.
    NoAnswer(String),
}

/// Changes a zone.
pub struct Update {
    primary: Primary,
    zone: Name,
    signer: TSigner,
    dns: Arc<dyn Dns>,
}

impl Update {
    /// Changes this one. `dns` tells where its other servers are.
    ///
    /// # Errors
    /// The zone's or the key's name is none.
    pub fn new(primary: Primary, key: &Key, dns: Arc<dyn Dns>) -> Result<Self, NotSet> {
        let none = |why: &dyn std::fmt::Display| NotSet {
            name: primary.zone.clone(),
            why: why.to_string(),
        };
        let zone = absolute(&primary.zone)?;
        let algorithm = match key.algorithm {
            Algorithm::HmacSha256 => TsigAlgorithm::HmacSha256,
            Algorithm::HmacSha384 => TsigAlgorithm::HmacSha384,
            Algorithm::HmacSha512 => TsigAlgorithm::HmacSha512,
        };
        let secret = BASE64_STANDARD.decode(key.secret.expose_secret().trim());
        let secret = secret.map_err(|error| none(&format!("the key {}: {error}", key.name)))?;
        if secret.len() < SHORTEST_KEY {
            let why = format!("the key {} is shorter than {SHORTEST_KEY} bytes", key.name);
            return Err(none(&why));
        }
        let signer = TSigner::new(secret, algorithm, absolute(&key.name)?, FUDGE)
            .map_err(|error| none(&error))?;
        Ok(Self { primary, zone, signer, dns })
    }

    /// Makes the texts of a name those, and no others.
    async fn replace(&self, name: &str, text: Option<&str>) -> Result<(), NotSet> {
        let not_set = |why: String| NotSet { name: name.to_owned(), why };
        let at = absolute(name)?;
        if !self.zone.zone_of(&at) {
            return Err(not_set(format!("it is not in the zone {}", self.zone)));
        }
        let record = |text: &str| {
            let data = RData::TXT(TXT::new(vec![text.to_owned()]));
            Record::from_rdata(at.clone(), TTL, data)
        };
        let mut message = update_message::delete_rrset(record(""), self.zone.clone(), false);
        if let Some(text) = text {
            message.add_update(record(text));
        }
        let request = DnsRequest::new(message, DnsRequestOptions::default());
        let server = self.primary.server;
        let asked = async {
            let (client, _background) = self.connect(server).await?;
            client.send(request).first_answer().await.map_err(|error| {
                // Who does not know the key signs no answer.
                let key = self.signer.signer_name();
                tracing::debug!(%server, %error, "a change was not answered as it should be");
                format!(
                    "{server} did not take the change: does it know the key `{key}`, is the secret \
                     the same, and are both clocks right?"
                )
            })
        };
        match in_time(asked).await.map_err(not_set)?.response_code {
            ResponseCode::NoError => Ok(()),
            code => Err(not_set(format!("{server} refused the change: {code}"))),
        }
    }

    /// Returns once whoever asks is given the text.
    async fn spread(&self, name: &str, text: &str) -> Result<(), NotSet> {
        let not_set = |why: String| NotSet { name: name.to_owned(), why };
        let servers = self.servers().await.map_err(not_set)?;
        let until = Instant::now() + SPREADS;
        let each = servers.into_iter().map(|server| self.has(server, name, text, until));
        let (mut have, mut silent) = (0, Vec::new());
        for found in join_all(each).await {
            match found {
                Has::It => have += 1,
                Has::Not(why) => return Err(not_set(why)),
                Has::NoAnswer(why) => silent.push(why),
            }
        }
        if have == 0 {
            return Err(not_set(silent.join("; ")));
        }
        if !silent.is_empty() {
            // Authorities pass over it as everybody does.
            tracing::warn!(name, "servers of the zone do not answer: {}", silent.join("; "));
        }
        Ok(())
    }

    /// Asks one server, at whichever of its addresses answers, until it has the text.
    async fn has(&self, server: Server, name: &str, text: &str, until: Instant) -> Has {
        let mut unheard = 0;
        loop {
            let (mut answered, mut silent) = (None, Vec::new());
            for at in &server.at {
                match self.texts(*at, name).await {
                    Ok(texts) if texts.iter().any(|it| it == text) => return Has::It,
                    Ok(_) => answered = Some(*at),
                    Err(why) => silent.push(format!("{at}: {why}")),
                }
            }
            unheard = if answered.is_some() { 0 } else { unheard + 1 };
            if Instant::now() >= until || unheard == UNHEARD {
                return match answered {
                    Some(at) => Has::Not(format!("{at} does not have it after {SPREADS:?}")),
                    None if server.at.is_empty() => {
                        Has::NoAnswer(format!("{} has no address", server.name))
                    }
                    None => Has::NoAnswer(silent.join("; ")),
                };
            }
            sleep(ASKS).await;
        }
    }

    /// Whom strangers ask about the zone.
    async fn servers(&self) -> Result<Vec<Server>, String> {
        if !self.primary.servers.is_empty() {
            let each = self.primary.servers.iter();
            return Ok(each.map(|at| Server { name: at.to_string(), at: vec![*at] }).collect());
        }
        let names = self.ask(self.primary.server, self.zone.clone(), RecordType::NS).await?;
        let names = names.answers.iter().filter_map(|record| match &record.data {
            RData::NS(name) => Some(name.0.to_ascii()),
            _ => None,
        });
        let mut servers = Vec::new();
        for name in names {
            let name = name.trim_end_matches('.').to_owned();
            // One that cannot be found cannot be asked by strangers either.
            let found = self.dns.addresses(&name).await.unwrap_or_default();
            let at = found.into_iter().map(|address| SocketAddr::new(address, 53)).collect();
            servers.push(Server { name, at });
        }
        if servers.is_empty() {
            return Err(format!("{} names no servers of {}", self.primary.server, self.zone));
        }
        Ok(servers)
    }

    async fn texts(&self, server: SocketAddr, name: &str) -> Result<Vec<String>, String> {
        let name = absolute(name).map_err(|error| error.to_string())?;
        let found = self.ask(server, name, RecordType::TXT).await?;
        let is_alias = |record: &Record| matches!(record.data, RData::CNAME(_));
        if found.answers.iter().any(is_alias) {
            return Err("it is another name of something (a CNAME), and takes no text".to_owned());
        }
        let texts = found.answers.iter().filter_map(|record| match &record.data {
            RData::TXT(text) => {
                let bytes: Vec<u8> = text.txt_data.iter().flatten().copied().collect();
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => None,
        });
        Ok(texts.collect())
    }

    async fn ask(
        &self,
        server: SocketAddr,
        name: Name,
        kind: RecordType,
    ) -> Result<Message, String> {
        let asked = async {
            let (mut client, _background) = self.connect(server).await?;
            let answer = client.query(name, DNSClass::IN, kind).await;
            let answer =
                answer.map(DnsResponse::into_message).map_err(|error| error.to_string())?;
            match answer.response_code {
                ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
                code => Err(format!("it answered: {code}")),
            }
        };
        in_time(asked).await
    }

    /// A connection that ends when what comes with it is dropped.
    async fn connect(
        &self,
        server: SocketAddr,
    ) -> Result<(Client<TokioRuntimeProvider>, AbortOnDropHandle<()>), String> {
        let provider = TokioRuntimeProvider::default();
        let (stream, sender) = TcpClientStream::new(server, None, Some(TIMEOUT), provider);
        let stream = stream.await.map_err(|error| format!("{server}: {error}"))?;
        let messages = DnsMultiplexer::new(stream, sender)
            .with_timeout(TIMEOUT)
            .with_signer(self.signer.clone());
        let (client, background) = Client::from_sender(messages);
        // It ends with the connection, and says nothing more.
        let background = async move {
            let _ended = background.await;
        };
        Ok((client, AbortOnDropHandle::new(tokio::spawn(background))))
    }
}

#[async_trait]
impl Editor for Update {
    async fn set(&self, name: &str, text: &str) -> Result<(), NotSet> {
        self.replace(name, Some(text)).await?;
        self.spread(name, text).await
    }

    async fn clear(&self, name: &str) -> Result<(), NotSet> {
        self.replace(name, None).await
    }
}

impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Update").field("primary", &self.primary).finish_non_exhaustive()
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let done = tokio::time::timeout(2 * TIMEOUT, asked).await;
    done.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

/// A name with its last dot, so that nothing is added to it.
fn absolute(name: &str) -> Result<Name, NotSet> {
    let mut parsed = Name::from_ascii(name)
        .map_err(|error| NotSet { name: name.to_owned(), why: error.to_string() })?;
    parsed.set_fqdn(true);
    Ok(parsed)
}
