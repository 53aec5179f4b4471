//! How we know that a database or role is ours: a comment on it, in JSON.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::names::Names;

/// The comment. `soulfra` says what it is, `of` whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) soulfra: Kind,
    pub(crate) of: String,
    /// Of databases: the version of their tables.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) version: Option<i32>,
    /// Of templates: which migrations made it. Of logins: which password it has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) fingerprint: Option<String>,
    /// Of logins: the number of that password, where it is not the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) number: Option<u32>,
    /// Of databases: digest of the rows that migrations left, by which an untouched one is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) untouched: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Template,
    TemplateRole,
    Database,
    Role,
}

/// What stands under a database's name.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) marker: Option<Marker>,
    pub(crate) owner: String,
    pub(crate) is_template: bool,
    pub(crate) connectable: bool,
    /// A DROP was interrupted: it can only be dropped again.
    pub(crate) half_dropped: bool,
}

impl Marker {
    pub(crate) fn new(soulfra: Kind, of: &str) -> Self {
        let of = of.to_owned();
        Self { soulfra, of, version: None, fingerprint: None, number: None, untouched: None }
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn is(&self, kind: Kind, of: &str) -> bool {
        self.soulfra == kind && self.of == of
    }

    fn read(comment: Option<String>) -> Option<Self> {
        serde_json::from_str(&comment?).ok()
    }
}

pub(crate) async fn database(
    conn: &mut PgConnection,
    name: &str,
) -> sqlx::Result<Option<Database>> {
    let row: Option<(Option<String>, String, bool, bool, i32)> = sqlx::query_as(
        "SELECT shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba)::text,
                datistemplate, datallowconn, datconnlimit
         FROM pg_database WHERE datname = $1",
    )
    .bind(name)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(comment, owner, is_template, connectable, limit)| Database {
        marker: Marker::read(comment),
        owner,
        is_template,
        connectable,
        half_dropped: limit == -2,
    }))
}

/// The marker of a tenant's database; `None` where there is none, or none of ours.
pub(crate) async fn of_tenant(
    conn: &mut PgConnection,
    names: &Names,
) -> sqlx::Result<Option<Marker>> {
    let found = database(conn, &names.database).await?;
    let marker = found.filter(|found| !found.half_dropped).and_then(|found| found.marker);
    Ok(marker.filter(|marker| marker.is(Kind::Database, &names.database)))
}

/// The marker of a role: outer `None` where there is no such role.
pub(crate) async fn role(
    conn: &mut PgConnection,
    name: &str,
) -> sqlx::Result<Option<Option<Marker>>> {
    let comment: Option<Option<String>> = sqlx::query_scalar(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = $1",
    )
    .bind(name)
    .fetch_optional(conn)
    .await?;
    Ok(comment.map(Marker::read))
}
