//! What is paid again and again, with us and on a tenant's own account.

use billing::rail::{Every, IntentId, InvoiceId, Merchant, Standing, SubscriptionId, Wish};
use sqlx::PgPool;
use stripe_sim::Fault;

use crate::rig::Rig;
use crate::shop::{Shop, intent, sale, usd};

/// A month of 31 days, and the hour for which a bill stays a draft.
const MONTH: i64 = 31 * 86_400 + 2 * 3_600;

#[sqlx::test(migrations = false)]
async fn a_plan_of_ours_is_paid_each_month_until_it_is_cancelled(db: PgPool) {
    let rig = Rig::start(&db, 6).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let card = shop.card(&rig, &who, None).await;
    let what = sale(&who, &card, (usd("99.00"), usd("0.00")), Merchant::Factory);
    let wish = Wish::Subscription { sale: what, every: Every::Month };
    let plan = intent(IntentId::of(&["plan"]), wish, None);
    rig.decide(std::slice::from_ref(&plan)).await;
    rig.drain().await;
    let made = rig.made(plan.id).await.unwrap();
    assert_eq!(made.standing, Standing::Settled, "the card that was given is asked at once");
    assert_eq!(rig.agrees().await, 1);
    rig.wait(MONTH);
    rig.drain().await;
    let payouts = rig.all("/v1/payouts", None).await.len();
    assert_eq!(rig.agrees().await, 2 + payouts);
    let subscription = SubscriptionId::new(made.at_rail.id).unwrap();
    let wish = Wish::Cancel { subscription, on: None };
    let cancel = intent(IntentId::of(&["cancel"]), wish, None);
    rig.decide(std::slice::from_ref(&cancel)).await;
    rig.drain().await;
    rig.wait(3 * MONTH);
    rig.drain().await;
    let (state, object) = rig.newest(plan.id).await.unwrap();
    assert_eq!(object.unwrap().standing, Standing::Ended, "{state:?}");
    let payouts = rig.all("/v1/payouts", None).await.len();
    assert_eq!(rig.agrees().await, 2 + payouts, "nothing was paid after it");
    rig.is_at_rest().await;
}

#[sqlx::test(migrations = false)]
async fn who_gave_no_card_pays_on_a_page(db: PgPool) {
    let rig = Rig::start(&db, 7).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let mut what = sale(&who, "pm_card_visa", (usd("99.00"), usd("0.00")), Merchant::Factory);
    what.by = None;
    let wish = Wish::Subscription { sale: what, every: Every::Year };
    let plan = intent(IntentId::of(&["plan"]), wish, None);
    rig.decide(std::slice::from_ref(&plan)).await;
    rig.drain().await;
    let made = rig.made(plan.id).await.unwrap();
    assert_eq!(made.standing, Standing::Open);
    assert!(made.link.unwrap().contains("/invoices/"));
    // Nobody does.
    rig.wait(86_400);
    rig.drain().await;
    let (_, object) = rig.newest(plan.id).await.unwrap();
    assert!(!rig.is_settled(plan.id).await, "{object:?}");
    assert_eq!(rig.agrees().await, 0);
}

#[sqlx::test(migrations = false)]
async fn our_fee_of_each_payment_to_a_tenant_is_an_amount(db: PgPool) {
    let rig = Rig::start(&db, 8).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", Some(&shop.tenant)).await;
    let merchant = Merchant::Direct { account: shop.tenant.clone(), fee: usd("1.50") };
    // Tax is in what is paid; our fee is of the price alone.
    let card = shop.card(&rig, &who, Some(&shop.tenant)).await;
    let what = sale(&who, &card, (usd("10.00"), usd("1.90")), merchant);
    let wish = Wish::Subscription { sale: what, every: Every::Month };
    let tier = intent(IntentId::of(&["tier"]), wish, None);
    rig.decide(std::slice::from_ref(&tier)).await;
    rig.drain().await;
    assert!(rig.is_settled(tier.id).await, "{}", rig.cause(tier.id).await);
    let fees = rig.all("/v1/application_fees", None).await;
    let amounts = |fees: &[serde_json::Value]| -> Vec<i64> {
        fees.iter().rev().map(|fee| fee["amount"].as_i64().unwrap()).collect()
    };
    assert_eq!(amounts(&fees), [150], "of the first payment too");
    // The next bill is a draft for an hour: its fee is decided then.
    rig.wait(30 * 86_400 + 600);
    rig.drain().await;
    let on = Some(shop.tenant.as_str());
    let drafts = rig.all("/v1/invoices", on).await;
    let draft = drafts.iter().find(|invoice| invoice["status"] == "draft").unwrap();
    let invoice = InvoiceId::new(draft["id"].as_str().unwrap()).unwrap();
    let wish = Wish::InvoiceFee { invoice, on: shop.tenant.clone(), fee: usd("2.50") };
    let fee = intent(IntentId::of(&["fee"]), wish, None);
    rig.decide(std::slice::from_ref(&fee)).await;
    rig.drain().await;
    rig.wait(2 * 3_600);
    rig.drain().await;
    assert_eq!(amounts(&rig.all("/v1/application_fees", None).await), [150, 250]);
    let payouts = rig.all("/v1/payouts", None).await.len();
    assert_eq!(rig.agrees().await, 2 + payouts);
    rig.is_at_rest().await;
}

#[sqlx::test(migrations = false)]
async fn an_error_that_stripe_keeps_does_not_stop_a_subscription_for_a_day(db: PgPool) {
    let rig = Rig::start(&db, 9).await;
    let shop = Shop::open(&rig).await;
    let who = shop.customer(&rig, "ada", None).await;
    let card = shop.card(&rig, &who, None).await;
    let what = sale(&who, &card, (usd("99.00"), usd("0.00")), Merchant::Factory);
    let wish = Wish::Subscription { sale: what, every: Every::Month };
    let plan = intent(IntentId::of(&["plan"]), wish, None);
    rig.sim.fault("PostProducts", Fault::ErrorBefore);
    rig.decide(std::slice::from_ref(&plan)).await;
    rig.turn().await;
    rig.wait(60);
    rig.turn().await;
    assert!(rig.made(plan.id).await.is_some(), "{}", rig.cause(plan.id).await);
    rig.drain().await;
    assert_eq!(rig.agrees().await, 1);
}
