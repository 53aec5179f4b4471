//! Drops a tenant's database and roles, for good.

use blueprint::BlueprintName;
use sqlx::PgConnection;

use super::marker::{self, Kind};
use super::names::Names;
use super::steps::reading;
use super::{Error, Steps, hold};
use crate::Admin;
use crate::sql::ident;

/// Ends the tenant's connections and drops its database and roles. Where nothing is left it
/// writes nothing. What is not ours is refused.
///
/// This is the last step of a deletion, after its 30 days; see the blueprint's deletion policy.
pub async fn drop_tenant(admin: &Admin, name: &BlueprintName) -> Result<(), Error> {
    drop_by(&mut Steps::all(), admin, name).await
}

/// Like [`drop_tenant`], by steps that are counted and may be stopped.
pub async fn drop_by(steps: &mut Steps, admin: &Admin, name: &BlueprintName) -> Result<(), Error> {
    let mut conn = admin.connect().await?;
    hold(&mut conn, &format!("the database of {name}")).await?;
    drop_held(steps, &mut conn, name).await
}

/// The same over a connection that holds the tenant's lock.
pub(crate) async fn drop_held(
    steps: &mut Steps,
    conn: &mut PgConnection,
    name: &BlueprintName,
) -> Result<(), Error> {
    let names = Names::of(name);
    let found = marker::database(conn, &names.database).await;
    if let Some(found) = found.map_err(reading("look for the database"))? {
        let marked = found.marker.is_some_and(|m| m.is(Kind::Database, &names.database));
        if !marked && found.owner != names.owner {
            return Err(Error::Foreign { what: format!("the database `{}`", names.database) });
        }
        let database = ident(&names.database);
        if found.connectable && !found.half_dropped {
            let sql = format!("ALTER DATABASE {database} WITH ALLOW_CONNECTIONS false");
            steps.write(conn, "close the database", sql).await?;
        }
        let sql = format!("DROP DATABASE {database} WITH (FORCE)");
        steps.write(conn, "drop the database", sql).await?;
    }
    // The owner last: while the database stands it shows whose that is.
    for role in names.roles() {
        let found = marker::role(conn, &role).await.map_err(reading("look for a role"))?;
        match found {
            None => {}
            Some(Some(marker)) if marker.is(Kind::Role, &names.database) => {
                let sql = format!("DROP ROLE {}", ident(&role));
                steps.write(conn, "drop a role", sql).await?;
            }
            Some(_) => return Err(Error::Foreign { what: format!("the role `{role}`") }),
        }
    }
    Ok(())
}
