//! Whatever Stripe does with requests, answers and events, and wherever a process of ours stops: nothing is lost,
//! nothing is done twice, nothing stays unknown, and what moved there is what the ledger says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use billing::ledger::{Account, Book, Party, seal};
use billing::rail::intent::{self, Intent};
use billing::rail::webhook::Secrets;
use billing::rail::{CustomerId, IntentId, Merchant, Object, PaymentId, Wish};
use billing::sale::Sold;
use blueprint::money::{Currency, Money};
use futures::future::join3;
use serde_json::Value;
use sqlx::PgPool;
use stripe_sim::{RequestFaults, WebhookFaults};
use uuid::Uuid;

use crate::rig::{BEGINNING, Rig, from_environment};
use crate::shop::{Shop, booking, intent as decided, refund, sale, take_back};

/// Almost a third of all requests goes wrong.
const REQUESTS: RequestFaults = RequestFaults {
    error_before: 48,
    error_after: 28,
    rate_limited: 15,
    lock_timeout: 15,
    cut_before: 15,
    cut_after: 15,
};
/// And more than half of all events.
const WEBHOOKS: WebhookFaults =
    WebhookFaults { delayed: 6, doubled: 4, reordered: 3, dropped: 8, old_secret: 12 };
/// Why Stripe may refuse what we owe: it is not there any more, or somebody's bank has it.
const REASONS: [&str; 2] = ["charge_disputed", "balance_insufficient"];

const CURRENCIES: [&str; 3] = ["USD", "EUR", "JPY"];

/// Numbers from a seed.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn once_in(&mut self, often: u64) -> bool {
        self.below(often) == 0
    }

    fn amount(&mut self, most: i64) -> i64 {
        1 + i64::try_from(self.below(u64::try_from(most).unwrap_or(1).max(1))).unwrap()
    }
}

/// A sale, and what is still to become of it.
struct Life {
    sale: IntentId,
    /// What is left of it, where several have a part; of a tenant's own it is the tenant's.
    sold: Option<Sold>,
    is_disputed: bool,
    steps: u64,
}

struct World {
    rig: Rig,
    shop: Shop,
    chance: Chance,
    /// With us, and on the tenant's own account.
    customers: [Vec<CustomerId>; 2],
    lives: Vec<Life>,
    decisions: u64,
    stops: u64,
}

impl World {
    async fn new(db: &PgPool, seed: u64) -> Self {
        let rig = Rig::start(db, seed).await;
        let shop = Shop::open(&rig).await;
        let customers = [
            shop.customers(&rig, &["ada", "bo", "cy", "di", "ed", "flo"], None).await,
            shop.customers(&rig, &["gus", "hal", "ida", "jo", "kit", "lu"], Some(&shop.tenant))
                .await,
        ];
        let chance = Chance(seed);
        Self { rig, shop, chance, customers, lives: Vec::new(), decisions: 0, stops: 0 }
    }

    fn customer(&mut self, of: usize) -> CustomerId {
        let all = &self.customers[of];
        all[usize::try_from(self.chance.below(6)).unwrap()].clone()
    }

    /// Whoever decides may stop before it is committed, and decides again.
    async fn decide(&mut self, intent: Intent) {
        self.decisions += 1;
        if self.chance.once_in(10) {
            let mut tx = self.rig.db.begin().await.unwrap();
            let now = self.rig.clock.now();
            intent::write(&mut tx, std::slice::from_ref(&intent), now).await.unwrap();
            self.stops += 1;
        }
        self.rig.decide(&[intent]).await;
    }

    async fn begins(&mut self) {
        let name = format!("life {}", self.lives.len());
        let price = self.chance.amount(50_000) + 99;
        let card = match self.chance.below(12) {
            0 => "pm_card_createDispute",
            1 => "pm_card_chargeCustomerFail",
            2 => "pm_card_authenticationRequired",
            _ => "pm_card_visa",
        };
        let is_disputed = card == "pm_card_createDispute";
        // Most keep what they paid for, or nothing would ever leave for our bank.
        let steps = if self.chance.once_in(2) { self.chance.below(4) } else { 0 };
        let (sale, sold) = if self.chance.once_in(4) {
            let (who, price) = (self.customer(1), Money::new(price, Currency::USD));
            let fee = Money::new(price.amount() * 15 / 100, Currency::USD);
            (self.shop.direct(&name, (&who, card), price, fee), None)
        } else {
            let code = CURRENCIES[usize::try_from(self.chance.below(3)).unwrap()];
            let (who, price) = (self.customer(0), Money::new(price, code.parse().unwrap()));
            let (sale, sold) = self.shop.sale(&self.rig, &name, (&who, card), price);
            (sale, Some(sold))
        };
        self.lives.push(Life { sale: sale.id, sold, is_disputed, steps });
        self.decide(sale).await;
    }

    /// The next thing that becomes of a sale that was paid.
    async fn goes_on(&mut self, place: usize) {
        let Life { sale, steps, .. } = self.lives[place];
        if steps == 0 {
            return;
        }
        let Some(paid) = self.rig.made(sale).await.filter(|paid| paid.cash.is_some()) else {
            return;
        };
        let name = format!("{place} {steps}");
        let next = match self.chance.below(6) {
            0 | 1 => self.takes_back(&name, place).await,
            _ => self.gives_back(&name, place, &paid),
        };
        if let Some(next) = next {
            self.lives[place].steps -= 1;
            self.decide(next).await;
        }
    }

    fn gives_back(&mut self, name: &str, place: usize, paid: &Object) -> Option<Intent> {
        let Some(sold) = &mut self.lives[place].sold else {
            let payment = PaymentId::new(paid.payment.clone()?).unwrap();
            let amount = Money::new(self.chance.amount(40), Currency::USD);
            let direct = Some((self.shop.tenant.clone(), Money::new(0, Currency::USD)));
            let wish = Wish::Refund { payment, amount, direct };
            return Some(decided(IntentId::of(&["direct refund", name]), wish, None));
        };
        let left = sold.left();
        if left.amount() == 0 {
            return None;
        }
        let is_all = self.chance.once_in(8);
        let back = if is_all { left.amount() } else { self.chance.amount(left.amount() / 4) };
        Some(refund(&self.rig, name, paid, sold, Money::new(back, left.currency())))
    }

    /// A tenth of what somebody was passed on.
    async fn takes_back(&mut self, name: &str, place: usize) -> Option<Intent> {
        let Life { sale, sold, .. } = &self.lives[place];
        let currency = sold.as_ref()?.left().currency();
        let whose = usize::try_from(self.chance.below(2)).unwrap();
        let passed = self.rig.made(billing::rail::settle::transfer_of(*sale, whose)).await?;
        let tenth = -passed.cash?.gross.amount() / 10;
        if tenth == 0 {
            return None;
        }
        take_back(&self.rig, name, (*sale, whose), Money::new(tenth, currency)).await
    }

    /// What we sell ourselves: so much that something is left to leave for our bank, whatever was given back.
    fn of_our_own(&self, code: &str, lives: u64) -> Intent {
        let price = 1_000_000 + 20_000 * i64::try_from(lives).unwrap();
        let price = Money::new(price, code.parse().unwrap());
        let nothing = Money::new(0, price.currency());
        let plan = sale(&self.customers[0][0], "pm_card_visa", (price, nothing), Merchant::Factory);
        let revenue = Account::new(Party::Factory, Book::Revenue);
        let booked = booking("plan", price, revenue);
        decided(IntentId::of(&["plan", code]), Wish::Sale { sale: plan }, Some(booked))
    }

    /// What is disputed is answered, or not.
    async fn answers_disputes(&mut self) {
        for dispute in self.rig.all("/v1/disputes", None).await {
            if dispute["status"] != "needs_response" || !self.chance.once_in(3) {
                continue;
            }
            let evidence =
                if self.chance.once_in(2) { "winning_evidence" } else { "losing_evidence" };
            let path = format!("/v1/disputes/{}", dispute["id"].as_str().unwrap());
            let given = [("evidence[uncategorized_text]", evidence), ("submit", "true")];
            self.rig.ask("POST", &path, &given, None).await;
        }
    }

    /// Two processes send and one looks; now and then all of them stop wherever they are.
    async fn works(&mut self) {
        self.rig.sim.deliver().await;
        let (runner, looker) = (&self.rig.runner, &self.rig.looker);
        let work = Box::pin(join3(runner.turn(), runner.turn(), looker.turn()));
        if self.chance.once_in(5) {
            let moment = Duration::from_micros(500 + self.chance.below(30_000));
            if tokio::time::timeout(moment, work).await.is_err() {
                self.stops += 1;
            }
            return;
        }
        let (one, two, seen) = work.await;
        one.unwrap();
        two.unwrap();
        seen.unwrap();
    }

    fn waits(&mut self) {
        let seconds = match self.chance.below(24) {
            0 => 30 * 3_600,
            1..5 => 3_600,
            _ => 5 + self.chance.amount(120),
        };
        self.rig.wait(seconds);
    }

    /// The secret of one of our addresses is changed: for a day both sign, and both are believed.
    fn rolls(&self, before: &mut BTreeMap<usize, String>) {
        let place = before.len() % 2;
        let new = self.rig.sim.roll_secret(&self.rig.endpoints[place], 86_400);
        let old = before.insert(place, new.clone());
        let which = ["own", "others"][place].to_owned();
        let mut believed = self.rig.believed.lock().unwrap();
        let first = self.rig.secrets[place].clone();
        believed.insert(which, Arc::new(Secrets::new(&new, Some(&old.unwrap_or(first)))));
    }
}

/// What Stripe made of each of our intents, where it moved or may have moved money.
async fn made(rig: &Rig, shop: &Shop) -> BTreeMap<String, u64> {
    let mut made: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = |object: &Value| {
        if let Some(intent) = object["metadata"]["intent"].as_str() {
            *made.entry(intent.to_owned()).or_default() += 1;
        }
    };
    for on in [None, Some(shop.tenant.as_str())] {
        let payments = rig.all("/v1/payment_intents", on).await;
        payments.iter().filter(|payment| payment["status"] == "succeeded").for_each(&mut count);
        rig.all("/v1/refunds", on).await.iter().for_each(&mut count);
    }
    for transfer in rig.all("/v1/transfers", None).await {
        count(&transfer);
        transfer["reversals"]["data"].as_array().unwrap().iter().for_each(&mut count);
    }
    made
}

/// Each thing that was decided was done once, or not at all and for a reason; how many were done and refused.
async fn once_each(rig: &Rig, shop: &Shop) -> (usize, usize) {
    type Row = (Uuid, Option<Uuid>, String, String, bool, String);
    // Its state, what was wished, whether it is settled, and why not.
    type CameTo = (String, String, bool, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select id, instead_of, state, wish ->> 'wish', settled_at is not null, coalesce(cause, '')
         from billing.intent where wish ->> 'wish' in ('sale', 'refund', 'transfer', 'take-back')
         order by turn",
    )
    .fetch_all(&rig.db)
    .await
    .unwrap();
    let made = made(rig, shop).await;
    let mut roots: BTreeMap<Uuid, Uuid> = BTreeMap::new();
    // How often each was made there, and what the newest of its kind came to.
    let mut decisions: BTreeMap<Uuid, (u64, CameTo)> = BTreeMap::new();
    for (id, instead_of, state, wish, is_settled, cause) in rows {
        let root = instead_of.map_or(id, |before| roots[&before]);
        roots.insert(id, root);
        let there = made.get(&id.to_string()).copied().unwrap_or_default();
        let decision = decisions.entry(root).or_default();
        decision.0 += there;
        decision.1 = (state, wish, is_settled, cause);
    }
    let unknown = made.keys().filter(|id| !roots.contains_key(&id.parse().unwrap()));
    assert_eq!(unknown.count(), 0, "something was made that nobody decided");
    let (mut done, mut refused) = (0, 0);
    for (id, (there, (state, wish, is_settled, cause))) in &decisions {
        match (state.as_str(), is_settled) {
            ("done", true) => {
                assert_eq!(*there, 1, "{wish} {id} was done {there} times");
                done += 1;
            }
            ("refused", false) => {
                assert_eq!(*there, 0, "{wish} {id} was refused and done: {cause}");
                let is_owed = wish != "sale";
                let has_reason = REASONS.iter().any(|reason| cause.contains(reason));
                assert!(!is_owed || has_reason, "{wish} {id} is lost: {cause}");
                refused += 1;
            }
            _ => panic!("{wish} {id} is {state}: {cause}"),
        }
    }
    (done, refused)
}

#[sqlx::test(migrations = false)]
async fn whatever_stripe_does_what_moved_is_what_the_ledger_says(db: PgPool) {
    let begun = Instant::now();
    let seed = from_environment("SOULFRA_SEED", 20_261_123);
    let lives = from_environment("SOULFRA_LIVES", 60);
    println!("seed {seed}");
    let mut world = World::new(&db, seed).await;
    world.rig.storms(REQUESTS, WEBHOOKS);
    let at_once = (lives / 200).max(1);
    let (mut rounds, mut secrets) = (0, BTreeMap::new());
    // It storms on for a while when all have begun.
    while rounds < lives.div_ceil(at_once) + 40 {
        rounds += 1;
        for _ in 0..at_once {
            if (world.lives.len() as u64) < lives {
                world.begins().await;
            }
        }
        for _ in 0..2 * at_once {
            let place = world.chance.below(world.lives.len() as u64);
            Box::pin(world.goes_on(usize::try_from(place).unwrap())).await;
        }
        if rounds % 20 == 0 {
            world.answers_disputes().await;
            world.rolls(&mut secrets);
        }
        world.works().await;
        world.waits();
    }
    let rig = &world.rig;
    let in_storm = rig.sim.went_wrong();
    rig.is_calm();
    for code in CURRENCIES {
        rig.decide(&[world.of_our_own(code, lives)]).await;
    }
    rig.drain().await;
    // Nobody answers what is left of the disputes, and all that is available leaves.
    rig.wait(15 * 86_400);
    rig.drain().await;
    rig.is_at_rest().await;
    let (done, refused) = once_each(rig, &world.shop).await;
    let things = rig.agrees().await;
    let reports = rig.reconcile().await;
    assert!(reports.len() >= CURRENCIES.len());
    for report in &reports {
        assert!(report.is_clean(), "seed {seed}: {report:#?}");
    }
    let mut tx = db.begin().await.unwrap();
    while seal::seal(&mut tx, rig.clock.now()).await.unwrap() > 0 {}
    assert_eq!(seal::verify(&mut tx).await.unwrap(), []);
    let (requests, events) = in_storm;
    let days = (rig.clock.now().as_second() - BEGINNING) / 86_400;
    let disputed = world.lives.iter().filter(|life| life.is_disputed).count();
    assert!(requests + events >= 5 * lives, "{requests} and {events} faults");
    println!(
        "counted: {lives} lifecycles ({disputed} to be disputed), {} decisions, {requests} requests and {events} \
         events went wrong, processes stopped {} times, {days} days, seed {seed}: {done} done once, {refused} \
         refused, 0 lost, 0 doubled, 0 unknown, {things} things and {} payouts agree to the cent; {} s",
        world.decisions,
        world.stops,
        reports.len(),
        begun.elapsed().as_secs(),
    );
}
