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
