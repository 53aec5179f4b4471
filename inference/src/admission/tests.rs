mod coming_back;

use web::token::Caller;

use super::*;

fn in_class(class: ClassId, tenant: &str, user: &str) -> Requester {
    let caller = Caller::new(tenant, user, "a");
    Requester { caller, class, paying: false }
}

fn caller(tenant: &str, user: &str) -> Requester {
    in_class(Classes::default().lowest(), tenant, user)
}

const COST: Cost = Cost { prompt_tokens: 10, max_tokens: 10 };

fn places() -> Places {
    Places {
        running_per_person: 9,
        running_per_tenant_percent: 75,
        waiting: 100,
        waiting_per_tenant: 50,
        waiting_per_person: 50,
    }
}

/// A queue in which nobody who was away has anything saved.
fn plain(places: Places, at_once: usize) -> Admission {
    let policy = Policy { places, credit: 0, ..Policy::default() };
    Admission::with(policy, at_once, Clock::default())
}

/// Lets everybody run to the end, one after the other, and says in which order. Each reads their
/// prompt and makes nothing.
fn order<T>(mut waiting: Vec<(T, Place)>) -> Vec<T> {
    let mut order = Vec::new();
    while let Some(at) = waiting.iter().position(|(_, place)| place.position() == 0) {
        let (name, place) = waiting.swap_remove(at);
        place.charge().read(COST.prompt_tokens);
        order.push(name);
    }
    assert!(waiting.is_empty(), "somebody never had a turn");
    order
}

#[tokio::test]
async fn a_flood_of_one_tenant_makes_only_that_tenant_wait() {
    let queue = plain(places(), 1);
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(("flood", queue.enter(&caller("flood", "u"), COST).unwrap()));
    }
    for tenant in ["b", "c"] {
        for _ in 0..2 {
            waiting.push((tenant, queue.enter(&caller(tenant, "u"), COST).unwrap()));
        }
    }
    let expected = ["flood", "b", "c", "flood", "b", "c", "flood", "flood", "flood"];
    assert_eq!(order(waiting), expected);
}

#[tokio::test]
async fn inside_a_tenant_turns_go_round_its_people() {
    let queue = plain(places(), 1);
    let mut waiting = vec![("running", queue.enter(&caller("t", "x"), COST).unwrap())];
    for (name, tenant, user) in [
        ("ann 1", "t", "ann"),
        ("ann 2", "t", "ann"),
        ("ann 3", "t", "ann"),
        ("bob 1", "t", "bob"),
        ("other", "o", "eve"),
    ] {
        waiting.push((name, queue.enter(&caller(tenant, user), COST).unwrap()));
    }
    assert_eq!(order(waiting), ["running", "other", "ann 1", "bob 1", "ann 2", "ann 3"]);
}

#[tokio::test]
async fn a_position_counts_down_to_the_turn() {
    let queue = Admission::new(places(), 1);
    let first = queue.enter(&caller("a", "u"), COST).unwrap();
    let second = queue.enter(&caller("b", "u"), COST).unwrap();
    let mut third = queue.enter(&caller("c", "u"), COST).unwrap();
    assert_eq!((first.position(), second.position(), third.position()), (0, 1, 2));
    assert_eq!(queue.load(), Load { running: 1, waiting: 2 });
    drop(first);
    assert_eq!(third.moved().await, 1);
    drop(second);
    third.turn().await;
    assert_eq!(queue.load(), Load { running: 1, waiting: 0 });
}

#[tokio::test]
async fn who_leaves_while_waiting_moves_the_others_up() {
    let queue = Admission::new(places(), 1);
    let running = queue.enter(&caller("a", "u"), COST).unwrap();
    let leaves = queue.enter(&caller("b", "u"), COST).unwrap();
    let stays = queue.enter(&caller("c", "u"), COST).unwrap();
    drop(leaves);
    assert_eq!(stays.position(), 1);
    drop(running);
    assert_eq!(stays.position(), 0);
    drop(stays);
    assert_eq!(queue.load(), Load { running: 0, waiting: 0 });
}

#[tokio::test]
async fn each_bound_refuses_only_those_it_is_for() {
    let tight = Places { waiting: 5, waiting_per_tenant: 3, waiting_per_person: 2, ..places() };
    let queue = Admission::new(tight, 1);
    let mut inside = vec![queue.enter(&caller("a", "ann"), COST).unwrap()];
    for _ in 0..2 {
        inside.push(queue.enter(&caller("a", "ann"), COST).unwrap());
    }
    queue.enter(&caller("a", "ann"), COST).unwrap_err();
    inside.push(queue.enter(&caller("a", "bob"), COST).unwrap());
    queue.enter(&caller("a", "cyd"), COST).unwrap_err();
    for _ in 0..2 {
        inside.push(queue.enter(&caller("b", "eve"), COST).unwrap());
    }
    queue.enter(&caller("c", "fox"), COST).unwrap_err();
    assert_eq!(queue.load(), Load { running: 1, waiting: 5 });
}

#[tokio::test(start_paused = true)]
async fn retry_after_follows_how_long_jobs_take() {
    let queue = Admission::new(Places { waiting_per_person: 1, ..places() }, 1);
    let running = queue.enter(&caller("a", "u"), COST).unwrap();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    drop(running);

    let _running = queue.enter(&caller("a", "u"), COST).unwrap();
    let _waiting = queue.enter(&caller("a", "u"), COST).unwrap();
    let full = queue.enter(&caller("a", "u"), COST).unwrap_err();
    assert_eq!(full.retry_after, Duration::from_secs(4));

    // The one that runs takes longer than those before it.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let full = queue.enter(&caller("a", "u"), COST).unwrap_err();
    assert_eq!(full.retry_after, Duration::from_secs(30));
}

#[tokio::test]
async fn a_queue_that_lets_nobody_wait_still_runs_one() {
    let queue = Admission::new(Places { waiting: 0, ..places() }, 1);
    let running = queue.enter(&caller("a", "u"), COST).unwrap();
    assert_eq!(running.position(), 0);
    queue.enter(&caller("b", "u"), COST).unwrap_err();
    drop(running);
    queue.enter(&caller("b", "u"), COST).unwrap();
}

#[tokio::test]
async fn one_person_leaves_places_in_the_engine_to_the_others() {
    let queue = Admission::new(Places { running_per_person: 2, ..places() }, 4);
    let mut ann: Vec<_> = (0..3).map(|_| queue.enter(&caller("t", "ann"), COST).unwrap()).collect();
    assert_eq!(ann.iter().map(Place::position).collect::<Vec<_>>(), [0, 0, 1]);
    let bob = queue.enter(&caller("t", "bob"), COST).unwrap();
    let eve = queue.enter(&caller("other", "ann"), COST).unwrap();
    assert_eq!((bob.position(), eve.position()), (0, 0));
    drop(ann.remove(0));
    assert_eq!(ann[1].position(), 0);
}

#[tokio::test]
async fn more_start_when_the_engine_takes_more_at_once() {
    let queue = Admission::new(places(), 1);
    let waiting = ["a", "b", "c"].map(|tenant| queue.enter(&caller(tenant, "u"), COST).unwrap());
    assert_eq!(queue.load(), Load { running: 1, waiting: 2 });
    queue.set_at_once(3);
    assert_eq!(waiting.map(|place| place.position()), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_alone_has_all_places_and_leaves_one_when_another_is_about() {
    let queue = Admission::new(places(), 3);
    let crowd = |tenant: &str| {
        let people = ["1", "2", "3", "4"];
        people.map(|person| queue.enter(&caller(tenant, person), COST).unwrap())
    };
    let running = |places: &[Place; 4]| places.iter().filter(|p| p.position() == 0).count();
    let alone = crowd("a");
    assert_eq!(running(&alone), 3);
    drop(alone);
    drop(queue.enter(&caller("b", "1"), COST).unwrap());
    let crowded = crowd("a");
    assert_eq!(running(&crowded), 2);
    let other = queue.enter(&caller("b", "1"), COST).unwrap();
    assert_eq!(other.position(), 0);
    drop((crowded, other));
    tokio::time::sleep(Duration::from_mins(11)).await;
    assert_eq!(running(&crowd("a")), 3);
}

/// Costs ten in all: nothing is expected to be made.
const READ_ONLY: Cost = Cost { prompt_tokens: 10, max_tokens: 0 };

#[tokio::test]
async fn paying_people_go_first_and_the_others_are_not_kept_for_ever() {
    let queue = plain(places(), 1);
    let mut waiting = vec![("running", queue.enter(&caller("t", "x"), READ_ONLY).unwrap())];
    for _ in 0..10 {
        let paying = Requester { paying: true, ..caller("t", "ann") };
        waiting.push(("paying", queue.enter(&paying, READ_ONLY).unwrap()));
        waiting.push(("free", queue.enter(&caller("t", "bob"), READ_ONLY).unwrap()));
    }
    let order = order(waiting);
    let paying = order[1..=10].iter().filter(|name| **name == "paying").count();
    assert_eq!(paying, 8, "{order:?}");
}

#[tokio::test]
async fn turns_follow_the_classes_weights() {
    let queue = plain(places(), 1);
    let classes = queue.classes();
    let mut waiting = vec![("running", queue.enter(&caller("x", "x"), READ_ONLY).unwrap())];
    for _ in 0..30 {
        for class in ["enterprise", "business", "starter"] {
            let who = in_class(classes.find(class).unwrap(), class, "u");
            waiting.push((class, queue.enter(&who, READ_ONLY).unwrap()));
        }
    }
    let order = order(waiting);
    let count = |class: &str| order[1..=26].iter().filter(|name| **name == class).count();
    assert_eq!(["enterprise", "business", "starter"].map(count), [16, 8, 2], "{order:?}");
}

#[tokio::test]
async fn who_was_away_has_no_more_saved_than_the_credit() {
    let policy = Policy { places: places(), credit: 50, ..Policy::default() };
    let queue = Admission::with(policy, 1, Clock::default());
    let mut waiting = Vec::new();
    let enter =
        |tenant: &'static str| (tenant, queue.enter(&caller(tenant, "u"), READ_ONLY).unwrap());
    // One is served for long while the other is away.
    let mut running = enter("busy");
    for _ in 0..100 {
        let next = enter("busy");
        running.1.charge().read(10);
        running = next;
    }
    waiting.push(running);
    for _ in 0..12 {
        waiting.push(enter("busy"));
        waiting.push(enter("away"));
    }
    let order = order(waiting);
    let first = order[1..].iter().take_while(|name| **name == "away").count();
    assert!((4..=6).contains(&first), "{order:?}");
    let rest = &order[1 + first..][..10];
    assert_eq!(rest.iter().filter(|name| **name == "away").count(), 5, "{order:?}");
}

#[tokio::test]
async fn what_was_counted_gives_way_to_what_was_used() {
    let queue = plain(places(), 4);
    let [one, two] = ["u", "v"].map(|user| queue.enter(&caller("t", user), COST).unwrap());
    let other = queue.enter(&caller("o", "u"), COST).unwrap();
    let (one, two) = ((one.charge(), one), two.charge());
    assert_eq!(two.rank(), other.charge().rank(), "nobody has got anything");

    one.0.read(10);
    assert!(two.rank() > other.charge().rank(), "their tenant has got something");
    assert!(one.0.rank() > two.rank(), "and of it this person");
    let before = two.rank();
    one.0.reused(5);
    assert_eq!(two.rank(), before, "what need not be read is nothing got");
    one.0.made(1);
    assert!(two.rank() > before);

    let before = two.rank();
    drop(one.1);
    one.0.made(100);
    assert_eq!(two.rank(), before, "nothing counts after the end");
}

#[tokio::test]
async fn who_leaves_without_having_been_served_costs_their_tenant_nothing() {
    let queue = plain(places(), 1);
    let running = queue.enter(&caller("x", "u"), COST).unwrap();
    for _ in 0..5 {
        drop(queue.enter(&caller("leaves", "u"), COST).unwrap());
    }
    let first = queue.enter(&caller("leaves", "u"), COST).unwrap();
    let second = queue.enter(&caller("stays", "u"), COST).unwrap();
    let cancelled = queue.enter(&caller("leaves", "u"), COST).unwrap();
    drop(running);
    assert_eq!(first.position(), 0);
    first.charge().made(3);
    drop(first);
    assert_eq!((second.position(), cancelled.position()), (0, 1));
    // Started, and cancelled before anything was read.
    drop(second);
    let third = queue.enter(&caller("stays", "u"), COST).unwrap();
    assert_eq!(cancelled.position(), 0);
    drop(cancelled);
    assert_eq!(third.position(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_expected_wait_follows_the_pace_of_those_before() {
    let queue = plain(places(), 1);
    let first = queue.enter(&caller("a", "u"), COST).unwrap();
    let second = queue.enter(&caller("b", "u"), COST).unwrap();
    let third = queue.enter(&caller("c", "u"), COST).unwrap();
    assert_eq!(first.expected_wait(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(4)).await;
    drop(first);
    let fourth = queue.enter(&caller("d", "u"), COST).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(second.expected_wait(), Duration::ZERO);
    assert_eq!(third.expected_wait(), Duration::from_secs(3));
    assert_eq!(fourth.expected_wait(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn while_many_wait_positions_are_told_now_and_then() {
    let queue = plain(places(), 1);
    let running = queue.enter(&caller("a", "u"), COST).unwrap();
    let person = |at: usize| caller(&format!("t{at}"), "u");
    let mut crowd: Vec<Place> = (0..90).map(|at| queue.enter(&person(at), COST).unwrap()).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(running);
    let mut last = crowd.pop().unwrap();
    assert_eq!(last.moved().await, 89);
    drop(crowd.remove(0));
    assert_eq!(last.position(), 89, "told just now");
    tokio::time::sleep(Duration::from_millis(250)).await;
    drop(crowd.remove(0));
    assert_eq!(last.position(), 87);
}

/// Numbers that look random, the same for the same seed.
fn numbers(seed: u64) -> impl FnMut(usize, usize) -> usize {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |least, most| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        least + usize::try_from(state >> 33).unwrap() % (most - least + 1)
    }
}

#[tokio::test]
async fn positions_foretell_the_order_if_nobody_else_comes() {
    for seed in 1..=200 {
        let mut number = numbers(seed);
        let queue = plain(places(), 1);
        let running = queue.enter(&caller("x", "x"), READ_ONLY).unwrap();
        let mut waiting = Vec::new();
        for _ in 0..number(1, 30) {
            let (tenant, user) = (number(1, 4).to_string(), number(1, 3).to_string());
            let who = Requester { paying: user == "1", ..caller(&tenant, &user) };
            waiting.push(((), queue.enter(&who, READ_ONLY).unwrap()));
        }
        drop(running);
        let mut waiting: Vec<_> =
            waiting.into_iter().map(|((), place)| (place.position(), place)).collect();
        waiting.sort_by_key(|(foretold, _)| *foretold);
        let foretold: Vec<usize> = waiting.iter().map(|(foretold, _)| *foretold).collect();
        assert_eq!(order(waiting), foretold, "seed {seed}");
    }
}

#[test]
fn who_works_in_steps_lets_others_go_between_and_keeps_a_place() {
    let queue = plain(Places { waiting_per_person: 1, ..places() }, 1);
    let mut long = queue.enter(&caller("long", "u"), COST).unwrap();
    let short = queue.enter(&caller("short", "u"), COST).unwrap();
    let other = queue.enter(&caller("long", "u"), COST).unwrap();
    long.charge().read(10);
    long.again(COST);
    assert_eq!((short.position(), other.position(), long.position()), (0, 1, 2));
    assert_eq!(queue.load(), Load { running: 1, waiting: 2 });
    short.charge().read(10);
    drop(short);
    drop(other);
    assert_eq!(long.position(), 0);
    long.charge().read(10);
    long.again(COST);
    assert_eq!(long.position(), 0, "nobody else is there");
    drop(long);
    assert_eq!(queue.load(), Load { running: 0, waiting: 0 });
}
