//! Asks at a steady rate, whatever the answers take: a request that had to wait for a free
//! connection has waited since it was due.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

const CONNECTIONS: usize = 32;
const PEOPLE: usize = 256;

pub(crate) fn ask(address: SocketAddr, rate: u32, round: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut took = runtime.block_on(requests(address, rate, round));
    took.sort_by(f64::total_cmp);
    println!("{} {}", took[took.len() / 2], took[took.len() * 99 / 100]);
}

async fn requests(address: SocketAddr, rate: u32, round: Duration) -> Vec<f64> {
    let requests: Arc<[Vec<u8>]> = (0..PEOPLE).map(request).collect();
    let count = rate * u32::try_from(round.as_secs()).unwrap();
    let next = Arc::new(Mutex::new(0));
    let took = Arc::new(Mutex::new(Vec::new()));
    let begun = Instant::now() + Duration::from_millis(50);
    let mut workers = Vec::new();
    for _ in 0..CONNECTIONS {
        let (requests, next, took) = (Arc::clone(&requests), Arc::clone(&next), Arc::clone(&took));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        workers.push(tokio::spawn(async move {
            loop {
                // Held until the request is due, so that they go out in order.
                let (number, due) = {
                    let mut next = next.lock().await;
                    if *next == count {
                        return;
                    }
                    let due = begun + Duration::from_secs_f64(f64::from(*next) / f64::from(rate));
                    let number = *next;
                    *next += 1;
                    // Timers tick in milliseconds; this core has nothing else to do.
                    while Instant::now() < due {
                        tokio::task::yield_now().await;
                    }
                    (number, due)
                };
                stream.write_all(&requests[number as usize % requests.len()]).await.unwrap();
                read_answer(&mut stream).await;
                took.lock().await.push(due.elapsed().as_secs_f64() * 1_000.0);
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    Arc::into_inner(took).unwrap().into_inner()
}

fn request(person: usize) -> Vec<u8> {
    let caller = super::serving::caller(person);
    let token = web::token::sign(&super::serving::credential(), &caller, super::serving::now());
    let body = r#"{"messages":[{"role":"user","content":"What is the capital of France?"}],"max_tokens":16}"#;
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        token.unwrap().expose_secret(),
        body.len()
    )
    .into_bytes()
}

async fn read_answer(stream: &mut TcpStream) {
    let mut answer = Vec::with_capacity(1024);
    loop {
        stream.read_buf(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("HTTP/1.1 200"), "{text}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return;
        }
    }
}
