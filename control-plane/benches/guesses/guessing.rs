//! A console, those who guess passwords at it, and those who sign in meanwhile.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use accounts::passwords::{Cost, Passwords};
use accounts::people::NewPerson;
use accounts::{NewPassword, Role, Status, Visit, sign_up};
use control_plane::rates::Rates;
use control_plane::{App, Parts, migrate, router};
use futures::{StreamExt as _, stream};
use reqwest::header;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use web::egress::Egress;
use web::serve::{Limits, Places, Proxies, Transport};
use work::Clock;
use work::sealed::{KeyRing, RootKey};

use crate::played::Played;

/// Requests of those who guess that are under way at once.
const AT_ONCE: usize = 64;
/// Everybody's here.
const PASSWORD: &str = "correct horse battery";
/// Failures on one account until a wait follows, as `accounts/src/attempts.rs` has it; and from one address.
const OF_ACCOUNT: u32 = 5;
const OF_ADDRESS: u32 = 20;
/// A failure is forgiven in so many seconds.
const ACCOUNT_FORGIVES: f64 = 1_800.0;
const ADDRESS_FORGIVES: f64 = 180.0;

/// A console on this machine.
pub(crate) struct Console {
    url: String,
    client: reqwest::Client,
    _stop: DropGuard,
}

/// How those who guess go about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attack {
    /// Where they come from.
    pub(crate) addresses: u32,
    /// Whom they guess at; every other one has no account.
    pub(crate) accounts: u32,
}

/// What became of guesses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Guessed {
    /// The password was looked at, and was wrong.
    pub(crate) looked_at: usize,
    /// Told to wait.
    pub(crate) put_off: usize,
    /// Told that too many sign in right now.
    pub(crate) busy: usize,
}

impl Console {
    /// One with so many people; a hash costs this.
    pub(crate) async fn open(db: PgPool, cost: Cost, people: u32) -> Self {
        let mut conn = db.acquire().await.unwrap();
        migrate(&mut conn).await.unwrap();
        let passwords = Passwords::new(cost, 2).unwrap();
        for number in 0..people {
            let new = NewPerson {
                email: email(number).parse().unwrap(),
                display_name: "Somebody".parse().unwrap(),
                role: Role::User,
                status: Status::Active,
            };
            let password = NewPassword::new(&PASSWORD.into(), &new.email).unwrap();
            let (visit, now) = (Visit::new(home(number), None), Clock::System.now());
            let made = sign_up::sign_up(&mut conn, &passwords, &new, &password, &visit, now);
            made.await.unwrap();
        }
        drop(conn);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (proxies, stop) =
            (Proxies::at(["127.0.0.1/32".parse().unwrap()]), CancellationToken::new());
        let app = App::new(Parts {
            db,
            cluster: Arc::new(Played::default()),
            clock: Clock::System,
            passwords,
            root_keys: KeyRing::of(RootKey::from_bytes([7; 32])),
            egress: Egress::allowing([]).unwrap(),
            rates: Rates::default(),
            url: url.parse().unwrap(),
            proxies: proxies.clone(),
            installation: None,
            gateway: None,
        });
        let places = Places::new(Limits::of(1_024)).behind(proxies);
        let routes = router(app.unwrap());
        tokio::spawn(web::serve::serve(listener, Transport::Plain, routes, stop.clone(), places));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { url, client, _stop: stop.drop_guard() }
    }

    /// Somebody signs in from where they were before: how long it took, in milliseconds, if they were let in.
    pub(crate) async fn signs_in(&self, person: u32) -> Result<f64, u16> {
        self.signs_in_from(person, home(person)).await
    }

    /// The same from anywhere.
    pub(crate) async fn signs_in_from(&self, person: u32, from: IpAddr) -> Result<f64, u16> {
        let begun = Instant::now();
        match self.tried(&email(person), PASSWORD, from).await {
            303 => Ok(begun.elapsed().as_secs_f64() * 1e3),
            status => Err(status),
        }
    }

    /// So many guesses, of which the first is this one, one after the other in this time or more.
    pub(crate) async fn guess(
        &self,
        attack: Attack,
        (first, count): (u32, u32),
        every: Duration,
    ) -> Guessed {
        let begun = tokio::time::Instant::now();
        let tries = stream::iter(first..first + count).map(async |number| {
            tokio::time::sleep_until(begun + every * (number - first)).await;
            let from = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number % attack.addresses));
            let target = number / 7 % attack.accounts;
            // Of all others there are accounts.
            let at = if target.is_multiple_of(2) { 1_000_000 + target } else { target };
            self.tried(&email(at), &format!("guess number {number}"), from).await
        });
        let mut guessed = Guessed::default();
        let mut tries = std::pin::pin!(tries.buffer_unordered(AT_ONCE));
        while let Some(status) = tries.next().await {
            match status {
                422 => guessed.looked_at += 1,
                429 => guessed.put_off += 1,
                503 => guessed.busy += 1,
                other => panic!("answered with {other}"),
            }
        }
        guessed
    }

    async fn tried(&self, email: &str, password: &str, from: IpAddr) -> u16 {
        let fields = [("email", email), ("password", password), ("next", "/account")];
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.extend_pairs(fields).finish();
        let sent = self.client.post(format!("{}/signin", self.url)).body(body);
        let sent = sent
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", from.to_string());
        let answer = sent.send().await.unwrap();
        let status = answer.status().as_u16();
        answer.bytes().await.unwrap();
        status
    }
}

/// So many guesses at most are looked at in this time: the waits of accounts and of addresses are 1, 2, 4 …
/// seconds once those for nothing are used up.
pub(crate) fn allowed(attack: Attack, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    let each = |for_nothing: u32, forgives: f64| {
        f64::from(for_nothing) + (seconds + 1.0).log2().floor() + (seconds / forgives).floor()
    };
    let of_accounts = f64::from(attack.accounts) * each(OF_ACCOUNT, ACCOUNT_FORGIVES);
    of_accounts.min(f64::from(attack.addresses) * each(OF_ADDRESS, ADDRESS_FORGIVES))
}

/// An address where nobody was before, for each number another one.
#[allow(dead_code, reason = "the tests know everybody")]
pub(crate) fn elsewhere(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0xac10_0000 + number))
}

/// Each has an address of their own.
fn home(person: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0xc0a8_0000 + person))
}

fn email(number: u32) -> String {
    format!("p{number}@acme.test")
}
