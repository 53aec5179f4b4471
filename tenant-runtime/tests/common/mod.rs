//! The databases of tests: where they are made, and their end.

use blueprint::BlueprintName;
use database::Admin;
use database::tenant;
use secrecy::{ExposeSecret as _, SecretString};

/// The server on which the tests make their databases.
#[expect(clippy::disallowed_methods, reason = "tests have no main that could read it")]
pub(crate) fn server() -> SecretString {
    std::env::var("DATABASE_URL").unwrap().into()
}

/// Where it listens.
#[allow(dead_code, reason = "only some of the tests look at connections")]
pub(crate) fn port_of_server() -> u16 {
    let options: sqlx::postgres::PgConnectOptions = server().expose_secret().parse().unwrap();
    options.get_port()
}

/// What the environment says, or this.
#[expect(clippy::disallowed_methods, reason = "soaks say how many")]
#[allow(dead_code, reason = "only some of the tests are soaks")]
pub(crate) fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |number| number.parse().unwrap())
}

/// Drops a database where nobody can wait for it: in a destructor, with the test's own runtime
/// about to end.
pub(crate) fn drop_database(admin: Admin, name: BlueprintName) {
    let dropped = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(tenant::drop_tenant(&admin, &name)).unwrap();
    });
    assert!(dropped.join().is_ok() || std::thread::panicking(), "its database stays");
}
