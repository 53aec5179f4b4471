//! A recursive resolver, asked afresh each time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
    ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::{Dns, NoAnswer};

/// A question is asked twice, and waits so long each time.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks one or several recursive resolvers.
pub struct Resolver(TokioResolver);

impl Resolver {
    /// Asks these; where there are none, those of the machine.
    ///
    /// # Errors
    /// The machine's settings cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, NetError> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = if servers.is_empty() {
            hickory_resolver::Resolver::builder(provider)?
        } else {
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            hickory_resolver::Resolver::builder_with_config(config, provider)
        };
        set(builder.options_mut());
        Ok(Self(builder.build()?))
    }

    /// Each record of one type, as long as the name is not another name of something.
    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, NoAnswer> {
        // With its last dot, so that nothing is added to it.
        match self.0.lookup(format!("{name}."), kind).await {
            Ok(found) => Ok(found.answers().iter().map(|record| record.data.clone()).collect()),
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
            Err(error) => Err(NoAnswer { name: name.to_owned(), why: error.to_string() }),
        }
    }
}

fn server(at: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = at.port();
        connection
    });
    NameServerConfig::new(at.ip(), true, connections.to_vec())
}

fn set(options: &mut ResolverOpts) {
    // Somebody is waiting for what they have just set.
    options.cache_size = 0;
    options.timeout = TIMEOUT;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.try_tcp_on_error = true;
}

#[async_trait]
impl Dns for Resolver {
    async fn texts(&self, name: &str) -> Result<Vec<String>, NoAnswer> {
        let found = self.records(name, RecordType::TXT).await?;
        let texts = found.into_iter().filter_map(|data| match data {
            RData::TXT(text) => {
                let bytes: Vec<u8> = text.txt_data.iter().flatten().copied().collect();
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => None,
        });
        Ok(texts.collect())
    }

    async fn alias(&self, name: &str) -> Result<Option<String>, NoAnswer> {
        let found = self.records(name, RecordType::CNAME).await?;
        Ok(found.into_iter().find_map(|data| match data {
            RData::CNAME(name) => {
                let name = name.0.to_ascii().to_ascii_lowercase();
                Some(name.strip_suffix('.').unwrap_or(&name).to_owned())
            }
            _ => None,
        }))
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        let (four, six) =
            tokio::join!(self.records(name, RecordType::A), self.records(name, RecordType::AAAA));
        let found = four?.into_iter().chain(six?).filter_map(|data| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        });
        Ok(found.collect())
    }
}
