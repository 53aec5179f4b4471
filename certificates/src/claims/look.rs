//! Looking at the DNS for a claim.

use std::time::Duration;

use super::decide::{Leads, Look};
use super::{Claim, Zones};
use crate::dns::{Dns, NoAnswer};

/// A name may be another name of another name, so often.
const STEPS: usize = 8;
/// What people are shown of what was found.
const SHOWN: usize = 6;
const SHOWN_LENGTH: usize = 120;

/// A look takes no longer: what was not answered by then is not known.
const DEADLINE: Duration = Duration::from_secs(45);

/// Looks for the records of a claim.
pub async fn look(dns: &dyn Dns, zones: &Zones, claim: &Claim) -> Look {
    let found = tokio::time::timeout(DEADLINE, records(dns, zones, claim)).await;
    let mut look = found.unwrap_or_else(|_| Look { is_unsure: true, ..Look::default() });
    // Servers answer in any order: what is the same is told in the same words.
    look.found.sort();
    Look { token_sought: claim.token.clone(), ..look }
}

async fn records(dns: &dyn Dns, zones: &Zones, claim: &Claim) -> Look {
    let challenge = claim.challenge();
    let target = claim.points_at(zones);
    let (texts, leads) =
        tokio::join!(dns.texts(&challenge), leads(dns, claim.name.as_str(), &target));
    let mut look = Look::default();
    match texts {
        Ok(texts) => {
            look.token = texts.contains(&claim.token);
            for text in texts {
                look.show(&format!("TXT {text}"));
            }
        }
        Err(NoAnswer { .. }) => look.is_unsure = true,
    }
    match leads {
        Ok(Followed { is_target, last, is_alias }) => {
            if is_target {
                look.leads = Leads::ToTarget;
            }
            if is_alias {
                look.show(&format!("CNAME {last}"));
            }
        }
        Err(NoAnswer { .. }) => look.is_unsure = true,
    }
    if look.leads != Leads::ToTarget {
        match dns.addresses(claim.name.as_str()).await {
            Ok(addresses) => {
                let is_edge = |address| zones.addresses.contains(address);
                if !addresses.is_empty() && addresses.iter().all(is_edge) {
                    look.leads = Leads::ToEdge;
                }
                for address in addresses {
                    let kind = if address.is_ipv4() { "A" } else { "AAAA" };
                    look.show(&format!("{kind} {address}"));
                }
            }
            Err(NoAnswer { .. }) => look.is_unsure = true,
        }
    }
    look
}

impl Look {
    /// Shows people what was found: strangers wrote it, so it is cut, and nothing but visible
    /// letters is kept.
    fn show(&mut self, what: &str) {
        if self.found.len() < SHOWN {
            let visible =
                what.chars().map(|it| if it.is_ascii_graphic() || it == ' ' { it } else { '?' });
            self.found.push(visible.take(SHOWN_LENGTH).collect());
        }
    }
}

struct Followed {
    is_target: bool,
    is_alias: bool,
    last: String,
}

/// Follows a name to what it is another name of.
async fn leads(dns: &dyn Dns, name: &str, target: &str) -> Result<Followed, NoAnswer> {
    let mut leads = Followed { is_target: false, is_alias: false, last: name.to_owned() };
    for _ in 0..STEPS {
        let Some(next) = dns.alias(&leads.last).await? else { break };
        leads = Followed { is_target: next == target, is_alias: true, last: next };
        if leads.is_target {
            break;
        }
    }
    Ok(leads)
}
