//! What an operator wants to know of the root keys: which one seals, and which may be thrown away.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use sqlx::PgConnection;
use work::sealed::{KeyId, KeyRing};

use super::GONE;
use crate::db::{root_keys as table, signing_keys};

/// What is sealed under a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Second factors of people.
    pub second_factors: i64,
    /// Secrets of webhooks, those before them as well.
    pub webhooks: i64,
    /// Client secrets that providers of organizations know us by.
    pub providers: i64,
    /// Keys that grants are signed with.
    pub signing_keys: i64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { second_factors, webhooks, providers, signing_keys } = self;
        write!(
            f,
            "{second_factors} second factors, {webhooks} secrets of webhooks, {providers} of providers, \
             {signing_keys} keys of grants"
        )
    }
}

/// Keys under which anything is sealed, known or not.
///
/// # Errors
/// The database.
pub async fn used(conn: &mut PgConnection) -> sqlx::Result<BTreeMap<KeyId, Counts>> {
    let mut used = BTreeMap::<_, Counts>::new();
    for (key, count) in accounts::resealing::counts(&mut *conn).await? {
        used.entry(key).or_default().second_factors = count;
    }
    for (key, count) in table::counts(&mut *conn).await? {
        used.entry(key).or_default().webhooks = count;
    }
    for (key, count) in table::counts_of_providers(&mut *conn).await? {
        used.entry(key).or_default().providers = count;
    }
    for (key, count) in signing_keys::counts(conn).await? {
        used.entry(key).or_default().signing_keys = count;
    }
    Ok(used)
}

/// A line for each key that is listed here, held by one that runs, or that something is sealed under.
///
/// # Errors
/// The database.
pub async fn status(
    conn: &mut PgConnection,
    listed: &KeyRing,
    now: Timestamp,
) -> sqlx::Result<Vec<String>> {
    let since = now.saturating_sub(GONE).unwrap_or(now);
    let running = table::seen(&mut *conn, since).await?;
    let mut keys = used(conn).await?;
    let held = running.iter().flat_map(|replica| replica.opens.iter().copied());
    for key in listed.ids().chain(held) {
        keys.entry(key).or_default();
    }
    let line = |(key, counts): (&KeyId, &Counts)| {
        let opens = running.iter().filter(|replica| replica.opens.contains(key)).count();
        let seals = running.iter().filter(|replica| replica.seals == *key).count();
        let of = running.len();
        let is_listed = if *key == listed.seals().id() {
            "rootKey"
        } else if listed.opens(*key) {
            "otherRootKeys"
        } else {
            "not in the settings"
        };
        let told = if *counts != Counts::default() {
            counts.to_string()
        } else if seals == 0 && *key != listed.seals().id() {
            "nothing is sealed under it".to_owned()
        } else {
            "nothing is sealed under it yet".to_owned()
        };
        format!("{key}  {is_listed}; {of} run, {opens} open with it, {seals} seal with it; {told}")
    };
    Ok(keys.iter().map(line).collect())
}
