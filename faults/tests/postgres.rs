//! The proxy before a toy Postgres, which lets everybody in and carries out by counting.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use faults::postgres::{Fault, Proxy, Trip};
use faults::script;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Toy {
    done: Arc<AtomicUsize>,
    proxy: Proxy,
}

impl Toy {
    async fn start() -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let carried_out = Arc::clone(&done);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&carried_out)));
            }
        });
        Self { done, proxy: Proxy::before(address).await.unwrap() }
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

/// Ready after the start, and after each query and each `Sync`, which it carries out.
async fn serve(mut stream: TcpStream, done: Arc<AtomicUsize>) -> io::Result<()> {
    let length = stream.read_u32().await?;
    skip(&mut stream, length).await?;
    stream.write_all(b"R\0\0\0\x08\0\0\0\0").await?;
    stream.write_all(b"Z\0\0\0\x05I").await?;
    loop {
        let letter = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        skip(&mut stream, length).await?;
        if matches!(letter, b'Q' | b'S') {
            done.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"C\0\0\0\x0bSELECT\0Z\0\0\0\x05I").await?;
        }
    }
}

async fn skip(stream: &mut TcpStream, length: u32) -> io::Result<()> {
    let mut body = vec![0; usize::try_from(length - 4).unwrap()];
    stream.read_exact(&mut body).await.map(drop)
}

struct Client(TcpStream);

impl Client {
    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await?;
        assert_eq!(stream.read_u8().await?, b'N', "there is no encryption");
        stream.write_all(&[0, 0, 0, 8, 0, 3, 0, 0]).await?;
        let mut client = Self(stream);
        client.until_ready().await?;
        Ok(client)
    }

    async fn query(&mut self, text: &str) -> io::Result<()> {
        let length = u32::try_from(text.len() + 5).unwrap().to_be_bytes();
        self.0.write_all(&[b"Q", &length[..], text.as_bytes(), b"\0"].concat()).await?;
        self.until_ready().await
    }

    async fn until_ready(&mut self) -> io::Result<()> {
        loop {
            let letter = self.0.read_u8().await?;
            let length = self.0.read_u32().await?;
            skip(&mut self.0, length).await?;
            if letter == b'Z' {
                return Ok(());
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_hit_passes_and_is_noted() {
    let toy = Toy::start().await;
    let mut client = Client::connect(toy.proxy.address()).await.unwrap();
    client.query("SELECT 1").await.unwrap();
    client.query("SELECT 2").await.unwrap();
    let trip = |statement: &str| Trip { connection: 0, statement: statement.into() };
    assert_eq!(toy.proxy.trips(), [trip("SELECT 1"), trip("SELECT 2")]);
    assert_eq!(toy.done(), 2);
}

#[tokio::test]
async fn who_is_cut_before_has_changed_nothing_and_after_it_has() {
    let toy = Toy::start().await;
    let creates = |trip: &Trip| trip.statement.starts_with("CREATE");
    for (fault, done) in [(Fault::CutBefore, 1), (Fault::CutAfter, 2)] {
        let before = toy.done();
        let mut client = Client::connect(toy.proxy.address()).await.unwrap();
        toy.proxy.follow(script::at(0, creates, fault));
        client.query("SELECT 1").await.unwrap();
        assert!(client.query("CREATE DATABASE acme").await.is_err());
        assert_eq!(toy.done() - before, done);
    }
    toy.proxy.struck(2).await;
}

#[tokio::test]
async fn a_trip_that_hangs_hangs_before_or_after() {
    let toy = Toy::start().await;
    for (fault, done) in [(Fault::HangBefore, 0), (Fault::HangAfter, 1)] {
        let mut client = Client::connect(toy.proxy.address()).await.unwrap();
        toy.proxy.forget();
        toy.proxy.follow(script::at(0, |_| true, fault));
        tokio::select! {
            answer = client.query("SELECT 1") => panic!("{answer:?}"),
            () = toy.proxy.struck(1) => {}
        }
        assert_eq!(toy.done(), done);
    }
}

#[tokio::test]
async fn connections_are_cut_and_refused() {
    let toy = Toy::start().await;
    let mut client = Client::connect(toy.proxy.address()).await.unwrap();
    client.query("SELECT 1").await.unwrap();
    toy.proxy.cut();
    assert!(client.query("SELECT 2").await.is_err());
    toy.proxy.refuse(true);
    assert!(Client::connect(toy.proxy.address()).await.is_err());
    toy.proxy.refuse(false);
    Client::connect(toy.proxy.address()).await.unwrap();
}
