//! The two logins of a tenant, each by two roles that take turns.
//!
//! A role has one password, so another one would shut out whoever has not heard of it yet.
//! Therefore the password of the next number is given to the other role of the two, and the old
//! one is good until it is closed: see [`close_old`].

use blueprint::BlueprintName;
use sqlx::PgConnection;
use work::sealed::RootKey;

use super::marker::{self, Marker};
use super::names::{Login, Names};
use super::password::Password;
use super::roles::Role;
use super::steps::reading;
use super::{Error, Steps, hold};
use crate::Admin;
use crate::sql::literal;

/// The highest number of a password that the tenant's logins have or had; `None` where there is no
/// login.
pub(super) async fn number(conn: &mut PgConnection, names: &Names) -> Result<Option<u32>, Error> {
    let mut highest = None;
    for login in Login::BOTH {
        for turn in 0..2 {
            if let Some(marker) = ours(conn, names, &names.login(login, turn)).await? {
                highest = highest.max(Some(marker.number.unwrap_or_default()));
            }
        }
    }
    Ok(highest)
}

/// Lets both logins in with the password of this number. Those before it stay good if they are.
pub(super) async fn ensure(
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
    key: &RootKey,
    number: u32,
) -> Result<(), Error> {
    for login in Login::BOTH {
        let mut numbers: Vec<_> = number.checked_sub(1).into_iter().chain([number]).collect();
        // The first role before the second, which is a member of it.
        numbers.sort_by_key(|number| number % 2);
        for each in numbers {
            let name = names.login(login, each);
            let password = Password::of(&name, each, key);
            let role = if each == number || is_good(conn, names, &name, each).await? {
                Role::login(login, &name, names, each, &password)
            } else {
                Role::closed(login, &name, names, each)
            };
            role.ensure(conn, steps).await?;
        }
    }
    Ok(())
}

/// Closes the logins that had the password before this number, and ends their connections. What
/// is not at this number is left as it is.
pub async fn close_old(admin: &Admin, name: &BlueprintName, number: u32) -> Result<(), Error> {
    close_old_by(&mut Steps::all(), admin, name, number).await
}

/// Like [`close_old`], by steps that are counted and may be stopped.
pub async fn close_old_by(
    steps: &mut Steps,
    admin: &Admin,
    name: &BlueprintName,
    number: u32,
) -> Result<(), Error> {
    let names = Names::of(name);
    let mut conn = admin.connect().await?;
    hold(&mut conn, &format!("the database of {name}")).await?;
    let Some(old) = number.checked_sub(1) else { return Ok(()) };
    if self::number(&mut conn, &names).await? != Some(number) {
        return Ok(());
    }
    for login in Login::BOTH {
        let role = names.login(login, old);
        Role::closed(login, &role, &names, old).ensure(&mut conn, steps).await?;
        end_connections(&mut conn, steps, &role).await?;
    }
    Ok(())
}

async fn end_connections(
    conn: &mut PgConnection,
    steps: &mut Steps,
    role: &str,
) -> Result<(), Error> {
    let connected: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = $1)")
            .bind(role)
            .fetch_one(&mut *conn)
            .await
            .map_err(reading("look who is connected"))?;
    if !connected {
        return Ok(());
    }
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {}",
        literal(role)
    );
    steps.write(conn, "end the connections of an old login", sql).await
}

async fn is_good(
    conn: &mut PgConnection,
    names: &Names,
    role: &str,
    number: u32,
) -> Result<bool, Error> {
    let marker = ours(conn, names, role).await?;
    Ok(marker.is_some_and(|it| it.number.unwrap_or_default() == number && it.fingerprint.is_some()))
}

/// The marker of one of the tenant's own roles.
async fn ours(conn: &mut PgConnection, names: &Names, role: &str) -> Result<Option<Marker>, Error> {
    let found = marker::role(conn, role).await.map_err(reading("look for a role"))?;
    Ok(found.flatten().filter(|marker| marker.is(marker::Kind::Role, &names.database)))
}
