//! A year of many names in a minute: what `pace` and `limits` decide, held against authorities that
//! count for themselves. Time is simulated, and with it answers that come late, two days without an
//! answer, and one machine that makes so many certificates an hour.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod authority;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use certificates::acme::Trouble;
use certificates::limits::{Limit, Limits, Place};
use certificates::pace::{self, Silences};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

use authority::Authority;

/// What is lived through.
#[derive(Clone, Copy)]
struct Scene {
    names: usize,
    days: i64,
    /// Names come one by one until this day.
    all_by: i64,
    /// So long a certificate is good, in days.
    life: i64,
    /// The first authority does not answer for two days from this one on.
    outage: i64,
    limits: Limits,
    knows_renewals: bool,
    /// A second authority, which always answers.
    has_second: bool,
    /// Of so many names one is below a registered domain that many others are below too.
    crowded: usize,
}

/// Certificates that the machine makes in an hour: less than is measured (docs/figures.md).
const AN_HOUR: i64 = 20_000;

#[derive(Default)]
struct Named {
    certificate: Option<Certificate>,
    order: Option<Order>,
}

#[derive(Clone, Copy)]
struct Certificate {
    authority: usize,
    not_after: Timestamp,
}

#[derive(Default)]
struct Order {
    /// Reserved places: by authority, for a certificate and for an order.
    places: HashMap<(usize, bool), Timestamp>,
    silent_since: Option<Timestamp>,
    /// Until when it was told to wait when it was told so first.
    told: Option<Timestamp>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    issued: u64,
    by_second: u64,
    breaches: u64,
    expired: u64,
    without: usize,
    longest_wait: SignedDuration,
    /// How much longer somebody waited than they were told.
    late: SignedDuration,
    /// How much was left of the certificate that was renewed last.
    least_left: SignedDuration,
}

struct World {
    scene: Scene,
    start: Timestamp,
    authorities: Vec<Authority>,
    names: Vec<Named>,
    texts: Vec<String>,
    full_at: BTreeMap<(usize, String), Timestamp>,
    silences: Silences,
    /// When the machine is done with what it has taken.
    busy_until: Timestamp,
    due: BinaryHeap<Reverse<(Timestamp, usize)>>,
    outcome: Outcome,
    rng: StdRng,
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

impl World {
    fn new(scene: Scene, seed: u64) -> Self {
        let start: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let from = start + hours(24 * scene.outage);
        let outage = [from, from + hours(48)];
        let knows = scene.knows_renewals;
        let mut authorities = vec![Authority::new(scene.limits, knows, Some(outage))];
        if scene.has_second {
            authorities.push(Authority::new(Limits::lets_encrypt(), true, None));
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let text = |n: usize| match n % scene.crowded {
            0 => format!("shop{n}.crowded{}.com", n / (1_000 * scene.crowded)),
            _ => format!("shop.name{n}.com"),
        };
        let arrival = hours(24 * scene.all_by).as_secs();
        let due = (0..scene.names)
            .map(|n| {
                let at = rng.random_range(0..arrival);
                Reverse((start + SignedDuration::from_secs(at), n))
            })
            .collect();
        Self {
            scene,
            start,
            authorities,
            names: (0..scene.names).map(|_| Named::default()).collect(),
            texts: (0..scene.names).map(text).collect(),
            full_at: BTreeMap::new(),
            silences: Silences::default(),
            busy_until: start,
            due,
            outcome: Outcome { least_left: hours(24 * scene.life), ..Outcome::default() },
            rng,
        }
    }

    fn live(mut self) -> Outcome {
        let end = self.start + hours(24 * self.scene.days);
        while let Some(Reverse((at, n))) = self.due.pop() {
            if at >= end {
                break;
            }
            let now = at.max(self.busy_until);
            let again = match self.advance(n, now) {
                Ok(renew_at) => renew_at,
                Err(trouble) => self.later(n, &trouble, now),
            };
            self.due.push(Reverse((again, n)));
        }
        for named in &self.names {
            match named.certificate {
                None => self.outcome.without += 1,
                Some(has) if has.not_after < end => self.outcome.expired += 1,
                Some(_) => {}
            }
        }
        self.outcome
    }

    /// As the issuer does it, from its own parts.
    fn advance(&mut self, n: usize, now: Timestamp) -> Result<Timestamp, Trouble> {
        let order = self.names[n].order.get_or_insert_default();
        let silent = order.silent_since.map_or(SignedDuration::ZERO, |it| now.duration_since(it));
        let at = pace::whose_turn(silent, self.authorities.len());
        let name = ["first", "second"][at];
        let unheard = || Trouble::Silent("no answer".to_owned());
        if self.silences.is_silent(name, now) {
            return Err(unheard());
        }
        let has = self.names[n].certificate;
        let replaces_own = has.is_some_and(|it| it.authority == at);
        let is_free = replaces_own && (at != 0 || self.scene.knows_renewals);
        if !is_free {
            self.turn(n, at, true, now)?;
            self.turn(n, at, false, now)?;
            self.count_order(n, at, now)?;
        }
        // A call takes its time, and another one may overtake it.
        let heard = now + SignedDuration::from_millis(self.rng.random_range(5..10_000));
        if !self.authorities[at].answers(heard) {
            self.silences.unheard(name, Uuid::from_u128(n as u128), now);
            return Err(unheard());
        }
        self.silences.heard(name);
        let too_many = |_| Trouble::Busy { why: "too many".to_owned(), after: None };
        let costs_nothing = self.authorities[at].order(replaces_own, heard).map_err(too_many)?;
        self.names[n].order.as_mut().unwrap().places.remove(&(at, false));
        let done = heard + SignedDuration::from_secs(self.rng.random_range(1..10));
        if !costs_nothing {
            let counted = self.counted(n, at);
            self.reserve(at, &counted, None, now);
            self.authorities[at].finalize(&self.texts[n], done).map_err(too_many)?;
        }
        self.busy_until = now + SignedDuration::from_micros(3_600_000_000 / AN_HOUR);
        self.issued(n, at, done);
        let not_before = done - hours(1);
        let not_after = not_before + hours(24 * self.scene.life);
        self.names[n].certificate = Some(Certificate { authority: at, not_after });
        Ok(pace::renew_at(not_before, not_after))
    }

    fn issued(&mut self, n: usize, at: usize, now: Timestamp) {
        let Outcome { issued, by_second, expired, late, least_left, .. } = &mut self.outcome;
        *issued += 1;
        *by_second += u64::from(at == 1);
        if let Some(had) = self.names[n].certificate {
            let left = had.not_after.duration_since(now);
            *expired += u64::from(left.is_negative());
            *least_left = (*least_left).min(left);
        }
        if let Some(Order { told: Some(told), .. }) = self.names[n].order.take() {
            *late = (*late).max(now.duration_since(told));
        }
    }

    /// Whether it is its turn there.
    fn turn(
        &mut self,
        n: usize,
        at: usize,
        is_certificate: bool,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let is_renewal = self.names[n].certificate.is_some();
        let limits = self.authorities[at].limits();
        let limits: Vec<(String, Limit)> = if is_certificate {
            limits.of_certificate(&self.texts[n]).to_vec()
        } else {
            let both = limits.of_order(is_renewal).into_iter();
            both.min_by_key(|(what, limit)| self.place(at, what, *limit, now).at)
                .into_iter()
                .collect()
        };
        let order = self.names[n].order.as_mut().unwrap();
        let key = (at, is_certificate);
        let mut place = order.places.get(&key).copied();
        if place.is_none() {
            let latest = pace::latest_place(at == 0, now);
            let (found, is_reserved) = self.reserve(at, &limits, latest, now);
            place = Some(found);
            if is_reserved {
                self.names[n].order.as_mut().unwrap().places.insert(key, found);
            }
        }
        let place = place.unwrap();
        if place > now { Err(Trouble::Full(place)) } else { Ok(()) }
    }

    /// Counts an order, unless it or its certificate would be too many.
    fn count_order(&mut self, n: usize, at: usize, now: Timestamp) -> Result<(), Trouble> {
        let of_certificate = self.counted(n, at);
        let next = |(what, limit): &(String, Limit)| self.place(at, what, *limit, now).at;
        let mut next = of_certificate.iter().map(next).max().unwrap();
        if next <= now {
            let orders = self.authorities[at].limits().orders;
            let of_order = [("counted orders".to_owned(), orders)];
            next = self.reserve(at, &of_order, Some(now), now).0;
        }
        if next > now { Err(Trouble::Full(next)) } else { Ok(()) }
    }

    fn counted(&self, n: usize, at: usize) -> Vec<(String, Limit)> {
        let limits = self.authorities[at].limits().of_certificate(&self.texts[n]).into_iter();
        limits.map(|(what, limit)| (format!("counted {what}"), limit)).collect()
    }

    fn place(&self, at: usize, what: &str, limit: Limit, now: Timestamp) -> Place {
        limit.place(self.full_at.get(&(at, what.to_owned())).copied(), now)
    }

    /// A place with each of these, unless it is later than `latest`.
    fn reserve(
        &mut self,
        at: usize,
        limits: &[(String, Limit)],
        latest: Option<Timestamp>,
        now: Timestamp,
    ) -> (Timestamp, bool) {
        let places: Vec<_> = limits
            .iter()
            .map(|(what, limit)| ((at, what.clone()), self.place(at, what, *limit, now)))
            .collect();
        let all = places.iter().map(|(_, place)| place.at).max().unwrap();
        let is_reserved = latest.is_none_or(|latest| all <= latest);
        if is_reserved {
            self.full_at.extend(places.into_iter().map(|(key, place)| (key, place.full_at)));
        }
        (all, is_reserved)
    }

    /// When it is tried again.
    fn later(&mut self, n: usize, trouble: &Trouble, now: Timestamp) -> Timestamp {
        let order = self.names[n].order.as_mut().unwrap();
        match trouble {
            Trouble::Silent(_) => _ = order.silent_since.get_or_insert(now),
            Trouble::Full(until) if order.silent_since.is_none() => {
                order.told.get_or_insert(*until);
                let wait = until.duration_since(now);
                self.outcome.longest_wait = self.outcome.longest_wait.max(wait);
            }
            Trouble::Busy { .. } => self.outcome.breaches += 1,
            _ => {}
        }
        let silent = order.silent_since.map_or(SignedDuration::ZERO, |it| now.duration_since(it));
        now + pace::pause(trouble, 0, silent, now)
    }
}

#[expect(clippy::print_stdout, reason = "what a soak counted")]
fn told(what: &str, outcome: &Outcome) {
    let Outcome { issued, by_second, breaches, expired, without, .. } = outcome;
    let hours = |time: SignedDuration| time.as_hours();
    println!(
        "counted: {what}: {issued} certificates ({by_second} by the second authority), {breaches} breaches, \
         {expired} expiries, {without} names without one; longest wait {} h, at most {} s \
         longer than told; least left at renewal {} h",
        hours(outcome.longest_wait),
        outcome.late.as_secs(),
        hours(outcome.least_left),
    );
}

fn year(names: usize, life: i64) -> Scene {
    Scene {
        names,
        days: 365,
        all_by: 70,
        life,
        outage: 200,
        limits: Limits::lets_encrypt(),
        knows_renewals: true,
        has_second: true,
        crowded: 100,
    }
}

fn is_kept(what: &str, scene: Scene) -> Outcome {
    let outcome = World::new(scene, 7).live();
    told(what, &outcome);
    assert_eq!((outcome.breaches, outcome.expired, outcome.without), (0, 0, 0), "{what}");
    outcome
}

#[test]
fn no_name_expires_and_no_limit_is_broken_although_an_authority_is_silent_for_two_days() {
    for (life, has_second) in [(45, true), (45, false), (6, true), (6, false)] {
        let scene = Scene { days: 120, outage: 80, has_second, ..year(2_000, life) };
        let outcome = is_kept(&format!("{life} days, second: {has_second}"), scene);
        assert_eq!(outcome.by_second > 0, has_second);
    }
}

#[test]
fn who_has_to_wait_is_told_until_when() {
    // All at once: the account's limit and that of crowded domains bind.
    let scene = Scene { days: 40, all_by: 1, outage: 30, ..year(5_000, 45) };
    let outcome = is_kept("all at once", scene);
    assert!(outcome.longest_wait > hours(24), "{outcome:?}");
    assert!(outcome.late < SignedDuration::from_mins(2), "{outcome:?}");
}

#[test]
fn a_place_that_is_used_late_breaks_no_limit() {
    // Who has waited for the account meets those of the same domain who came later.
    let orders = Limit::over(300, hours(72));
    let registered = Limit::over(50, hours(7 * 24));
    let limits = Limits { orders, registered, ..Limits::none() };
    let scene = Scene {
        days: 120,
        all_by: 8,
        outage: 110,
        limits,
        has_second: false,
        crowded: 10,
        ..year(2_000, 90)
    };
    is_kept("both queues are long", scene);
}

#[test]
fn an_authority_that_hears_of_orders_late_is_asked_for_no_more_than_it_allows() {
    // So few that they are not divided: we go to the very limit.
    let few = Limits { orders: Limit::over(9, SignedDuration::from_mins(30)), ..Limits::none() };
    let scene = Scene {
        days: 20,
        all_by: 1,
        outage: 15,
        limits: few,
        has_second: false,
        ..year(3_000, 45)
    };
    let outcome = is_kept("nine orders in half an hour", scene);
    assert!(outcome.longest_wait > hours(5 * 24), "{outcome:?}");
}

#[test]
#[ignore = "takes long"]
fn soak_a_year_of_a_hundred_thousand_names() {
    for life in [45, 6] {
        for has_second in [true, false] {
            let scene = Scene { has_second, ..year(100_000, life) };
            is_kept(&format!("{life}-day certificates, second authority: {has_second}"), scene);
        }
    }
    // An authority that counts renewals too has to have agreed to more.
    let agreed = Limits {
        orders: Limit::over(3_000, hours(3)),
        registered: Limit::over(1_000, hours(7 * 24)),
        ..Limits::lets_encrypt()
    };
    let scene = Scene { limits: agreed, knows_renewals: false, ..year(100_000, 45) };
    is_kept(
        "45-day certificates, renewals counted, 3,000 orders in 3 h and 1,000 of a domain agreed",
        scene,
    );
}
