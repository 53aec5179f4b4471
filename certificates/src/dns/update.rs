//! A zone that is changed by messages (RFC 2136), which a shared key signs (RFC 8945).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::try_join_all;
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
/// Nobody keeps the text for longer than this: seconds.
const TTL: u32 = 30;
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
            client.send(request).first_answer().await.map_err(|error| error.to_string())
        };
        let why = match in_time(asked).await.map_err(not_set)?.response_code {
            ResponseCode::NoError => return Ok(()),
            code => code.to_str(),
        };
        Err(not_set(format!("{server} refused the change: {why}")))
    }

    /// Returns once whoever asks is given the text.
    async fn spread(&self, name: &str, text: &str) -> Result<(), NotSet> {
        let not_set = |why: String| NotSet { name: name.to_owned(), why };
        let servers = self.servers().await.map_err(not_set)?;
        let until = Instant::now() + SPREADS;
        let each = servers.into_iter().map(|server| async move {
            loop {
                let found = self.texts(server, name).await;
                match found {
                    Ok(texts) if texts.iter().any(|it| it == text) => return Ok(()),
                    found if Instant::now() >= until => {
                        let why = found.err().unwrap_or_else(|| "it does not have it yet".into());
                        return Err(format!("{server}: {why}"));
                    }
                    _ => sleep(ASKS).await,
                }
            }
        });
        try_join_all(each).await.map(drop).map_err(not_set)
    }

    /// Whom strangers ask about the zone.
    async fn servers(&self) -> Result<Vec<SocketAddr>, String> {
        if !self.primary.servers.is_empty() {
            return Ok(self.primary.servers.clone());
        }
        let names = self.ask(self.primary.server, self.zone.clone(), RecordType::NS).await?;
        let names = names.answers.iter().filter_map(|record| match &record.data {
            RData::NS(name) => Some(name.0.to_ascii()),
            _ => None,
        });
        let mut servers = Vec::new();
        for name in names {
            let name = name.trim_end_matches('.');
            let found = self.dns.addresses(name).await.map_err(|error| error.to_string())?;
            servers.extend(found.into_iter().map(|address| SocketAddr::new(address, 53)));
        }
        if servers.is_empty() {
            return Err(format!("{} names no servers of {}", self.primary.server, self.zone));
        }
        Ok(servers)
    }

    async fn texts(&self, server: SocketAddr, name: &str) -> Result<Vec<String>, String> {
        let name = absolute(name).map_err(|error| error.to_string())?;
        let found = self.ask(server, name, RecordType::TXT).await?;
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
            answer.map(DnsResponse::into_message).map_err(|error| error.to_string())
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
