//! Hashing passwords with Argon2id, a few at a time.
//!
//! Each hash takes memory and a processor for a while, which is its point, and what makes a flood
//! of sign-ins dangerous: so only some run at once, off the async threads, a bounded number waits,
//! and the rest is told that we are busy.
//!
//! Each tenant waits in a queue of its own. Only the heads of the queues wait for a processor, so
//! a flood at one tenant is told that we are busy while the others hardly notice.
use std::fmt;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, Salt, SaltString};
use argon2::{Algorithm, Argon2, Params, Version, password_hash as phc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::NewPassword;
use crate::new_password::normalised;

/// How many may wait for each one that runs.
const WAITING_EACH: usize = 32;

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes, that is threads an attacker could use.
    pub lanes: u32,
}

impl Cost {
    /// What OWASP advises: 19 MiB, 2 passes, 1 lane.
    pub const OWASP: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// As good as nothing. For tests only.
    pub const CHEAP: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
    /// The most that is spent on a hash. Hashes come from backups too, and those from anywhere:
    /// one may name all the memory there is, or passes for a day.
    const MOST: Self = Self { memory_kib: 64 * 1024, passes: 4, lanes: 4 };

    fn of(params: &Params) -> Self {
        Self { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() }
    }

    fn is_bearable(self) -> bool {
        self.memory_kib <= Self::MOST.memory_kib
            && self.passes <= Self::MOST.passes
            && self.lanes <= Self::MOST.lanes
    }

    fn argon2(self) -> Result<Argon2<'static>, PasswordsError> {
        if !self.is_bearable() {
            return Err(PasswordsError::Failed(format!("{self:?} is more than {:?}", Self::MOST)));
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None)
            .map_err(|error| PasswordsError::Failed(error.to_string()))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// A hash as stored: a PHC string, which names its own parameters and salt.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The PHC string.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What was stored.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Whether a password fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does not, or there is no such account.
    Wrong,
    /// It does.
    Right,
    /// It does, but its hash was made at another cost; this one should take its place.
    RightRehashed(PasswordHash),
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum PasswordsError {
    /// Too many wait already. A matter of seconds.
    #[error("too many people are signing in right now")]
    Busy,
    /// The hash cannot be made or read.
    #[error("hash a password: {0}")]
    Failed(String),
}

/// Makes and checks hashes. Cheap to clone; clones share their limit and their queue.
#[derive(Clone)]
pub struct Passwords {
    cost: Cost,
    argon2: Argon2<'static>,
    /// Checked where there is no account, so that its absence does not show in the time taken.
    nobody: PasswordHash,
    at_once: usize,
    /// Who hashes, of all tenants.
    running: Arc<Semaphore>,
    /// Who is at the head of this tenant's queue.
    at_head: Arc<Semaphore>,
    /// Who is in this tenant's queue.
    admitted: Arc<Semaphore>,
}

/// A place in the queue, for one hash or one check.
#[derive(Debug)]
pub struct Turn {
    passwords: Passwords,
    _admitted: OwnedSemaphorePermit,
}

impl Passwords {
    /// At that cost, `at_once` (at least one) at the same time. Makes one hash, so it takes a
    /// moment.
    pub fn new(cost: Cost, at_once: usize) -> Result<Self, PasswordsError> {
        let at_once = at_once.max(1);
        let argon2 = cost.argon2()?;
        let nobody = make(&argon2, &rand::random::<[u8; 32]>())?;
        let running = Arc::new(Semaphore::new(at_once));
        let (at_head, admitted) = queue(at_once);
        Ok(Self { cost, argon2, nobody, at_once, running, at_head, admitted })
    }

    /// For one tenant: the same processors, and a queue of its own.
    pub fn for_tenant(&self) -> Self {
        let (at_head, admitted) = queue(self.at_once);
        Self { at_head, admitted, ..self.clone() }
    }

    /// For those who come from where they never were: a queue of their own, of which one at a time is
    /// hashed. However many they are, the others have the rest of the processors.
    pub fn for_strangers(&self) -> Self {
        let (at_head, admitted) = queue(1);
        Self { at_head, admitted, ..self.clone() }
    }

    /// A place in the queue. Taken before an attempt is counted: who is told that we are busy has
    /// not tried.
    pub fn turn(&self) -> Result<Turn, PasswordsError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let admitted = admitted.map_err(|_| PasswordsError::Busy)?;
        Ok(Turn { passwords: self.clone(), _admitted: admitted })
    }

    /// The hash to store for a chosen password.
    pub async fn hash(&self, password: &NewPassword) -> Result<PasswordHash, PasswordsError> {
        self.turn()?.hash(password).await
    }
}

impl Turn {
    /// The hash to store for a chosen password.
    pub async fn hash(self, password: &NewPassword) -> Result<PasswordHash, PasswordsError> {
        let argon2 = self.passwords.argon2.clone();
        let password = password.text().clone();
        self.run(move || make(&argon2, password.expose_secret().as_bytes())).await
    }

    /// Whether the password fits the hash; `None` where there is no account, which takes as long
    /// as a wrong password and gets the same verdict. So does a hash that costs too much.
    pub async fn verify(
        self,
        password: &SecretString,
        hash: Option<&PasswordHash>,
    ) -> Result<Verdict, PasswordsError> {
        // What is too long to be a password is wrong, but costs the same.
        let (hash, password) = match (hash, normalised(password)) {
            (Some(hash), Some(password)) => (hash.clone(), password),
            (_, password) => (self.passwords.nobody.clone(), password.unwrap_or_default()),
        };
        let (cost, argon2) = (self.passwords.cost, self.passwords.argon2.clone());
        let nobody = self.passwords.nobody.clone();
        self.run(move || {
            let password = password.expose_secret().as_bytes();
            let fit = match bearable(&hash) {
                Ok(()) => check(&argon2, cost, password, &hash)?,
                Err(why) => {
                    tracing::error!(
                        "a stored password hash is none of ours ({why}): nobody can sign in with it"
                    );
                    check(&argon2, cost, password, &nobody)?;
                    Fit::No
                }
            };
            match fit {
                Fit::No => Ok(Verdict::Wrong),
                Fit::Yes => Ok(Verdict::Right),
                Fit::YesAtAnotherCost => make(&argon2, password).map(Verdict::RightRehashed),
            }
        })
        .await
    }

    /// Runs it on a thread for slow work, when its turn comes.
    async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, PasswordsError> + Send + 'static,
    ) -> Result<T, PasswordsError> {
        let next = async |of: &Arc<Semaphore>| {
            let permit = Arc::clone(of).acquire_owned().await;
            permit.map_err(|error| PasswordsError::Failed(error.to_string()))
        };
        let permits = (next(&self.passwords.at_head).await?, next(&self.passwords.running).await?);
        // The permits go along: who hangs up does not stop the hash, and must not free its place.
        let work = move |_permits: (OwnedSemaphorePermit, OwnedSemaphorePermit)| work();
        tokio::task::spawn_blocking(move || work(permits))
            .await
            .map_err(|error| PasswordsError::Failed(error.to_string()))?
    }
}

/// The head of a queue, and the queue.
fn queue(at_once: usize) -> (Arc<Semaphore>, Arc<Semaphore>) {
    let admitted = at_once.saturating_mul(1 + WAITING_EACH);
    (Arc::new(Semaphore::new(at_once)), Arc::new(Semaphore::new(admitted)))
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("cost", &self.cost).finish_non_exhaustive()
    }
}

fn make(argon2: &Argon2<'_>, password: &[u8]) -> Result<PasswordHash, PasswordsError> {
    let salt: [u8; Salt::RECOMMENDED_LENGTH] = rand::random();
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    let hash = argon2.hash_password(password, &salt).map_err(failed)?;
    Ok(PasswordHash(hash.to_string()))
}

enum Fit {
    No,
    Yes,
    YesAtAnotherCost,
}

/// Refuses a hash that we would not make at any cost of ours.
fn bearable(hash: &PasswordHash) -> Result<(), String> {
    let hash = phc::PasswordHash::new(&hash.0).map_err(|error| error.to_string())?;
    if hash.algorithm != Algorithm::Argon2id.ident() {
        return Err(format!("made with {}", hash.algorithm));
    }
    let made_at = Cost::of(&Params::try_from(&hash).map_err(|error| error.to_string())?);
    if made_at.is_bearable() { Ok(()) } else { Err(format!("made at {made_at:?}")) }
}

/// Checked at the cost the hash itself names, which is [`bearable`].
fn check(
    argon2: &Argon2<'_>,
    cost: Cost,
    password: &[u8],
    hash: &PasswordHash,
) -> Result<Fit, PasswordsError> {
    let hash = phc::PasswordHash::new(&hash.0).map_err(failed)?;
    match argon2.verify_password(password, &hash) {
        Ok(()) => {}
        Err(phc::Error::Password) => return Ok(Fit::No),
        Err(error) => return Err(failed(error)),
    }
    let made_at = Cost::of(&Params::try_from(&hash).map_err(failed)?);
    Ok(if made_at == cost { Fit::Yes } else { Fit::YesAtAnotherCost })
}

fn failed(error: phc::Error) -> PasswordsError {
    PasswordsError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const PASSWORD: &str = "horse staple caf\u{e9}";

    async fn verify(
        passwords: &Passwords,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<Verdict, PasswordsError> {
        passwords.turn()?.verify(&password.into(), hash).await
    }

    async fn hashed(passwords: &Passwords) -> PasswordHash {
        let email = "jane@example.com".parse().unwrap();
        passwords.hash(&NewPassword::new(&PASSWORD.into(), &email).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_password_fits_its_hash_however_it_is_typed() {
        let passwords = Passwords::new(Cost::CHEAP, 1).unwrap();
        let hash = hashed(&passwords).await;
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        for (typed, verdict) in [
            (PASSWORD, Verdict::Right),
            ("horse staple cafe\u{301}", Verdict::Right),
            ("horse staple cafe", Verdict::Wrong),
            ("", Verdict::Wrong),
        ] {
            assert_eq!(verify(&passwords, typed, Some(&hash)).await.unwrap(), verdict);
        }
        assert_ne!(hash, hashed(&passwords).await, "each hash has its own salt");
    }

    #[tokio::test]
    async fn nobody_and_far_too_long_are_wrong() {
        let passwords = Passwords::new(Cost::CHEAP, 1).unwrap();
        let hash = hashed(&passwords).await;
        assert_eq!(verify(&passwords, PASSWORD, None).await.unwrap(), Verdict::Wrong);
        let long = "x".repeat(100_000);
        assert_eq!(verify(&passwords, &long, Some(&hash)).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_made_anew_when_the_password_is_right() {
        let before = Passwords::new(Cost::CHEAP, 1).unwrap();
        let after = Passwords::new(Cost { passes: 2, ..Cost::CHEAP }, 1).unwrap();
        let hash = hashed(&before).await;
        let wrong = verify(&after, "something else", Some(&hash)).await.unwrap();
        assert_eq!(wrong, Verdict::Wrong);
        let right = verify(&after, PASSWORD, Some(&hash)).await.unwrap();
        let Verdict::RightRehashed(hash) = right else { panic!("{right:?}") };
        assert!(hash.as_str().contains("t=2"));
        assert_eq!(verify(&after, PASSWORD, Some(&hash)).await.unwrap(), Verdict::Right);
    }

    #[tokio::test]
    async fn a_stored_hash_that_costs_too_much_is_a_wrong_password() {
        let passwords = Passwords::new(Cost::CHEAP, 1).unwrap();
        let hash = hashed(&passwords).await;
        for (ours, theirs) in [
            ("m=8,t=1,p=1", "m=4294967295,t=1,p=1"),
            ("m=8,t=1,p=1", "m=65537,t=1,p=1"),
            ("m=8,t=1,p=1", "m=8,t=4000000,p=1"),
            ("m=8,t=1,p=1", "m=8,t=4294967295,p=1"),
            ("m=8,t=1,p=1", "m=40,t=1,p=5"),
            ("m=8,t=1,p=1", "m=4000,t=1,p=400"),
            ("m=8,t=1,p=1", "m=8,t=1,p=4"),
            ("m=8,t=1,p=1", "m=99999999999,t=1,p=1"),
            ("$argon2id$", "$argon2i$"),
            ("$argon2id$", "$argon2d$"),
            ("$argon2id$", "$scrypt$"),
            ("$argon2id$", ""),
        ] {
            let stored = PasswordHash::stored(hash.as_str().replacen(ours, theirs, 1));
            assert_ne!(stored, hash);
            let verdict = verify(&passwords, PASSWORD, Some(&stored)).await.unwrap();
            assert_eq!(verdict, Verdict::Wrong, "{theirs}");
        }
        assert_eq!(verify(&passwords, PASSWORD, Some(&hash)).await.unwrap(), Verdict::Right);
        assert!(Cost::OWASP.is_bearable() && Cost::MOST.is_bearable());
        let refused = Passwords::new(Cost { passes: 5, ..Cost::CHEAP }, 1);
        assert!(matches!(refused, Err(PasswordsError::Failed(_))));
    }

    #[tokio::test]
    async fn a_flood_is_told_that_we_are_busy() {
        let passwords = Passwords::new(Cost::CHEAP, 1).unwrap();
        let held = passwords.running.clone().acquire_owned().await.unwrap();
        let waiting: Vec<_> = (0..=WAITING_EACH)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { verify(&passwords, PASSWORD, None).await })
            })
            .collect();
        while passwords.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = verify(&passwords, PASSWORD, None).await;
        assert!(matches!(refused, Err(PasswordsError::Busy)), "{refused:?}");
        drop(held);
        for one in waiting {
            assert_eq!(one.await.unwrap().unwrap(), Verdict::Wrong);
        }
    }

    #[tokio::test]
    async fn a_flood_of_strangers_leaves_a_place_to_the_others() {
        let passwords = Passwords::new(Cost::CHEAP, 2).unwrap();
        let strangers = passwords.for_strangers();
        let held = strangers.at_head.clone().acquire_owned().await.unwrap();
        let turns: Vec<_> = (0..=WAITING_EACH).map(|_| strangers.turn().unwrap()).collect();
        assert!(matches!(strangers.turn(), Err(PasswordsError::Busy)));
        // Only the one at the head has a processor.
        assert_eq!(passwords.running.available_permits(), 2);
        assert_eq!(verify(&passwords, PASSWORD, None).await.unwrap(), Verdict::Wrong);
        drop((held, turns));
        assert_eq!(verify(&strangers, PASSWORD, None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_flood_at_one_tenant_leaves_the_others_their_turn() {
        let machine = Passwords::new(Cost::CHEAP, 1).unwrap();
        let (flooded, quiet) = (machine.for_tenant(), machine.for_tenant());
        let held = machine.running.clone().acquire_owned().await.unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sent = |passwords: &Passwords, name: &'static str| {
            let (passwords, order) = (passwords.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                verify(&passwords, PASSWORD, None).await.unwrap();
                order.lock().unwrap().push(name);
            })
        };
        let mut all: Vec<_> = (0..=WAITING_EACH).map(|_| sent(&flooded, "flooded")).collect();
        while flooded.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(flooded.turn(), Err(PasswordsError::Busy)));
        all.push(sent(&quiet, "quiet"));
        while quiet.at_head.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        drop(held);
        for one in all {
            one.await.unwrap();
        }
        let place = order.lock().unwrap().iter().position(|name| *name == "quiet").unwrap();
        assert!(place < 4, "{place} of the flood came first");
    }

    #[tokio::test]
    async fn an_unknown_account_takes_the_time_of_a_wrong_password() {
        let passwords = Passwords::new(Cost { memory_kib: 4096, passes: 2, lanes: 1 }, 1).unwrap();
        let hash = hashed(&passwords).await;
        let fastest = async |hash: Option<&PasswordHash>| {
            let mut best = Duration::MAX;
            for _ in 0..7 {
                let start = Instant::now();
                verify(&passwords, "something else", hash).await.unwrap();
                best = best.min(start.elapsed());
            }
            best
        };
        let (wrong, unknown) = (fastest(Some(&hash)).await, fastest(None).await);
        // Generous, for machines that are busy; without the hash of nobody it is a hundredfold.
        assert!(unknown * 3 > wrong && wrong * 3 > unknown, "{wrong:?} {unknown:?}");
    }

    #[tokio::test]
    async fn a_hash_does_not_show_in_logs() {
        let hash = hashed(&Passwords::new(Cost::CHEAP, 1).unwrap()).await;
        assert!(!format!("{hash:?}").contains("argon2"));
    }
}
