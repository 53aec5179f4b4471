//! The records of everybody, in memory: what people set and forget.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use certificates::claims::Claim;
use certificates::dns::{Dns, NoAnswer};

use crate::zones;

#[derive(Default)]
pub(crate) struct Zone(Mutex<Records>);

#[derive(Default)]
struct Records {
    texts: BTreeMap<String, Vec<String>>,
    aliases: BTreeMap<String, String>,
    addresses: BTreeMap<String, Vec<IpAddr>>,
    is_silent: bool,
}

impl Zone {
    /// The owner of the name does what the claim asks for: the TXT record.
    pub(crate) fn set_token(&self, claim: &Claim) {
        let mut records = self.0.lock().unwrap();
        records.texts.entry(claim.challenge()).or_default().push(claim.token.clone());
    }

    /// The owner of the name does what the claim asks for: the CNAME record.
    pub(crate) fn point(&self, claim: &Claim) {
        self.alias(claim.name.as_str(), &claim.points_at(&zones()));
    }

    pub(crate) fn alias(&self, name: &str, to: &str) {
        self.0.lock().unwrap().aliases.insert(name.to_owned(), to.to_owned());
    }

    pub(crate) fn address(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|each| each.parse().unwrap()).collect();
        self.0.lock().unwrap().addresses.insert(name.to_owned(), addresses);
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap() = Records::default();
    }

    /// No server answers any more, or does again.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        self.0.lock().unwrap().is_silent = is_silent;
    }

    fn ask<T>(&self, name: &str, ask: impl FnOnce(&Records) -> T) -> Result<T, NoAnswer> {
        let records = self.0.lock().unwrap();
        if records.is_silent {
            return Err(NoAnswer { name: name.to_owned(), why: "timed out".to_owned() });
        }
        Ok(ask(&records))
    }
}

#[async_trait]
impl Dns for Zone {
    async fn texts(&self, name: &str) -> Result<Vec<String>, NoAnswer> {
        self.ask(name, |records| records.texts.get(name).cloned().unwrap_or_default())
    }

    async fn alias(&self, name: &str) -> Result<Option<String>, NoAnswer> {
        self.ask(name, |records| records.aliases.get(name).cloned())
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        self.ask(name, |records| {
            let last = records.aliases.get(name).map_or(name, String::as_str);
            records.addresses.get(last).cloned().unwrap_or_default()
        })
    }
}
