//! The people of one tenant: who they are, how they prove it, and where they are signed in.
//!
//! ```text
//! sign-up   sign_up::begin (counted) -> Begun::hash     -> sign_up::finish   -> Person + Session
//! sign-in   sign_in::begin (counted) -> Begun::verify   -> sign_in::finish   -> Person + Session
//! second    sign_in::finish_or_ask -> half a session -> second_factor::finish -> Person + Session
//! passkey   passkeys::challenge -> the device -> passkeys::sign_in           -> Person + Session
//! provider  whoever trusts it looks at what it says -> provider::sign_in      -> Session within that place
//! request   Cookie::read -> sessions::find                                   -> SignedIn
//! welcome   ownership::issue -> look -> claim_ownership | sign_in_by_link    -> Person + Session
//! ```
//! All of it is plain functions on `&mut PgConnection`. Who begins a transaction ends it; time is
//! handed in. A password is hashed between two visits to the database, never while a connection
//! is held, because a tenant has few connections and hashing is slow on purpose.
//!
//! What is secret is stored as a hash only: passwords by Argon2id, session ids and link tokens by
//! SHA-256. Secrets of apps are sealed, since codes are checked with them. Unknown accounts and wrong
//! passwords get one answer, at one price.

// Nouns and rules, without a database.
mod email;

mod role;

mod person;

mod new_password;

mod device;

mod token;

mod id;

mod totp;

mod proof;

pub mod webauthn;

pub mod passwords;

// The tables.
pub mod people;

mod credentials;

pub mod sessions;

pub mod links;

pub mod factors;

pub mod resealing;

mod halves;

mod challenge;

mod attempts;

pub mod events;

pub mod tidy;

// What people do.
pub mod sign_up;

pub mod sign_in;

pub mod second_factor;

pub mod passkeys;

pub mod provider;

pub mod change_password;

pub mod ownership;

// What a request carries.
pub mod cookie;
pub mod visitor;

pub use attempts::Wait;
pub use device::Visit;
pub use email::{Email, EmailProblem};
pub use halves::NewHalf;
pub use new_password::{NewPassword, PasswordProblem};
pub use person::{DisplayName, DisplayNameProblem, Person, Status};
pub use proof::{Proof, RecoveryCode};
pub use role::{Permission, Role};
pub use token::{Token, TokenHash};
pub use totp::Secret;

/// The migrations of schema `accounts`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
