//! Who says that a name is theirs, and who has proven it.
//!
//! ```text
//! want -> pending --look--> verified --a look a day--> verified
//!            ^                 |  three misses, or another claim's fresh TXT record
//!            +-----------------+
//! want without it -> released, the name in quarantine
//! ```
//! Many may be pending for one name; one is verified. A proof is a TXT record with the claim's own
//! token, or a CNAME to the claim's own target: neither can be known before the claim was made,
//! and neither is ever given to another. While somebody has a name, or had it until lately, only
//! the TXT record counts, as a CNAME may have been left behind; and who loses a name gets a new
//! token, so that one record never wins twice.

mod decide;
mod look;
mod table;

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::names::{BadName, Name};

pub use decide::{Leads, Look, Why};
pub use look::look;
pub use table::{due, find, inherit, look_now, next_due, of_tenant, verified};

/// A platform, and the very one: a later one of the same name is another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// The uid of its blueprint.
    pub uid: Uuid,
}

/// What the service has in the DNS.
#[derive(Clone, Debug)]
pub struct Zones {
    /// Zones that belong to the service, such as the one below which every platform has a name.
    pub own: Vec<String>,
    /// The zone that targets of CNAME records are in: everything in it leads to the edge.
    pub targets: String,
    /// The addresses of the edge, for names that can have no CNAME record.
    pub addresses: Vec<IpAddr>,
}

/// That a name is a platform's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its key.
    pub id: Uuid,
    /// The name.
    pub name: Name,
    /// Whose it is said to be.
    pub tenant: Tenant,
    /// What the TXT record has to say.
    pub token: String,
    /// The first label of what the CNAME record has to point at.
    pub target: String,
    /// How far it is.
    pub state: State,
    /// When it was made.
    pub claimed_at: Timestamp,
    /// When it was looked at last.
    pub looked_at: Option<Timestamp>,
    /// Looks in a row at which a verified name did not belong here any more.
    pub misses: u8,
    /// Why it is not verified; nothing before the first look.
    pub why: Option<Why>,
    /// What was in the DNS at the last look.
    pub found: Vec<String>,
}

/// How far a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not proven, or not any more.
    Pending,
    /// Proven, since then.
    Verified(Timestamp),
    /// Given up.
    Released,
}

/// Why a claim was not made or not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody can have this name.
    #[error("{0}: {1}")]
    BadName(Name, BadName),
    /// A platform that adds and removes names without end.
    #[error("{MOST_A_DAY} names were claimed for this platform within a day: try again tomorrow")]
    TooMany,
    /// The database.
    #[error("the table of claims")]
    Database(#[from] sqlx::Error),
}

/// Claims of one platform within a day: rows stay for ever, so that nothing is given out twice.
pub const MOST_A_DAY: i64 = 200;

/// So long a name that was somebody's is given by a TXT record only.
pub const QUARANTINE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Looks in a row after which a name is not served any more.
pub const MISSES: u8 = 3;

impl Claim {
    /// Where the TXT record stands.
    pub fn challenge(&self) -> String {
        format!("_platform-challenge.{}", self.name)
    }

    /// What the CNAME record points at.
    pub fn points_at(&self, zones: &Zones) -> String {
        format!("{}.{}", self.target, zones.targets)
    }

    /// Whether the name is served for this platform.
    pub fn is_verified(&self) -> bool {
        matches!(self.state, State::Verified(_))
    }
}

impl Zones {
    /// Whether a name can be claimed here.
    ///
    /// # Errors
    /// [`BadName::Ours`].
    pub fn allow(&self, name: &Name) -> Result<(), BadName> {
        let ours = self.own.iter().chain([&self.targets]).any(|zone| name.touches(zone));
        if ours { Err(BadName::Ours) } else { Ok(()) }
    }
}

/// Makes these the names that a platform claims: new ones are claimed, others released. Returns
/// all that are claimed then. Run again, it writes nothing. Rules that became stricter since take no
/// name from anybody.
///
/// # Errors
/// [`Error`]: nothing was changed, as soon as the caller gives its transaction up.
pub async fn want(
    conn: &mut PgConnection,
    zones: &Zones,
    tenant: &Tenant,
    names: &[Name],
    now: Timestamp,
) -> Result<Vec<Claim>, Error> {
    let mut claims = table::of_tenant(conn, tenant.uid).await?;
    let superfluous: Vec<_> = claims.extract_if(.., |claim| !names.contains(&claim.name)).collect();
    for claim in superfluous {
        table::release(conn, &claim, now).await?;
    }
    let new: Vec<&Name> =
        names.iter().filter(|name| !claims.iter().any(|claim| claim.name == **name)).collect();
    if new.is_empty() {
        return Ok(claims);
    }
    for name in &new {
        zones.allow(name).map_err(|why| Error::BadName((*name).clone(), why))?;
    }
    let begun = table::begun_since(conn, tenant.uid, now - SignedDuration::from_hours(24)).await?;
    if begun + i64::try_from(new.len()).unwrap_or(i64::MAX) > MOST_A_DAY {
        return Err(Error::TooMany);
    }
    for name in new {
        table::begin(conn, tenant, name, now).await?;
    }
    Ok(table::of_tenant(conn, tenant.uid).await?)
}

/// Gives up all names of a platform that is gone for good.
///
/// # Errors
/// The database.
pub async fn release_all(
    conn: &mut PgConnection,
    tenant: Uuid,
    now: Timestamp,
) -> sqlx::Result<()> {
    for claim in table::of_tenant(conn, tenant).await? {
        table::release(conn, &claim, now).await?;
    }
    Ok(())
}

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Platforms whose names are served from now on, or are not any more.
    pub tenants: Vec<Tenant>,
}

/// Writes down what was found for a claim, and what follows from it. The caller begins the
/// transaction and ends it; one that fails with a conflict of `claim_verified_key` was overtaken
/// by another claim, and is to be looked at again.
///
/// # Errors
/// The database.
pub async fn record(
    conn: &mut PgConnection,
    id: Uuid,
    look: &Look,
    now: Timestamp,
) -> sqlx::Result<Changed> {
    let Some((claim, holder)) = table::lock(conn, id).await? else { return Ok(Changed::default()) };
    // It lost its name since, and what was looked for then proves nothing any more.
    if look.token_sought != claim.token {
        return Ok(Changed::default());
    }
    let standing = match &holder {
        Some(_) => decide::Standing::Held,
        None if table::is_in_quarantine(conn, &claim.name, now).await? => {
            decide::Standing::Quarantined
        }
        None => decide::Standing::Free,
    };
    let mut changed = Changed::default();
    match decide::decide(&claim, look, standing, now) {
        decide::Decision::Verify => {
            if let Some(holder) = holder {
                table::displace(conn, &holder, now).await?;
                changed.tenants.push(holder.tenant);
            }
            table::verify(conn, &claim, look, now).await?;
            changed.tenants.push(claim.tenant);
        }
        decide::Decision::Lose => {
            table::lose(conn, &claim, look, now).await?;
            changed.tenants.push(claim.tenant);
        }
        decide::Decision::Stay(stay) => table::stay(conn, &claim, look, stay, now).await?,
    }
    Ok(changed)
}
