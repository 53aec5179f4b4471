//! What is taken back from us, and what leaves for our bank.

use sqlx::PgPool;

use crate::rig::Rig;
use crate::shop::{Shop, usd};

#[sqlx::test(migrations = false)]
async fn a_dispute_takes_the_money_and_its_fee_and_gives_back_what_is_won(db: PgPool) {
    let rig = Rig::start(&db, 10).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    for name in ["lost", "won"] {
        let card = (&who, "pm_card_createDispute");
        let (sale, _) = shop.sale(&rig, name, card, usd("10.00"));
        rig.decide(std::slice::from_ref(&sale)).await;
    }
    rig.drain().await;
    // Two charges, their transfers, and the disputes.
    assert_eq!(rig.agrees().await, 8);
    let disputes = rig.all("/v1/disputes", None).await;
    for (dispute, evidence) in disputes.iter().zip(["losing_evidence", "winning_evidence"]) {
        let path = format!("/v1/disputes/{}", dispute["id"].as_str().unwrap());
        let given = [("evidence[uncategorized_text]", evidence), ("submit", "true")];
        rig.ask("POST", &path, &given, None).await;
    }
    rig.drain().await;
    assert_eq!(rig.agrees().await, 8);
    let booked: Vec<(String, i64)> = sqlx::query_as(
        "select what, sum(micros)::bigint / 10000 from billing.entry join billing.journal on number = journal
         where account = 'rail:stripe/cash' and event like 'du%' group by 1 order by 1",
    )
    .fetch_all(&db)
    .await
    .unwrap();
    let row = |what: &str, cents| (what.to_owned(), cents);
    assert_eq!(
        booked,
        [row("dispute", -2_400), row("dispute won", 1_200), row("rail fee", -3_000)]
    );
    // The money that is there again may leave with another payout than the one that it was taken from.
    for name in ["one", "two", "three", "four"] {
        let (sale, _) = shop.sale(&rig, name, (&who, "pm_card_visa"), usd("100.00"));
        rig.decide(std::slice::from_ref(&sale)).await;
    }
    rig.drain().await;
    rig.wait(3 * 86_400);
    rig.drain().await;
    let reports = rig.reconcile().await;
    assert_eq!(reports.iter().filter(|report| report.is_clean()).count(), 1, "{reports:#?}");
    rig.is_at_rest().await;
}

#[sqlx::test(migrations = false)]
async fn a_dispute_of_what_a_tenant_sold_alone_is_the_tenants(db: PgPool) {
    let rig = Rig::start(&db, 11).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", Some(&shop.tenant)).await;
    let card = (&who, "pm_card_createDispute");
    let sale = shop.direct("one", card, usd("10.00"), usd("1.50"));
    rig.decide(std::slice::from_ref(&sale)).await;
    rig.drain().await;
    assert_eq!(rig.agrees().await, 1, "our fee, and nothing else");
    rig.is_at_rest().await;
}

#[sqlx::test(migrations = false)]
async fn each_payout_agrees_to_nothing_left_also_one_that_the_bank_sends_back(db: PgPool) {
    let rig = Rig::start(&db, 12).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    for (day, name) in ["one", "two", "three"].iter().enumerate() {
        let (sale, _) = shop.sale(&rig, name, (&who, "pm_card_visa"), usd("10.00"));
        rig.decide(std::slice::from_ref(&sale)).await;
        rig.drain().await;
        rig.wait(86_400);
        if day == 2 {
            rig.wait(2 * 86_400);
            let payouts = rig.all("/v1/payouts", None).await;
            let open = payouts.iter().find(|payout| payout["status"] == "pending").unwrap();
            rig.sim.fail_payout(rig.sim.platform(), open["id"].as_str().unwrap());
        }
    }
    rig.drain().await;
    // They are on their way: what is in them agrees already.
    let reports = rig.reconcile().await;
    assert!(reports.iter().all(billing::rail::reconcile::Report::is_clean), "{reports:#?}");
    rig.agrees().await;
    rig.wait(10 * 86_400);
    rig.drain().await;
    let reports = rig.reconcile().await;
    // What the bank sent back left again with the next one.
    assert_eq!(reports.iter().filter(|report| report.is_clean()).count(), 4, "{reports:#?}");
    assert_eq!(reports.len(), 4);
    rig.agrees().await;
    let back: Vec<String> = sqlx::query_scalar(
        "select what from billing.journal where what like 'payout%' order by what",
    )
    .fetch_all(&db)
    .await
    .unwrap();
    assert_eq!(back, ["payout", "payout", "payout", "payout", "payout undone"]);
}
