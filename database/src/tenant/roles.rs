//! Roles as they should be, and only those that are ours.

use sqlx::PgConnection;

use super::marker::{self, Kind, Marker};
use super::names::{Login, Names};
use super::password::Password;
use super::steps::reading;
use super::{Error, Steps};
use crate::sql::{ident, literal};

type Settings = &'static [(&'static str, &'static str)];

/// A runtime that hangs or forgets a transaction must not hold its rows for ever.
const APP: Settings = &[
    ("idle_in_transaction_session_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("statement_timeout", "30s"),
];
const READ: Settings = &[
    ("default_transaction_read_only", "on"),
    ("idle_in_transaction_session_timeout", "15s"),
    ("lock_timeout", "2s"),
    ("statement_timeout", "15s"),
];
const APP_CONNECTIONS: i32 = 8;
const READ_CONNECTIONS: i32 = 2;

/// How a role should be.
pub(super) struct Role<'a> {
    name: &'a str,
    marker: Marker,
    /// Whose rights it has beside its own.
    group: Option<&'a str>,
    /// Who may log in, with what, and how often at once.
    login: Option<(&'a Password, i32)>,
    settings: Settings,
}

/// How a role is.
#[derive(sqlx::FromRow)]
struct Seen {
    rolcanlogin: bool,
    rolconnlimit: i32,
    rolconfig: Vec<String>,
    groups: Vec<String>,
    /// Superuser, may create, replicate, or pass row security: none of ours does.
    mighty: bool,
}

impl<'a> Role<'a> {
    /// One that only owns things.
    pub(super) fn owner(name: &'a str, marker: Marker) -> Self {
        Self { name, marker, group: None, login: None, settings: &[] }
    }

    /// One that logs in with a password of this number.
    pub(super) fn login(
        login: Login,
        name: &'a str,
        names: &'a Names,
        number: u32,
        password: &'a Password,
    ) -> Self {
        let mut role = Self::closed(login, name, names, number);
        role.marker.fingerprint = Some(password.fingerprint.clone());
        let connections = match login {
            Login::App => APP_CONNECTIONS,
            Login::Read => READ_CONNECTIONS,
        };
        Self { login: Some((password, connections)), ..role }
    }

    /// One that logged in with a password of this number, and does not any more.
    pub(super) fn closed(login: Login, name: &'a str, names: &'a Names, number: u32) -> Self {
        let number = (number > 0).then_some(number);
        let marker = Marker { number, ..Marker::new(Kind::Role, &names.database) };
        let settings = match login {
            Login::App => APP,
            Login::Read => READ,
        };
        let group = Some(names.first(login)).filter(|first| *first != name);
        Self { name, marker, group, login: None, settings }
    }

    /// Makes the role, or makes it right. A role without our marker is refused.
    pub(super) async fn ensure(
        &self,
        conn: &mut PgConnection,
        steps: &mut Steps,
    ) -> Result<(), Error> {
        let found = marker::role(conn, self.name).await.map_err(reading("look for a role"))?;
        match found {
            None => {
                let sql = self.create(conn).await?;
                steps.write(conn, "create a role", sql).await
            }
            Some(Some(marker)) if marker.is(self.marker.soulfra, &self.marker.of) => {
                let seen = self.seen(conn).await?;
                if self.is_right(&seen, &marker) {
                    return Ok(());
                }
                steps.write(conn, "correct a role", self.correct(&seen)).await
            }
            Some(_) => Err(Error::Foreign { what: format!("the role `{}`", self.name) }),
        }
    }

    async fn seen(&self, conn: &mut PgConnection) -> Result<Seen, Error> {
        sqlx::query_as(
            "SELECT rolcanlogin, rolconnlimit, coalesce(rolconfig, '{}') AS rolconfig,
                    ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members
                          WHERE member = pg_roles.oid ORDER BY 1) AS groups,
                    rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
                        AS mighty
             FROM pg_roles WHERE rolname = $1",
        )
        .bind(self.name)
        .fetch_one(conn)
        .await
        .map_err(reading("look at a role"))
    }

    fn is_right(&self, seen: &Seen, marker: &Marker) -> bool {
        let mut config = seen.rolconfig.clone();
        config.sort();
        let wanted = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
        *marker == self.marker
            && !seen.mighty
            && seen.rolcanlogin == self.login.is_some()
            && seen.rolconnlimit == self.login.map_or(-1, |(_, limit)| limit)
            && config.into_iter().eq(wanted)
            && seen.groups.iter().map(String::as_str).eq(self.group)
    }

    async fn create(&self, conn: &mut PgConnection) -> Result<String, Error> {
        let name = ident(self.name);
        let superuser: bool =
            sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
                .fetch_one(conn)
                .await
                .map_err(reading("look at the administrator"))?;
        // Who is no superuser acts for the roles it made only as a member.
        let member = if superuser {
            String::new()
        } else {
            format!("GRANT {name} TO CURRENT_USER WITH SET TRUE, INHERIT TRUE;")
        };
        let rest = self.rest(&[]);
        Ok(format!("CREATE ROLE {name} {}; {member} {rest}", self.attributes()))
    }

    fn correct(&self, seen: &Seen) -> String {
        let name = ident(self.name);
        let weaken = if seen.mighty {
            format!(
                "ALTER ROLE {name} NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;"
            )
        } else {
            String::new()
        };
        format!(
            "{weaken} ALTER ROLE {name} {}; ALTER ROLE {name} RESET ALL; {}",
            self.attributes(),
            self.rest(&seen.groups)
        )
    }

    fn attributes(&self) -> String {
        match self.login {
            None => "NOLOGIN CONNECTION LIMIT -1 PASSWORD NULL".into(),
            Some((password, limit)) => {
                format!("LOGIN CONNECTION LIMIT {limit} PASSWORD {}", literal(&password.verifier))
            }
        }
    }

    /// What is said beside attributes, to one that is in these groups.
    fn rest(&self, groups: &[String]) -> String {
        use std::fmt::Write as _;

        let name = ident(self.name);
        let mut sql = String::new();
        for group in groups.iter().filter(|group| Some(group.as_str()) != self.group) {
            let _ = write!(sql, "REVOKE {} FROM {name};", ident(group));
        }
        if let Some(group) = self.group.filter(|group| !groups.iter().any(|it| it == group)) {
            let group = ident(group);
            let _ = write!(sql, "GRANT {group} TO {name} WITH INHERIT TRUE, SET FALSE;");
        }
        for (setting, value) in self.settings {
            let _ = write!(sql, "ALTER ROLE {name} SET {setting} = {};", literal(value));
        }
        let _ = write!(sql, "COMMENT ON ROLE {name} IS {};", literal(&self.marker.text()));
        sql
    }
}
