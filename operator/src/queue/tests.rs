use super::*;

const STILL: Ended = Ended::Still { wrote: false, again: None };
const FAILED: Ended = Ended::Failed { after: None };

async fn takes(queue: &Queue, name: &str) -> Duration {
    let begun = Instant::now();
    assert_eq!(&*queue.next().await, name);
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn each_has_one_turn_however_often_it_changed() {
    let queue = Queue::default();
    for name in ["a", "b", "a", "a"] {
        queue.push(name);
    }
    for name in ["a", "b"] {
        takes(&queue, name).await;
    }
    assert_eq!(queue.waiting(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_changes_during_its_turn_has_another_one() {
    let queue = Queue::default();
    queue.push("a");
    takes(&queue, "a").await;
    queue.push("a");
    assert_eq!(queue.waiting(), (0, 0), "never two turns at once");
    queue.ended("a", STILL);
    assert_eq!(takes(&queue, "a").await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_fails_waits_longer_each_time_and_a_change_is_still_looked_at_soon() {
    let queue = Queue::default();
    queue.push("a");
    takes(&queue, "a").await;
    let mut last = Duration::ZERO;
    for _ in 0..12 {
        queue.ended("a", FAILED);
        let waited = takes(&queue, "a").await;
        assert!(waited > last.mul_f64(0.6), "{waited:?} after {last:?}");
        last = waited;
    }
    assert!(last > Duration::from_secs(200) && last < Duration::from_secs(400), "{last:?}");
    queue.ended("a", FAILED);
    queue.push("a");
    let waited = takes(&queue, "a").await;
    assert!(waited > Duration::from_secs(1) && waited <= Duration::from_secs(5), "{waited:?}");
    queue.ended("a", STILL);
    queue.push("a");
    assert_eq!(takes(&queue, "a").await, Duration::ZERO, "what went well is forgotten");
}

#[tokio::test(start_paused = true)]
async fn one_that_always_changes_and_fails_leaves_room_for_others() {
    let queue = Queue::default();
    queue.push("noisy");
    let mut turns = 0;
    let end = Instant::now() + Duration::from_mins(10);
    while Instant::now() < end {
        takes(&queue, "noisy").await;
        turns += 1;
        queue.push("noisy");
        queue.ended("noisy", FAILED);
    }
    assert!((100..=130).contains(&turns), "{turns}");
}

#[tokio::test(start_paused = true)]
async fn who_is_undone_again_and_again_is_repaired_twenty_times_a_minute_at_most() {
    let queue = Queue::default();
    queue.push("a");
    let mut turns = 0;
    let end = Instant::now() + Duration::from_mins(5);
    while Instant::now() < end {
        takes(&queue, "a").await;
        turns += 1;
        queue.push("a");
        queue.ended("a", Ended::Still { wrote: true, again: None });
    }
    assert!((70..=100).contains(&turns), "{turns}");
}

#[tokio::test(start_paused = true)]
async fn who_is_looked_at_for_good_measure_waits_for_those_in_need_but_not_forever() {
    let queue = Queue::default();
    for name in ["calm 1", "calm 2"] {
        queue.push_calm(name);
    }
    for name in ["1", "2", "3", "4", "5", "6"] {
        queue.push(name);
    }
    for name in ["1", "2", "3", "4", "calm 1", "5", "6", "calm 2"] {
        takes(&queue, name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_be_looked_at_later_is_and_earlier_where_it_changes() {
    let queue = Queue::default();
    queue.push("a");
    takes(&queue, "a").await;
    let later = Ended::Still { wrote: false, again: Some(Duration::from_mins(1)) };
    queue.ended("a", later);
    assert_eq!(takes(&queue, "a").await, Duration::from_mins(1));
    queue.ended("a", later);
    queue.push("a");
    assert_eq!(takes(&queue, "a").await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn several_workers_share_what_there_is() {
    let queue = std::sync::Arc::new(Queue::default());
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.next().await })
        })
        .collect();
    tokio::task::yield_now().await;
    for name in ["a", "b", "c", "d"] {
        queue.push(name);
    }
    let mut names = Vec::new();
    for worker in workers {
        names.push(worker.await.unwrap());
    }
    names.sort();
    assert_eq!(names, ["a", "b", "c", "d"].map(Into::into));
}
