//! The accounts of one platform, on a real database.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod change_password;
mod device;
mod links;
mod ownership;
mod passkeys;
mod people;
mod second_factor;
mod sessions;
mod sign_in;
mod sign_up;
mod tidy;

use accounts::passwords::{Cost, Passwords};
use accounts::people::NewPerson;
use accounts::sessions::NewSession;
use accounts::sign_in::SignIn;
use accounts::{NewPassword, Person, Role, Status, Visit};
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;

const PASSWORD: &str = "horse staple battery";

fn noon() -> Timestamp {
    "2026-08-01T12:00:00Z".parse().unwrap()
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn passwords() -> Passwords {
    Passwords::new(Cost::CHEAP, 4).unwrap()
}

fn visit() -> Visit {
    visit_from("192.0.2.1")
}

fn visit_from(ip: &str) -> Visit {
    Visit::new(ip.parse().unwrap(), Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"))
}

fn new_person(name: &str) -> NewPerson {
    NewPerson {
        email: format!("{name}@example.com").parse().unwrap(),
        display_name: name.parse().unwrap(),
        role: Role::User,
        status: Status::Active,
    }
}

/// Signed up with [`PASSWORD`], each from an address of its own.
async fn signed_up_as(conn: &mut PgConnection, name: &str, role: Role) -> (Person, NewSession) {
    let new = NewPerson { role, ..new_person(name) };
    let (person, session) = accounts::sign_up::sign_up(
        conn,
        &passwords(),
        &new,
        &NewPassword::new(&PASSWORD.into(), &new.email).unwrap(),
        &visit(),
        noon(),
    )
    .await
    .unwrap();
    (person, session.unwrap())
}

fn trying(name: &str, password: &str) -> SignIn {
    SignIn {
        email: format!("{name}@example.com").parse().unwrap(),
        password: password.into(),
        visit: visit(),
    }
}
