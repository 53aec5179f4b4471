//! What edges have to know: which platform is met under which name, and with which certificate.
//!
//! An edge reads [`all`] of it once, and what changed [`since`] whenever it is told so on
//! [`CHANNEL`]. Certificates themselves never change: they are read by their ids, as needed.

mod looks;
mod progress;
mod sleep;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use uuid::Uuid;
use work::sealed::{self, RootKey};

use crate::orders::{key_field, key_place};
use crate::sealed_text;

pub use looks::{Looks, NotAShade, Shade, Shades};
pub use progress::{Progress, progress};
pub use sleep::{Speaker, let_sleep, note_uses, quiet_since, say_farewell};

/// Where `notify` says that something changed.
pub const CHANNEL: &str = "served";

/// What an edge knows of a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The uid of its blueprint.
    pub uid: Uuid,
    /// Its name.
    pub name: String,
    /// Where it answers inside, as `HOST:PORT`.
    pub backend: String,
    /// Its name below the zone of the service.
    pub own_host: String,
    /// Where visitors of its other names are sent; `None`: they stay where they came.
    pub primary_host: Option<String>,
    /// Whether it answers.
    pub standing: Standing,
    /// What people call it.
    pub display_name: String,
    /// Whom they can ask.
    pub support_email: Option<String>,
    /// The colours of its brand; `None`: neutral ones.
    #[serde(default, deserialize_with = "looks::where_known")]
    pub looks: Option<Looks>,
    /// It may sleep; `None`: it never does.
    pub sleeps: Option<Sleeps>,
}

/// How a platform that may sleep is woken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleeps {
    /// The namespace of its pods.
    pub namespace: String,
    /// So many copies it is woken to.
    pub copies: u16,
    /// It sleeps, or is about to.
    pub asleep: bool,
}

/// Whether a platform answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It does.
    Serving,
    /// It is not to.
    Suspended,
    /// It could not be made to.
    Failed,
}

/// A name, and what is behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The name, in lower case.
    pub name: String,
    /// The uid of the platform.
    pub platform: Uuid,
    /// Its certificate; `None` while there is none.
    pub certificate: Option<Uuid>,
}

/// What changed, or all there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Platforms as they are now.
    pub platforms: Vec<Platform>,
    /// Platforms that are gone.
    pub gone_platforms: Vec<Uuid>,
    /// Names as they are now.
    pub hosts: Vec<Host>,
    /// Names under which nobody is met any more.
    pub gone_hosts: Vec<String>,
    /// From where on to ask the next time.
    pub next: Moment,
}

/// How much of all that was ever written has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(i64);

/// A certificate with its key, which is sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Its own id: what has this one never changes.
    pub id: Uuid,
    /// PEM, the certificate itself first.
    pub chain: String,
    /// PKCS #8, sealed.
    pub key: Vec<u8>,
}

/// A certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificate {id} cannot be used: {why}")]
pub struct Unusable {
    id: Uuid,
    why: String,
}

impl Issued {
    /// Whether it is sealed with this key; whatever else is wrong with it.
    pub fn is_of(&self, key: &RootKey) -> bool {
        let field = key_field(self.id);
        let opened = sealed::open(key, key_place(&field), &self.key);
        !matches!(opened, Err(sealed::Error::OtherKey { .. }))
    }

    /// What TLS is spoken with.
    ///
    /// # Errors
    /// [`Unusable`]: sealed by another key, or nothing that this library can use.
    pub fn open(&self, key: &RootKey) -> Result<CertifiedKey, Unusable> {
        let unusable = |why: &dyn std::fmt::Display| Unusable { id: self.id, why: why.to_string() };
        let field = key_field(self.id);
        let text = sealed::open(key, key_place(&field), &self.key);
        let text = text.map_err(|error| unusable(&error))?;
        let der = sealed_text::bytes(&text).map_err(|error| unusable(&error))?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der));
        let chain = CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect::<Result<_, _>>();
        let chain = chain.map_err(|error| unusable(&error))?;
        let signs = aws_lc_rs::sign::any_supported_type(&der).map_err(|error| unusable(&error))?;
        Ok(CertifiedKey::new(chain, signs))
    }
}

/// From now on edges know this of a platform, unless it is gone: that is for ever. While it sleeps,
/// and where it never does, nobody remembers when it was used.
///
/// # Errors
/// The database.
pub async fn put(conn: &mut PgConnection, platform: &Platform) -> sqlx::Result<()> {
    let sleeps = platform.sleeps.as_ref();
    let asleep = sleeps.is_some_and(|sleeps| sleeps.asleep);
    sqlx::query!(
        "with forgotten as (
             delete from certificates.used where platform = $1 and ($11 or $9::text is null))
         insert into certificates.platform as was
             (uid, name, backend, own_host, primary_host, state, display_name, support_email,
              sleeps_in, wakes_to, asleep, looks)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (uid) do update
         set backend = excluded.backend, own_host = excluded.own_host,
             primary_host = excluded.primary_host, state = excluded.state,
             display_name = excluded.display_name, support_email = excluded.support_email,
             sleeps_in = excluded.sleeps_in, wakes_to = excluded.wakes_to, asleep = excluded.asleep,
             looks = excluded.looks
         where was.state <> 'gone'
           and (was.backend, was.own_host, was.primary_host, was.state, was.display_name,
                was.support_email, was.sleeps_in, was.wakes_to, was.asleep, was.looks)
               is distinct from
               (excluded.backend, excluded.own_host, excluded.primary_host, excluded.state,
                excluded.display_name, excluded.support_email, excluded.sleeps_in,
                excluded.wakes_to, excluded.asleep, excluded.looks)",
        platform.uid,
        platform.name,
        platform.backend,
        platform.own_host,
        platform.primary_host,
        platform.standing.word(),
        platform.display_name,
        platform.support_email,
        sleeps.map(|sleeps| sleeps.namespace.as_str()),
        sleeps.map(|sleeps| i32::from(sleeps.copies)),
        asleep,
        platform.looks.as_ref().map(Json) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The blueprints that a platform of this name had, or whoever is at its host: those that are met,
/// and those that claim something.
///
/// # Errors
/// The database.
pub async fn of_name(
    conn: &mut PgConnection,
    name: &str,
    own_host: Option<&str>,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select uid as "uid!" from certificates.platform
           where (name = $1 or own_host = $2) and state <> 'gone'
           union
           select tenant_uid from certificates.claim where tenant = $1 and state <> 'released'"#,
        name,
        own_host,
    )
    .fetch_all(conn)
    .await
}

/// From now on the platform is met nowhere.
///
/// # Errors
/// The database.
pub async fn remove(conn: &mut PgConnection, uid: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "update certificates.platform set state = 'gone' where uid = $1 and state <> 'gone'",
        uid
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the platform was met, and is not to be any more.
///
/// # Errors
/// The database.
pub async fn is_gone(conn: &mut PgConnection, uid: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from certificates.platform where uid = $1 and state = 'gone')
               as "exists!""#,
        uid
    )
    .fetch_one(conn)
    .await
}

/// All there is. To be read in one transaction of isolation `repeatable read`.
///
/// # Errors
/// The database.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Changes> {
    let next = now(conn).await?;
    let (platforms, _) = platforms(conn, Moment::default()).await?;
    let hosts = sqlx::query_as!(
        Host,
        r#"select name as "name!", platform as "platform!", certificate from certificates.host"#
    );
    let hosts = hosts.fetch_all(conn).await?;
    Ok(Changes { platforms, hosts, next, ..Changes::default() })
}

/// What changed. To be read in one transaction of isolation `repeatable read`.
///
/// # Errors
/// The database.
pub async fn since(conn: &mut PgConnection, since: Moment) -> sqlx::Result<Changes> {
    let next = now(conn).await?;
    let (platforms, gone_platforms) = platforms(conn, since).await?;
    let names = touched(conn, since).await?;
    let hosts = sqlx::query_as!(
        Host,
        r#"select name as "name!", platform as "platform!", certificate
           from certificates.host where name = any($1)"#,
        &names
    );
    let hosts = hosts.fetch_all(conn).await?;
    let met: HashSet<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    let gone_hosts = names.iter().filter(|name| !met.contains(name.as_str())).cloned().collect();
    Ok(Changes { platforms, gone_platforms, hosts, gone_hosts, next })
}

/// These certificates, as far as they are there.
///
/// # Errors
/// The database.
pub async fn issued(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Issued>> {
    sqlx::query_as!(
        Issued,
        "select id, chain, key from certificates.certificate where id = any($1)",
        ids
    )
    .fetch_all(conn)
    .await
}

/// Whatever is not seen by now is written by a transaction that is none the earlier than this.
async fn now(conn: &mut PgConnection) -> sqlx::Result<Moment> {
    sqlx::query_scalar!(
        r#"select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as "next!""#
    )
    .fetch_one(conn)
    .await
    .map(Moment)
}

async fn platforms(
    conn: &mut PgConnection,
    Moment(since): Moment,
) -> sqlx::Result<(Vec<Platform>, Vec<Uuid>)> {
    let rows = sqlx::query!(
        r#"select uid, name, backend, own_host, primary_host, state, display_name, support_email,
                  sleeps_in, wakes_to, asleep, looks as "looks: Json<Value>"
           from certificates.platform where changed >= $1::bigint::text::xid8"#,
        since
    );
    let (mut met, mut gone) = (Vec::new(), Vec::new());
    for row in rows.fetch_all(conn).await? {
        let Some(standing) = Standing::from_word(&row.state) else {
            gone.push(row.uid);
            continue;
        };
        met.push(Platform {
            uid: row.uid,
            name: row.name,
            backend: row.backend,
            own_host: row.own_host,
            primary_host: row.primary_host,
            standing,
            display_name: row.display_name,
            support_email: row.support_email,
            // Of a later version: neutral ones do.
            looks: row.looks.and_then(|Json(looks)| serde_json::from_value(looks).ok()),
            sleeps: row.sleeps_in.zip(row.wakes_to).map(|(namespace, copies)| Sleeps {
                namespace,
                copies: u16::try_from(copies).unwrap_or(1),
                asleep: row.asleep,
            }),
        });
    }
    Ok((met, gone))
}

/// Names of which something may be other than it was.
async fn touched(conn: &mut PgConnection, Moment(since): Moment) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"with since as (select $1::bigint::text::xid8 as changed)
           select own_host as "name!" from certificates.platform, since
           where platform.changed >= since.changed
           union
           select name from certificates.claim, since where claim.changed >= since.changed
           union
           select claim.name from certificates.platform, certificates.claim, since
           where tenant_uid = uid and claim.state = 'verified'
             and platform.changed >= since.changed
           union
           select name from certificates.certificate, since
           where certificate.changed >= since.changed
           union
           select own_host from certificates.platform, certificates.certificate, since
           where certificate.name = '*.' || substr(own_host, strpos(own_host, '.') + 1)
             and certificate.changed >= since.changed"#,
        since
    )
    .fetch_all(conn)
    .await
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "serving" => Some(Self::Serving),
            "suspended" => Some(Self::Suspended),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// Lets a login of an edge read what edges read and say who was used, and nothing beside it.
///
/// # Errors
/// The database.
pub async fn admit(conn: &mut PgConnection, role: &str) -> sqlx::Result<()> {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    // The words that names are proven by are nothing for edges.
    let sql = format!(
        "grant usage on schema certificates to {role};
         grant select on certificates.platform, certificates.host, certificates.certificate,
                         certificates.challenge to {role};
         grant select (name, tenant_uid, state, changed) on certificates.claim to {role};
         grant select, insert, update on certificates.used to {role};
         grant select, insert, update, delete on certificates.edge to {role};"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}
