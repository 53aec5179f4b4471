//! Databases of the service itself, beside those of tenants: nobody else has a right in one.

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::sql::{ident, literal};
use crate::tenant::password::verifier;

/// Makes a database, where it is not there, that nobody but the administrator may enter.
///
/// # Errors
/// The server.
pub async fn create(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let exists = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)");
    let is_there: bool = exists.bind(name).fetch_one(&mut *conn).await?;
    let name = ident(name);
    if !is_there {
        let sql = format!("CREATE DATABASE {name}");
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await {
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|it| it == DUPLICATE) => {
            }
            made => _ = made?,
        }
    }
    let sql = format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Makes a login with this password, or gives the one that there is this password, and lets it
/// into a database. What it may do there is another matter.
///
/// # Errors
/// The server.
pub async fn admit(
    conn: &mut PgConnection,
    database: &str,
    role: &str,
    password: &SecretString,
) -> sqlx::Result<()> {
    let exists = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)");
    let is_there: bool = exists.bind(role).fetch_one(&mut *conn).await?;
    let verb = if is_there { "ALTER" } else { "CREATE" };
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| sqlx::Error::WorkerCrashed)?;
    // As a tenant's: the server, its log and its statistics never see the password itself.
    let password = literal(&verifier(password.expose_secret(), &salt));
    let role = ident(role);
    let sql = format!(
        "{verb} ROLE {role} LOGIN PASSWORD {password};
         GRANT CONNECT ON DATABASE {} TO {role}",
        ident(database)
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// `duplicate_database`: another process was quicker.
const DUPLICATE: &str = "42P04";
