//! Money over HTTP: what is billed is what the engine made, whatever clients do, and never more
//! than there is.

use blueprint::Currency;
use tokio::task::JoinSet;

use super::*;
use crate::admission::{Places, Policy};
use crate::budget::Local;
use crate::embedding::{SIMULATED_EMBEDDINGS, SimulatedEmbedder};
use crate::prices::{Micros, Price, Prices};
use crate::till::{Keeper, Till};

/// Millionths of a dollar for a token that is read, and for one that is made.
const READ: u64 = 10;
const MADE: u64 = 100;
/// Ten cents.
const BUDGET: u64 = 100_000;
const CROWD: usize = 1_000;

struct Shop {
    app: App,
    local: Local,
    keeper: Keeper,
    _folder: tempfile::TempDir,
}

impl Shop {
    /// A tenant with ten cents, and room for everybody to wait.
    async fn open(engine: Simulator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut prices = Prices::default();
        let million = |micros: u64| Micros::new(micros * 1_000_000);
        let (prompt, completion) = (million(READ), million(MADE));
        let price = Price { currency: Currency::USD, prompt, cached_prompt: prompt, completion };
        prices.set("simulated", price);
        prices.set(SIMULATED_EMBEDDINGS, price);
        let opened = Till::open_local(&folder.path().join("usage"), prices, Arc::new(now)).await;
        let (till, local, keeper) = opened.unwrap();
        local.set_budget("acme", Some("0.10 USD".parse().unwrap()));
        let places = Places {
            running_per_person: 64,
            running_per_tenant_percent: 100,
            waiting_per_tenant: CROWD,
            waiting_per_person: CROWD,
            ..Places::default()
        };
        let policy = Policy { places, ..Policy::default() };
        let mut app = App::with(engine, Limits { policy, ..Limits::default() });
        app.inference = app.inference.with_till(till);
        app.router = router(app.inference.clone());
        Self { app, local, keeper, _folder: folder }
    }

    /// What the tenant is billed when all is recorded, in millionths.
    async fn billed(self) -> u64 {
        self.keeper.close().await;
        self.local.standing("acme", Currency::USD).spent.get()
    }
}

/// Of all jobs, cancelled ones too.
fn worth(record: &Record) -> u64 {
    let read: usize = record.started.iter().map(|asked| asked.split_whitespace().count()).sum();
    read as u64 * READ + record.tokens as u64 * MADE
}

#[tokio::test(start_paused = true)]
async fn a_thousand_at_once_on_one_key_never_spend_more_than_there_is() {
    let engine = Simulator::echo().with_at_once(64).with_pace(Duration::from_millis(10));
    let shop = Shop::open(engine).await;
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let router = shop.app.router.clone();
        crowd.spawn(async move {
            let body = json!({
                "messages": [{"role": "user", "content": "one two three four five"}],
                "max_tokens": 20,
            });
            for _ in 0..400 {
                let answer = router.clone().oneshot(signed(&body)).await.unwrap();
                if answer.status() != 429 {
                    return answer.status().as_u16();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            429
        });
    }
    let ended: Vec<u16> = crowd.join_all().await;
    let (answered, refused) = (ended.iter().filter(|status| **status == 200).count(), ended.len());
    let worth = worth(&shop.app.record());
    let billed = shop.billed().await;
    assert_eq!(billed, worth, "the bill is what the engine made");
    assert!(billed <= BUDGET, "{billed}");
    assert!(billed > BUDGET * 9 / 10, "what there was could be spent: {billed}");
    assert!(answered > 100 && answered < refused, "{answered} of {refused}");
    assert!(ended.iter().all(|status| [200, 402].contains(status)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_pays_what_was_made_until_then_and_no_more() {
    let engine = Simulator::echo().with_at_once(8).with_pace(Duration::from_millis(10));
    let shop = Shop::open(engine).await;
    let mut crowd = JoinSet::new();
    for number in 0..40_u64 {
        let router = shop.app.router.clone();
        crowd.spawn(async move {
            let mut body = streamed(&"word ".repeat(8));
            body["max_tokens"] = json!(8);
            let asked = async {
                let answer = router.oneshot(signed(&body)).await.unwrap();
                let _ = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
            };
            // Some before their turn, some in the middle, some after the end.
            let _ = tokio::time::timeout(Duration::from_millis(20 * number), asked).await;
        });
    }
    crowd.join_all().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let record = shop.app.record();
    assert!(record.cancelled > 0 && record.started.len() > record.cancelled, "{record:?}");
    let worth = worth(&record);
    assert_eq!(shop.billed().await, worth);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_its_shape_is_recorded_and_costs_nothing() {
    let shop = Shop::open(Simulator::saying("I would rather talk.")).await;
    let function = json!({"name": "f", "parameters": {"type": "object"}});
    let mut body = question("call it");
    body["tools"] = json!([{"type": "function", "function": function}]);
    body["tool_choice"] = json!("required");
    assert_eq!(shop.app.ask(body.clone()).await.status(), 503);
    body["stream"] = json!(true);
    assert!(text_of(shop.app.ask(body).await).await.contains("engine-failed"));
    assert!(shop.app.inference.metrics().contains("outcome=\"failed\",class=\"starter\"} 2"));
    assert_eq!(shop.billed().await, 0);
}

fn embed(texts: &[String]) -> Request<Body> {
    let request = Request::post("/v1/embeddings");
    let request = request.header("authorization", format!("Bearer {}", token()));
    request.body(Body::from(json!({"input": texts}).to_string())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn no_more_is_kept_for_a_text_than_the_model_can_read_of_it() {
    let shop = Shop::open(Simulator::echo()).await;
    shop.app.inference.set_embedder(Arc::new(SimulatedEmbedder::default()));
    // 10,000 bytes each, of which the money covers one; 256 tokens, of which it covers 39.
    let texts = vec!["long-word ".repeat(200) + &"x".repeat(8_000); 39];
    assert_eq!(shop.app.send(embed(&texts)).await.status(), 200);
    assert_eq!(shop.billed().await, 39 * 201 * READ);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_pays_for_the_texts_that_were_computed() {
    let shop = Shop::open(Simulator::echo()).await;
    let embedder = SimulatedEmbedder::default().with_pace(Duration::from_secs(1));
    shop.app.inference.set_embedder(Arc::new(embedder));
    let texts = vec!["a red fox".to_owned(); 100];
    let asked = shop.app.send(embed(&texts));
    assert!(tokio::time::timeout(Duration::from_millis(4500), asked).await.is_err());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let metrics = shop.app.inference.metrics();
    assert!(metrics.contains("outcome=\"cancelled\",class=\"starter\"} 1"), "{metrics}");
    assert_eq!(shop.billed().await, 5 * 3 * READ, "what was under way was finished");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_records_the_texts_that_were_computed() {
    let shop = Shop::open(Simulator::echo()).await;
    let embedder = SimulatedEmbedder::default().with_pace(Duration::from_secs(1));
    shop.app.inference.set_embedder(Arc::new(embedder));
    let texts = vec!["a red fox".to_owned(); 100];
    let asked = tokio::spawn(shop.app.router.clone().oneshot(embed(&texts)));
    tokio::time::sleep(Duration::from_millis(4500)).await;
    shop.app.inference.close(Duration::from_secs(5)).await;
    assert_eq!(shop.billed().await, 5 * 3 * READ);
    assert_eq!(asked.await.unwrap().unwrap().status(), 503);
}

/// Asks for more than there will be time for, and hears the first of it.
async fn half_told(shop: &Shop) -> axum::body::BodyDataStream {
    let mut body = streamed(&"word ".repeat(400));
    body["max_tokens"] = json!(400);
    let answer = shop.app.ask(body).await;
    let mut told = answer.into_body().into_data_stream();
    told.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    told
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_records_the_answers_under_way() {
    let shop = Shop::open(Simulator::echo().with_pace(Duration::from_millis(100))).await;
    let told = half_told(&shop).await;
    let mut body = streamed("waits");
    body["max_tokens"] = json!(10);
    let waits = shop.app.ask(body).await;
    assert_eq!(waits.status(), 200);
    shop.app.inference.close(Duration::from_secs(5)).await;
    let record = shop.app.record();
    assert_eq!((record.running, record.cancelled, record.started.len()), (0, 1, 1), "{record:?}");
    assert!(record.tokens > 5, "{record:?}");
    let worth = worth(&record);
    assert_eq!(shop.billed().await, worth);
    drop((told, waits));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_stop_is_not_waited_for_and_its_answer_is_recorded() {
    let stuck = Deaf(Simulator::echo().with_pace(Duration::from_millis(100)));
    let shop = Shop::open(stuck.0.clone()).await;
    shop.app.inference.set_engine(Arc::new(stuck));
    let told = half_told(&shop).await;
    let begun = tokio::time::Instant::now();
    shop.app.inference.close(Duration::from_secs(1)).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let billed = shop.billed().await;
    assert!(billed > 400 * READ + 10 * MADE, "{billed}");
    drop(told);
}

/// Goes on although nobody listens.
struct Deaf(Simulator);

#[async_trait::async_trait]
impl Engine for Deaf {
    fn models(&self) -> Vec<crate::engine::ModelCard> {
        self.0.models()
    }

    fn room(&self) -> tokio::sync::watch::Receiver<usize> {
        self.0.room()
    }

    async fn generate(
        &self,
        job: crate::engine::Job,
        meter: crate::engine::Meter,
    ) -> Result<crate::engine::TokenStream, crate::engine::EngineError> {
        let mut inner = self.0.generate(job, meter).await?;
        let (out, stream) = crate::engine::token_stream();
        tokio::spawn(async move {
            while let Some(piece) = inner.next().await {
                match piece {
                    crate::engine::Piece::Text(text) => out.text(text),
                    crate::engine::Piece::Token(token) => out.token(*token),
                    crate::engine::Piece::End { reason, usage } => return out.end(reason, usage),
                }
            }
        });
        Ok(stream)
    }
}
