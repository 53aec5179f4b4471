//! Names of a platform: what it is met under, and how far each name is.

use std::time::Duration;

use blueprint::PlatformBlueprint;
use blueprint::status::{DomainState, DomainStatus};
use certificates::served::{Looks, Platform, Shades, Sleeps, Standing};
use jiff::Timestamp;
use pages::Brand;
use pages::brand::{Mode, Theme};
use plan::Plan;
use plan::decide::ReplicasOwner;
use tenant_runtime::site::brand_input;
use uuid::Uuid;

use super::apply::Turn;
use super::conditions::Said;
use super::status::RUNTIME;
use super::{Driver, Failure};
use crate::domains::{DomainsError, Kept, Wish};

/// The annotation of a blueprint by which its owner says since when the records of its names are
/// there: a time such as `2026-03-01T12:00:00Z`.
pub const RECHECK: &str = "soulfra.io/recheck";

/// Where the database of names does not answer, it is asked again after this time.
pub(super) const ASKS_AGAIN: Duration = Duration::from_mins(2);
/// What is told then: the cause is the log's.
pub(super) const AWAY: &str = "names could not be looked after just now: they stay as they were";

/// The port of the Service that visitors are handed on to.
const PORT: u16 = 80;

const DOMAINS: &str = "DomainsReady";
const CERTIFICATES: &str = "CertificatesReady";

/// What a turn found out about the names of its platform.
pub(super) struct Names {
    /// As the status has them.
    pub(super) domains: Vec<DomainStatus>,
    /// Where the platform is met first, if that is a name of its own.
    pub(super) primary_host: Option<String>,
    /// Both conditions.
    pub(super) said: [Said; 2],
}

impl Driver {
    /// Makes its names a platform's, and tells edges how it is met. Where the database of names does
    /// not answer, all else goes on.
    pub(super) async fn keep_names(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
    ) -> Result<(), Failure> {
        let Some(domains) = &self.domains else { return Ok(()) };
        let Some(mut wish) = wish(turn, plan) else { return Ok(()) };
        let mut kept = domains.keep(&wish).await;
        if let Err(DomainsError::Unsure { others }) = kept {
            self.is_as_known(turn).await?;
            wish.gone = Some(others);
            kept = domains.keep(&wish).await;
        }
        if kept == Err(DomainsError::Ended) {
            self.is_as_known(turn).await?;
        }
        match kept {
            Ok(kept) => {
                if let Some(again) = kept.names.iter().filter_map(|named| named.again).min() {
                    turn.done.look_again(again);
                }
                turn.names = Some(told(kept, plan));
            }
            Err(DomainsError::Fenced) => return Err(DomainsError::Fenced.into()),
            Err(error) => {
                tracing::warn!(tenant = turn.name, %error, "names stay as they are");
                turn.done.look_again(ASKS_AGAIN);
                turn.are_names_away = true;
            }
        }
        Ok(())
    }

    /// A platform that was deleted is met nowhere any more, whatever becomes of it. Where the
    /// database of names does not answer, nothing waits for it.
    pub(super) async fn close_names(&self, turn: &mut Turn<'_>) -> Result<(), Failure> {
        let Some(domains) = &self.domains else { return Ok(()) };
        if turn.tenant.home().is_none_or(|(_, home)| home.deleted.is_none()) {
            return Ok(());
        }
        match self.earlier(turn).await {
            Ok(earlier) => {
                for uid in earlier {
                    if let Err(error) = domains.close(uid).await {
                        still_known(turn, &error);
                    }
                }
            }
            Err(Failure::Domains(error)) => still_known(turn, &error),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// A platform that goes for good gives its names up.
    pub(super) async fn release_names(&self, turn: &mut Turn<'_>) -> Result<(), Failure> {
        let Some(domains) = &self.domains else { return Ok(()) };
        for uid in self.earlier(turn).await? {
            domains.release(uid).await?;
        }
        Ok(())
    }

    /// The blueprints of this name that are gone: of all that there is something of, those that
    /// the API server does not have then.
    async fn earlier(&self, turn: &mut Turn<'_>) -> Result<Vec<Uuid>, Failure> {
        let Some(domains) = &self.domains else { return Ok(Vec::new()) };
        let mut of_name = domains.of_name(turn.name).await?;
        if !of_name.is_empty() {
            // The one that is known may be gone, and another one be there that is not known.
            self.is_as_known(turn).await?;
            let is_there = turn.tenant.resource.as_ref().map(|resource| resource.uid);
            of_name.retain(|uid| Some(*uid) != is_there);
        }
        Ok(of_name)
    }
}

/// What a platform wants of names.
fn wish(turn: &Turn<'_>, plan: &Plan<'_>) -> Option<Wish> {
    let resource = turn.tenant.resource.as_ref()?;
    let stone = turn.tenant.home().and_then(|(_, home)| home.deleted.as_ref());
    let identity = &plan.blueprint.spec.identity;
    let rollout = turn.tenant.rollout(RUNTIME);
    let standing = match rollout {
        _ if plan.copies.stopped.is_some() => Standing::Suspended,
        Some(rollout) if rollout.stuck.is_some() && rollout.ready == 0 => Standing::Failed,
        _ => Standing::Serving,
    };
    let may_sleep = plan.copies.owner == ReplicasOwner::Edge && plan.copies.stopped.is_none();
    let sleeps = may_sleep.then(|| Sleeps {
        namespace: plan.namespace(),
        copies: plan.copies.min.value,
        asleep: rollout.is_some_and(|rollout| rollout.wanted == 0),
    });
    let platform = Platform {
        uid: resource.uid,
        name: turn.name.to_owned(),
        backend: format!("{RUNTIME}.{}.svc:{PORT}", plan.namespace()),
        own_host: plan.own_host(),
        primary_host: None,
        standing,
        display_name: identity.display_name.clone(),
        support_email: identity.support_email.clone(),
        looks: Some(looks(plan.blueprint)),
        sleeps,
    };
    let recheck = resource.metadata().annotations.as_ref().and_then(|it| it.get(RECHECK));
    Some(Wish {
        platform,
        names: plan.blueprint.spec.domains.iter().map(|it| it.as_str().to_owned()).collect(),
        comes_back: stone.is_some(),
        recheck: recheck.and_then(|since| since.parse::<Timestamp>().ok()),
        gone: None,
    })
}

/// The colours of its brand, as its own pages have them.
fn looks(blueprint: &PlatformBlueprint) -> Looks {
    let brand = Brand::mended(brand_input(blueprint));
    let shades = |mode| {
        let palette = brand.palette(mode);
        let shade = |token| palette.get(token).to_string().parse().ok();
        let (page, text) = (shade("page")?, shade("text")?);
        Some(Shades { page, text, quiet: shade("muted")?, link: shade("link")? })
    };
    let theme = brand.input().theme;
    Looks {
        light: shades(Mode::Light).filter(|_| theme != Theme::Dark),
        dark: shades(Mode::Dark).filter(|_| theme != Theme::Light),
    }
}

/// Edges meet what is gone; it is tried again.
fn still_known(turn: &mut Turn<'_>, error: &DomainsError) {
    tracing::warn!(tenant = turn.name, %error, "edges still know it");
    turn.done.look_again(ASKS_AGAIN);
}

fn told(kept: Kept, plan: &Plan<'_>) -> Names {
    let gateway = plan.installation.gateway.as_ref();
    let of_certificates = match gateway.and_then(|gateway| gateway.issuer.as_ref()) {
        Some(issuer) => {
            let message = format!("cert-manager's {issuer} issues them for the gateway");
            Said::yes(CERTIFICATES, "OfTheGateway", message)
        }
        None => of_certificates(&kept),
    };
    let said = [of_domains(&kept), of_certificates];
    let Kept { names, primary_host, .. } = kept;
    Names { domains: names.into_iter().map(|it| it.status).collect(), primary_host, said }
}

fn is_proven(domain: &DomainStatus) -> bool {
    matches!(domain.state, DomainState::Verified | DomainState::Serving)
}

fn of_domains(kept: &Kept) -> Said {
    let all = kept.names.len();
    if all == 0 {
        return Said::yes(DOMAINS, "Shared", "served below the installation's own domain");
    }
    sum(DOMAINS, kept, |domain| !is_proven(domain)).unwrap_or_else(|| {
        Said::yes(DOMAINS, "Proven", format!("all {all} domains of its own are proven"))
    })
}

fn of_certificates(kept: &Kept) -> Said {
    if !kept.own_is_served {
        let message = "the installation has no certificate for the names below its own domain: its \
                       operator's settings say how it gets one";
        return Said::no(CERTIFICATES, "NoZoneCertificate", message);
    }
    let all = kept.names.len();
    if all == 0 {
        return Said::yes(
            CERTIFICATES,
            "Shared",
            "served under the installation's own certificate",
        );
    }
    if let Some(said) = sum(CERTIFICATES, kept, is_proven) {
        return said;
    }
    let served = kept.names.iter().filter(|it| is_proven(&it.status)).count();
    if served < all {
        let message =
            format!("{served} of {all} domains are served: the others are to be proven first");
        return Said::no(CERTIFICATES, "WaitsForDomains", message);
    }
    Said::yes(CERTIFICATES, "Issued", format!("all {all} domains have a certificate"))
}

/// What stands against names of which this is so; the first one gives the reason.
fn sum(kind: &'static str, kept: &Kept, is_meant: fn(&DomainStatus) -> bool) -> Option<Said> {
    let meant = kept.names.iter().filter(|named| is_meant(&named.status));
    let against: Vec<_> =
        meant.filter_map(|named| Some((&named.status.name, named.stands.as_ref()?))).collect();
    let (_, first) = against.first()?;
    let messages: Vec<_> =
        against.iter().map(|(name, stands)| format!("{name}: {}", stands.message)).collect();
    Some(Said::no(kind, first.reason, messages.join("; ")))
}
