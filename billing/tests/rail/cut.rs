//! A process that dies: at each point at which it waits for somebody.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use billing::rail::intent::State;
use billing::rail::webhook::{self};
use jiff::SignedDuration;
use sqlx::PgPool;

use crate::shop::{Shop, event, usd};
use crate::stormy::Fate;

/// Goes on until it has waited so often; then it is gone.
async fn cut_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[sqlx::test(migrations = false)]
async fn a_runner_that_dies_anywhere_neither_loses_nor_doubles(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (mut cuts, mut whole, mut sales) = (0, 0, 0);
    for polls in 0..400 {
        let (sale, _) = shop.sale(&format!("{polls}"), usd("10.00"));
        shop.decide(&sale).await;
        sales += 1;
        // Every other time the answer is lost as well.
        if polls % 2 == 0 {
            shop.rail.next(&[Fate::AnswerLost]);
        }
        match Box::pin(cut_after(polls, shop.runner.turn())).await {
            None => cuts += 1,
            Some(turn) => whole += u32::from(turn.unwrap().done > 0),
        }
        shop.rail.next(&[]);
        shop.drain().await;
        assert_eq!(shop.state(sale.id).await, State::Done, "cut after {polls}");
        if whole > 5 {
            break;
        }
    }
    assert!(cuts > 10 && whole > 5, "{cuts} cut, {whole} not");
    // Of 12.00 each, 2.00 of it tax, ours are 0.45; the tax is not passed on.
    assert_eq!(shop.agrees().await, sales * 245);
    println!("counted: a runner cut at {cuts} places, 0 lost, 0 doubled");
}

#[sqlx::test(migrations = false)]
async fn who_looks_and_dies_anywhere_books_once(db: PgPool) {
    let shop = Shop::open(&db).await;
    let (mut cuts, mut whole) = (0, 0);
    for polls in 0..400 {
        let (sale, _) = shop.sale(&format!("{polls}"), usd("10.00"));
        shop.decide(&sale).await;
        // The rail did it, we did not hear, and now it tells us.
        shop.rail.next(&[Fate::AnswerLost]);
        shop.turn().await;
        let made = format!("test_payment_{}", sale.id.uuid().simple());
        let told = [event(&format!("evt_{polls}"), "payment", &made)];
        let mut conn = shop.db.acquire().await.unwrap();
        webhook::store(&mut conn, shop.looker.rail.name(), &told, shop.clock.now()).await.unwrap();
        drop(conn);
        match Box::pin(cut_after(polls, shop.looker.turn())).await {
            None => cuts += 1,
            Some(looked) => whole += looked.unwrap().done,
        }
        shop.clock.advance(SignedDuration::from_mins(4));
        shop.looker.turn().await.unwrap();
        shop.drain().await;
        assert_eq!(shop.state(sale.id).await, State::Done, "cut after {polls}");
        shop.agrees().await;
        if whole > 5 {
            break;
        }
    }
    assert!(cuts > 10 && whole > 5, "{cuts} cut, {whole} not");
    println!("counted: who looks cut at {cuts} places, booked once each time");
}
