//! A line that is cut: nothing is lost, nothing said twice, wherever it was cut.

use std::time::Duration;

use axum::http::header;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::platform::serve;
use crate::stream::Listener;
use crate::{Simulator, TestPlatform};

/// The longest stretch between two cuts, in powers of two: longer than the longest event.
const LONGEST: u32 = 11;
/// The same for the last event, which holds the whole answer.
const LONGEST_AT_THE_END: u32 = 15;

/// Words that are each said once, in Markdown of every kind, with letters of every width.
fn speech() -> String {
    let words = |n| (0..25).map(|w| format!("wörd-{n}-{w} ")).collect::<Vec<_>>().concat();
    let item = |n, i| format!("- item {n}.{i} with <b> & \"quotes\"\n");
    let list = |n| (0..6).map(|i| item(n, i)).collect::<Vec<_>>().concat();
    let block = |n| match n % 5 {
        0 => format!("## Part {n} 🎉\n\n"),
        1 => format!("{}*end*.\n\n", words(n)),
        2 => format!("{}\n", list(n)),
        3 => format!("```rust\nlet x{n} = \"{n}\";\n\n// 日本 {n}\n```\n\n"),
        _ => format!("| a | b |\n| - | - |\n| {n} | ✓ |\n\n"),
    };
    (0..30).map(block).collect::<Vec<_>>().concat()
}

/// One line after another to one message, each cut after some bytes.
struct Line {
    client: reqwest::Client,
    url: String,
    cookie: String,
}

impl Line {
    /// Listens from where the listener is until so many bytes have come; what was behind the cut
    /// never arrives.
    async fn cut_after(&self, heard: &mut Listener, bytes: usize) {
        let request = self.client.get(&self.url).header(header::COOKIE, &self.cookie);
        let mut response = request.header("last-event-id", heard.place()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut arrived = Vec::new();
        while arrived.len() < bytes {
            let Some(part) = response.chunk().await.unwrap() else { break };
            arrived.extend(part);
        }
        arrived.truncate(bytes);
        heard.take(&arrived);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_at_a_thousand_random_bytes_loses_and_doubles_nothing() {
    let seed = seed().unwrap_or_else(rand::random);
    println!("SOULFRA_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let speech = speech();
    assert!(speech.split(' ').count() < 512, "longer than an answer may be");
    let engine = Simulator::saying(&speech).with_pace(Duration::from_millis(2)).with_jitter(seed);
    let platform = TestPlatform::new(engine).await;
    let ada = platform.person("ada").await;
    let stop = CancellationToken::new();
    // A real listener, where a cut is a connection that ends.
    let address = serve(tenant_runtime::router(platform.app.clone()), stop.clone()).await;

    let (mut while_spoken, mut cuts) = (0, 0);
    while cuts < 1000 {
        let chat = ada.asks("guide", "speak").await;
        let line = Line {
            client: web::client::internal().unwrap(),
            url: format!("http://{address}/messages/{}/stream", chat.answer_id().await),
            cookie: ada.cookie().unwrap(),
        };
        // While it is spoken, and again after its end, when the words come in longer stretches.
        for replayed in [false, true, true, true] {
            let mut heard = Listener::default();
            while heard.done.is_none() {
                let at_the_end = heard.said.len() == speech.len();
                let longest = if at_the_end { LONGEST_AT_THE_END } else { LONGEST };
                let power = random.random_range(0..=longest);
                let bytes = random.random_range(1..=1_usize << power);
                line.cut_after(&mut heard, bytes).await;
                cuts += 1;
                while_spoken += usize::from(!replayed);
            }
            heard.expect(&speech);
            assert_eq!(heard.state(), "done");
        }
    }
    println!("counted: {cuts} cuts, {while_spoken} of them while it was spoken");
    assert!(while_spoken > 200, "{while_spoken}");
    stop.cancel();
}

/// The seed that this run is asked to repeat.
fn seed() -> Option<u64> {
    std::env::var_os("SOULFRA_SEED")?.to_str()?.parse().ok()
}
