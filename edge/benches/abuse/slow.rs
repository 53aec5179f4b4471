//! Who takes a connection and gives as little as possible for it: nothing, a head byte by byte, a
//! body byte by byte, or in thousands of pieces of one byte and then no more. Whoever is shown out
//! comes again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use crate::visitors::{Visitors, connect, reach};

/// So many ways there are.
const KINDS: usize = 5;
/// Pieces of one byte.
const PIECES: usize = 8_000;
/// One byte comes so often.
const BYTE: Duration = Duration::from_secs(4);
/// Connecting at once; who is shown out waits so long.
const CONNECTING: usize = 64;
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) async fn be(count: usize, at: SocketAddr, visitors: &Visitors) {
    let (tls, connecting) = (visitors.tls(b"http/1.1"), Arc::new(Semaphore::new(CONNECTING)));
    let mut all = JoinSet::new();
    for n in 0..count {
        let (tls, name, connecting) = (tls.clone(), visitors.name.clone(), connecting.clone());
        all.spawn(async move {
            loop {
                // However it ended.
                let _ended = one(n, &tls, at, &name, &connecting).await;
                sleep(AGAIN).await;
            }
        });
    }
    while all.join_next().await.is_some() {}
}

async fn one(
    n: usize,
    tls: &TlsConnector,
    at: SocketAddr,
    name: &str,
    connecting: &Semaphore,
) -> std::io::Result<()> {
    let place = connecting.acquire().await.unwrap();
    if n.is_multiple_of(KINDS) {
        // Not even a handshake.
        let mut stream = reach(at, n).await?;
        drop(place);
        stream.read_u8().await?;
        return Ok(());
    }
    let mut stream = connect(tls, reach(at, n).await?, name).await?;
    drop(place);
    let head = match n % KINDS {
        1 => format!("GET /1k HTTP/1.1\r\nhost: {name}\r\nx-slow: "),
        2 => format!("POST /1k HTTP/1.1\r\nhost: {name}\r\ncontent-length: 100000\r\n\r\n"),
        3 => {
            let head = format!("POST /1k HTTP/1.1\r\nhost: {name}\r\n");
            let pieces = "1\r\nx\r\n".repeat(PIECES);
            format!("{head}transfer-encoding: chunked\r\n\r\n{pieces}")
        }
        // It has asked, and takes no answer; then it stays.
        _ => format!("GET /64k HTTP/1.1\r\nhost: {name}\r\n\r\n"),
    };
    stream.write_all(head.as_bytes()).await?;
    let (mut reading, mut writing) = tokio::io::split(stream);
    let write = async {
        loop {
            sleep(BYTE).await;
            if n % KINDS < 3 {
                writing.write_all(b"x").await?;
                writing.flush().await?;
            }
        }
    };
    let ended = async {
        if n % KINDS == 4 {
            std::future::pending::<()>().await;
        }
        while reading.read(&mut [0; 64]).await? > 0 {}
        Ok(())
    };
    tokio::select! {
        done = write => done,
        done = ended => done,
        () = sleep(Duration::from_mins(1)) => Ok(()),
    }
}
