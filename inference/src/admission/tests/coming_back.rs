//! Whether who was refused gets in when told to come back.

use super::*;

/// An engine on which every job takes the same time, and time that is moved by hand.
struct Steady {
    queue: Admission,
    now: Arc<Mutex<Duration>>,
    takes: Duration,
    jobs: Vec<(Place, Option<Duration>, (usize, usize))>,
}

impl Steady {
    fn new(places: Places, at_once: usize, takes: Duration) -> Self {
        let now = Arc::new(Mutex::new(Duration::ZERO));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || *now.lock().unwrap()
        });
        let queue = Admission::with(Policy { places, ..Policy::default() }, at_once, clock);
        Self { queue, now, takes, jobs: Vec::new() }
    }

    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn enter(&mut self, tenant: usize, user: usize) -> Result<(), Full> {
        let who = caller(&tenant.to_string(), &user.to_string());
        let place = self.queue.enter(&who, COST)?;
        self.jobs.push((place, None, (tenant, user)));
        self.note_started();
        Ok(())
    }

    fn note_started(&mut self) {
        let now = self.now();
        for (place, since, _) in &mut self.jobs {
            if since.is_none() && place.position() == 0 {
                *since = Some(now);
            }
        }
    }

    /// Lets jobs end until then. Whoever is of another tenant asks again right away.
    fn pass(&mut self, until: Duration, tenant: usize) {
        loop {
            let ends = self.jobs.iter().enumerate();
            let ends = ends.filter_map(|(at, (_, since, _))| Some((since.as_ref()?, at)));
            let Some((since, at)) = ends.min() else { break };
            let end = *since + self.takes;
            if end > until {
                break;
            }
            *self.now.lock().unwrap() = end;
            let (place, _, (of, user)) = self.jobs.swap_remove(at);
            place.charge().read(10);
            place.charge().made(10);
            drop(place);
            self.note_started();
            if of != tenant {
                // There may be no room for it.
                let _ = self.enter(of, user);
            }
        }
        *self.now.lock().unwrap() = until;
    }
}

/// How many were refused when so many tenants crowd, and how many of those who came back when told
/// were refused again. The others' jobs go on, and each that ends is followed by the next.
fn refused(tenants: usize) -> (usize, usize) {
    let (mut refused, mut again) = (0, 0);
    for seed in 1..=200 {
        let mut number = numbers(seed);
        let places = Places {
            running_per_person: number(1, 3),
            waiting_per_tenant: number(2, 10),
            waiting_per_person: number(1, 4),
            ..Places::default()
        };
        let takes = Duration::from_millis(number(500, 20_000) as u64);
        let mut steady = Steady::new(places, number(1, 6), takes);
        for _ in 0..200 {
            let (tenant, user) = (number(1, tenants), number(1, 5));
            if let Err(Full { retry_after, .. }) = steady.enter(tenant, user)
                && steady.now() > takes
            {
                refused += 1;
                steady.pass(steady.now() + retry_after, tenant);
                again += usize::from(steady.enter(tenant, user).is_err());
            }
            let pause = Duration::from_millis(number(0, 300) as u64);
            steady.pass(steady.now() + pause, usize::MAX);
        }
    }
    println!("{tenants} tenants: {again} of {refused} were refused again");
    (refused, again)
}

#[test]
fn who_comes_back_when_told_gets_in_if_the_pace_is_steady() {
    let (refusals, again) = refused(1);
    assert!(refusals > 1000, "{refusals}");
    assert_eq!(again, 0);
}

#[test]
fn who_comes_back_when_told_is_seldom_overtaken_by_other_tenants() {
    let (refusals, again) = refused(4);
    assert!(refusals > 1000, "{refusals}");
    assert!(again * 20 <= refusals, "{again} of {refusals}");
}
