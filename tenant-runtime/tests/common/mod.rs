//! The databases of tests: where they are made, and their end.

use blueprint::BlueprintName;
use database::Admin;
use database::tenant;
use secrecy::SecretString;

/// The server on which the tests make their databases.
#[expect(clippy::disallowed_methods, reason = "tests have no main that could read it")]
pub(crate) fn server() -> SecretString {
    std::env::var("DATABASE_URL").unwrap().into()
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
