//! The client against a server that says what it is told to say, and fails on purpose.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use billing::rail::{
    CustomerId, IntentId, Kind, Merchant, MethodId, ObjectRef, Order, PaymentRail as _, PayoutId,
    Sale, Search, SellerId, Standing, Trouble, Wish,
};
use billing_stripe::{Stripe, VERSION};
use blueprint::Money;
use jiff::{SignedDuration, Timestamp};

/// What it was asked, and what it says next.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<(Vec<Asked>, Vec<Answer>)>>);

struct Asked {
    line: String,
    headers: HeaderMap,
    body: String,
}

type Answer = (u16, &'static str, String);

async fn answer(State(said): State<Said>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let asked = Asked {
        line: format!("{} {}", parts.method, parts.uri),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let mut said = said.0.lock().unwrap();
    said.0.push(asked);
    let (status, retry_after, body) = said.1.remove(0);
    let answer = Response::builder().status(status);
    let answer =
        if retry_after.is_empty() { answer } else { answer.header("retry-after", retry_after) };
    // The connection ends in the middle of it.
    let body = match body.strip_suffix("...CUT") {
        Some(begun) => {
            let lost = std::io::Error::other("the line is cut");
            Body::from_stream(futures::stream::iter([Ok(begun.to_owned()), Err(lost)]))
        }
        None => Body::from(body),
    };
    answer.body(body).unwrap()
}

async fn stripe(answers: Vec<Answer>) -> (Stripe, Said) {
    let said = Said(Arc::new(Mutex::new((Vec::new(), answers))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(said.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (client(&url), said)
}

fn client(url: &str) -> Stripe {
    let key = "sk_test_1".to_owned().into();
    Stripe::new("stripe".parse().unwrap(), url.parse().unwrap(), &key).unwrap()
}

fn usd(text: &str) -> Money {
    format!("{text} USD").parse().unwrap()
}

fn sale() -> Wish {
    let account = SellerId::new("acct_1").unwrap();
    Wish::Sale {
        sale: Sale {
            customer: CustomerId::new("cus_1").unwrap(),
            by: Some(MethodId::new("pm_1").unwrap()),
            label: "An agent".to_owned(),
            price: usd("10.00"),
            tax: usd("0.00"),
            merchant: Merchant::OnBehalfOf { account, receivers: Vec::new() },
        },
    }
}

fn order() -> Order {
    let intent = IntentId::of(&["one"]);
    Order { intent, key: intent.key(), wish: sale() }
}

fn payment(id: &str, intent: IntentId) -> String {
    format!(
        r#"{{"id":"{id}","object":"payment_intent","status":"succeeded","created":1790000000,
            "metadata":{{"intent":"{intent}"}},
            "latest_charge":{{"id":"ch_{id}","created":1790000001,"amount":1000,"currency":"usd",
                "balance_transaction":{{"id":"txn_1","amount":1000,"fee":59,"currency":"usd"}}}}}}"#
    )
}

#[tokio::test]
async fn what_is_sent_has_its_key_and_our_version_and_is_sent_once() {
    let order = order();
    let (stripe, said) = stripe(vec![(200, "", payment("pi_1", order.intent))]).await;
    let made = stripe.send(&order).await.unwrap();
    assert_eq!((made.kind, &made.standing), (Kind::Payment, &Standing::Settled));
    let cash = made.cash.unwrap();
    assert_eq!((cash.booked_as.as_str(), cash.fee), ("ch_pi_1", Some(usd("0.59"))));
    let said = said.0.lock().unwrap();
    let [asked] = &said.0[..] else { panic!("{} requests", said.0.len()) };
    assert_eq!(asked.line, "POST /v1/payment_intents");
    let header = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("idempotency-key"), Some(order.key.as_str()));
    assert_eq!((header("stripe-version"), header("stripe-account")), (Some(VERSION), None));
    assert_eq!(header("authorization"), Some("Bearer sk_test_1"));
    assert!(asked.body.contains("amount=1000&currency=usd&customer=cus_1"), "{}", asked.body);
    assert!(stripe.is_test_money());
}

#[tokio::test]
async fn each_failure_says_what_is_known_of_what_was_done() {
    let error = |kind: &str| format!(r#"{{"error":{{"type":"{kind}","code":"c","message":"m"}}}}"#);
    let (stripe, said) = stripe(vec![
        (429, "7", error("invalid_request_error")),
        (402, "", error("card_error")),
        (500, "", error("api_error")),
        (200, "", "{\"id\":".to_owned()),
        (200, "", "{\"id\":...CUT".to_owned()),
    ])
    .await;
    let order = order();
    let busy = stripe.send(&order).await.unwrap_err();
    assert!(
        matches!(busy, Trouble::Again { after: Some(after), .. } if after == SignedDuration::from_secs(7))
    );
    assert_eq!(
        stripe.send(&order).await.unwrap_err(),
        Trouble::Refused("402 card_error c: m".to_owned())
    );
    for lost in ["stored", "unreadable", "cut off"] {
        let lost = (lost, stripe.send(&order).await.unwrap_err());
        assert!(matches!(lost.1, Trouble::Unknown(_)), "{lost:?}");
    }
    assert_eq!(said.0.lock().unwrap().0.len(), 5, "nothing is sent again here");
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let nobody = client(&url).send(&order()).await.unwrap_err();
    assert!(matches!(nobody, Trouble::Again { .. }), "{nobody:?}");
}

fn search() -> Search {
    let since: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let until = since + SignedDuration::from_hours(30);
    Search { intent: IntentId::of(&["one"]), wish: sale(), since, until }
}

#[tokio::test]
async fn what_was_made_is_found_by_our_id_on_whatever_page_it_is() {
    let (other, mine) = (IntentId::of(&["two"]), IntentId::of(&["one"]));
    let page = |id: &str, of, more| {
        format!(r#"{{"object":"list","has_more":{more},"data":[{}]}}"#, payment(id, of))
    };
    let (stripe, said) = stripe(vec![
        (200, "", page("pi_2", other, true)),
        (200, "", page("pi_1", mine, false)),
        (200, "", payment("pi_1", mine)),
    ])
    .await;
    let found = stripe.find(&search()).await.unwrap().unwrap();
    assert_eq!((found.at_rail.id.as_str(), found.intent), ("pi_1", Some(mine)));
    let said = said.0.lock().unwrap();
    assert!(said.0.iter().all(|asked| asked.line.starts_with("GET ")));
    assert!(said.0[0].line.contains("customer=cus_1&created[gte]="), "{}", said.0[0].line);
    assert!(said.0[1].line.contains("starting_after=pi_2"), "{}", said.0[1].line);
}

#[tokio::test]
async fn what_was_never_made_is_not_found_and_what_cannot_be_seen_is_unknown() {
    let none = r#"{"object":"list","has_more":false,"data":[]}"#.to_owned();
    let (stripe, _) = stripe(vec![(200, "", none), (500, "", String::new())]).await;
    assert_eq!(stripe.find(&search()).await, Ok(None));
    assert!(matches!(stripe.find(&search()).await, Err(Trouble::Unknown(_))));
}

#[tokio::test]
async fn an_invoice_is_what_its_payment_put_on_our_balance() {
    let of = IntentId::of(&["one"]);
    let invoice = format!(
        r#"{{"id":"in_1","object":"invoice","status":"paid","created":1790000000,
            "parent":{{"subscription_details":{{"metadata":{{"intent":"{of}"}}}}}},
            "payments":{{"data":[{{"payment":{{"type":"payment_intent","payment_intent":"pi_1"}}}}]}}}}"#
    );
    let (stripe, _) = stripe(vec![(200, "", invoice), (200, "", payment("pi_1", of))]).await;
    let at = ObjectRef { word: "invoice".to_owned(), id: "in_1".to_owned(), account: None };
    let seen = stripe.fetch(&at).await.unwrap();
    assert_eq!(
        (seen.kind, seen.intent, seen.cash.unwrap().booked_as.as_str()),
        (Kind::Invoice, Some(of), "ch_pi_1")
    );
}

#[tokio::test]
async fn a_payout_is_read_page_by_page() {
    let page = r#"{"has_more":true,"data":[
        {"id":"txn_1","source":"ch_1","amount":1000,"fee":59,"currency":"usd"},
        {"id":"txn_2","source":"tr_1","amount":-700,"fee":0,"currency":"usd"}]}"#;
    let (stripe, said) = stripe(vec![(200, "", page.to_owned())]).await;
    let payout = PayoutId::new("po_1").unwrap();
    let page = stripe.movements(&payout, Some("txn_0")).await.unwrap();
    assert_eq!((page.movements.len(), page.next.as_deref()), (2, Some("txn_2")));
    assert_eq!((page.movements[1].about.as_str(), page.movements[1].gross), ("tr_1", -700));
    let line = &said.0.lock().unwrap().0[0].line;
    assert_eq!(line, "GET /v1/balance_transactions?payout=po_1&limit=100&starting_after=txn_0");
}
