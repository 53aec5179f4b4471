//! Twenty root keys one after the other, under those who sign in and those who are told.

use std::cell::{Cell, RefCell};

use blueprint::PlanName;
use control_plane::courier;
use control_plane::root_keys::{Replica, resealed, told};
use futures::future::{join, join4};
use jiff::SignedDuration;
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::watch;

use crate::Rig;
use crate::browser::{Browser, PASSWORD};
use crate::device::Device;
use crate::passkeys;
use crate::rig::{Caller, key_ring};
use crate::second_factor::{App, set_up};
use crate::webhooks::{Receiver, listens};

/// Times that a key takes another one's place.
const ROTATIONS: u8 = 20;
/// Who sign in by a code in each of them: one before, and one after each step.
const PEOPLE: usize = 6;

/// Somebody with a phone that shows codes.
struct Person<'a> {
    email: String,
    app: App<'a>,
}

/// Two control planes, and those who use them.
struct World<'a> {
    rigs: [&'a Rig; 2],
    people: Vec<Person<'a>>,
    acme: Caller<'a>,
    receiver: Receiver,
    hook: String,
    /// The last is the one that counts.
    secrets: RefCell<Vec<String>>,
    phone: RefCell<Device>,
}

impl<'a> World<'a> {
    async fn new(rigs: [&'a Rig; 2]) -> Self {
        let rig = rigs[0];
        let admitted = rig.admitted("acme", PlanName::Business, Some("p0@acme.test")).await;
        let mut owner = Browser::join(rig, &admitted.invitation.unwrap(), "Olive").await;
        let mut phone = Device::new("console.test", crate::rig::URL);
        let page = owner.fill("/account/passkeys/new", &[("proof", PASSWORD)]).await;
        let made = phone.made(&passkeys::asked(&page));
        passkeys::add(&mut owner, &made).await.leads_to("/account");
        let mut people = Vec::new();
        for number in 1..=PEOPLE {
            let email = format!("p{number}@acme.test");
            let invite = [("email", &*email), ("role", "admin")];
            let link = owner.fill("/o/acme/people", &invite).await.between("<code>", "</code>");
            let mut browser = Browser::join(rig, &link, "Ann").await;
            let (app, _) = set_up(rig, &mut browser, "/").await;
            people.push(Person { email, app });
        }
        let (acme, receiver) = (rig.caller(Some(admitted.key.expose())), Receiver::new().await);
        let (hook, secret) = listens(&acme, &receiver.url, &["key.create"]).await;
        let secrets = RefCell::new(vec![secret]);
        Self { rigs, people, acme, receiver, hook, secrets, phone: RefCell::new(phone) }
    }

    /// The password at one of them, the code at the other.
    async fn signs_in(&self, person: &Person<'_>, number: usize) {
        let mut here = Browser::new(self.rigs[number % 2]);
        let fields = [("email", &*person.email), ("password", PASSWORD), ("next", "/o/acme")];
        here.fill("/signin", &fields).await.leads_to("/signin/code?next=%2Fo%2Facme");
        let mut there = Browser::new(self.rigs[(number + 1) % 2]);
        there.take("__Host-half", &here.cookie("__Host-half"));
        let fields = [("code", &*person.app.shown()), ("next", "/o/acme")];
        there.fill("/signin/code", &fields).await.leads_to("/o/acme");
    }

    /// What one of them asks the phone, the other is answered.
    async fn signs_in_by_passkey(&self, number: usize) {
        let mut here = Browser::new(self.rigs[number % 2]);
        let page = here.open("/signin/passkey").await;
        let answer = self.phone.borrow_mut().signed(&passkeys::asked(&page));
        let mut there = Browser::new(self.rigs[(number + 1) % 2]);
        passkeys::sign_in(&mut there, &answer).await.leads_to("/o/acme");
    }

    /// Something is done, and told with a signature of a secret that is good.
    async fn is_told(&self, number: usize) {
        let before = self.secrets.borrow().len().saturating_sub(2);
        let made =
            self.acme.post("/v1/keys", &json!({"name": "x", "scopes": ["audit:read"]})).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let key = format!("/v1/keys/{}", made.body["id"].as_str().unwrap());
        while courier::round(&self.rigs[number % 2].app).await.unwrap() > 0 {}
        let came = self.receiver.came();
        assert_eq!(came.len(), 1, "told once");
        let secrets = self.secrets.borrow()[before..].to_vec();
        assert!(secrets.iter().any(|secret| came[0].was_signed_by(secret)), "{secrets:?}");
        assert_eq!(self.acme.delete(&key).await.status, 204);
    }

    /// The webhook has another secret from now on.
    async fn is_renewed(&self, number: usize) {
        let path = format!("/v1/webhooks/{}/secret", self.hook);
        let acme = self.acme.at(self.rigs[number % 2]);
        let renewed = acme.post(&path, &json!({})).await;
        assert_eq!(renewed.status, 200, "{:?}", renewed.body);
        let secret = renewed.body["secret"].as_str().unwrap().to_owned();
        self.secrets.borrow_mut().push(secret);
    }
}

/// Again and again until it is over, and says how often by now.
async fn goes_on(over: &Cell<bool>, done: &watch::Sender<usize>, act: impl AsyncFn(usize)) {
    while !over.get() {
        let number = *done.borrow();
        act(number).await;
        done.send_replace(number + 1);
    }
}

/// Whatever was begun before has ended.
async fn all_have_ended(counts: &[watch::Sender<usize>; 3]) {
    for count in counts {
        let begun = *count.borrow();
        count.subscribe().wait_for(|done| *done > begun + 1).await.unwrap();
    }
}

/// One key takes the place of another one, as `docs/operations.md` has it.
async fn rotate(
    rigs: [&Rig; 2],
    replicas: &mut [Replica; 2],
    (old, new): (u8, u8),
    after: impl AsyncFn(usize),
) {
    after(0).await;
    let mut step = 0;
    for listed in [&[old, new][..], &[new, old], &[new], &[new]] {
        for (rig, replica) in rigs.iter().zip(&mut *replicas) {
            replica.agree(&rig.app, &key_ring(listed)).await.unwrap();
        }
        let sealed = join(resealed::all(&rigs[0].app), resealed::all(&rigs[1].app)).await;
        assert_eq!((sealed.0.unwrap().refused, sealed.1.unwrap().refused), (0, 0));
        step += 1;
        after(step).await;
    }
    for rig in rigs {
        let held: Vec<_> = rig.app.root_keys().ids().collect();
        assert_eq!(held, key_ring(&[new]).ids().collect::<Vec<_>>(), "the former one is forgotten");
    }
}

#[sqlx::test(migrations = false)]
async fn twenty_root_keys_under_load_and_no_request_fails(db: PgPool) {
    let one = Rig::new(db.clone()).await;
    let two = one.beside(key_ring(&[7]));
    let rigs = [&one, &two];
    let world = World::new(rigs).await;
    let mut replicas =
        [Replica::join(&one.app).await.unwrap(), Replica::join(&two.app).await.unwrap()];
    let counts = [(); 3].map(|()| watch::channel(0).0);
    let over = Cell::new(false);
    let all = async {
        for turn in 0..ROTATIONS {
            // Each code is good once.
            one.clock.advance(SignedDuration::from_secs(30));
            let (step, steps) = watch::channel(0);
            let turned = rotate(rigs, &mut replicas, (7 + turn, 8 + turn), async |at| {
                step.send_replace(at);
                all_have_ended(&counts).await;
            });
            let by_code = async {
                for (at, person) in world.people.iter().enumerate() {
                    let at = at.min(4);
                    steps.clone().wait_for(|step| *step >= at).await.unwrap();
                    world.signs_in(person, usize::from(turn) + at).await;
                }
            };
            join(turned, by_code).await;
        }
        over.set(true);
    };
    let [told, renewed, entered] = &counts;
    join4(
        all,
        goes_on(&over, told, |number| world.is_told(number)),
        goes_on(&over, renewed, |number| world.is_renewed(number)),
        goes_on(&over, entered, |number| world.signs_in_by_passkey(number)),
    )
    .await;
    let last = key_ring(&[7 + ROTATIONS]);
    let used = told::used(&mut db.acquire().await.unwrap()).await.unwrap();
    assert_eq!(used.keys().copied().collect::<Vec<_>>(), last.ids().collect::<Vec<_>>());
    // Who begins with the last one alone opens everything.
    let fresh = one.beside(last);
    one.clock.advance(SignedDuration::from_secs(30));
    let world = World { rigs: [&fresh, &fresh], ..world };
    for (number, person) in world.people.iter().enumerate() {
        world.signs_in(person, number).await;
    }
    world.is_told(0).await;
    let of = counts.map(|count| *count.borrow());
    println!(
        "{ROTATIONS} rotations: {} signed in by code, {} by passkey, {} told, {} secrets renewed",
        (usize::from(ROTATIONS) + 1) * PEOPLE,
        of[2],
        of[0],
        of[1]
    );
}
