//! Everybody hears on every port, and tries everybody else.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::Barrier;
use std::time::Duration;

use futures::StreamExt as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::expected::{Host, PORTS, Protocol};
use super::wires::Wires;

/// Who tries to reach whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
}

/// So many of one host at once.
const AT_ONCE: usize = 8;
/// Who does not answer until then does not.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tries them all, each host in its own namespace; those that were answered.
pub(super) fn attempts(wires: &Wires, hosts: &[Host], flows: &[Flow]) -> BTreeSet<Flow> {
    // All hear before anybody tries, and until everybody has tried.
    let (hear, done) = (Barrier::new(hosts.len()), Barrier::new(hosts.len()));
    std::thread::scope(|scope| {
        let tries = |at: usize| {
            let (hear, done) = (&hear, &done);
            scope.spawn(move || {
                let own = wires.namespace(at);
                let network = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(own.as_fd(), network).unwrap();
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .on_thread_start(move || {
                        move_into_link_name_space(own.as_fd(), network).unwrap();
                    })
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(listen());
                hear.wait();
                let own = flows.iter().filter(|flow| flow.from == at).copied();
                let reached = runtime.block_on(try_all(hosts, own.collect()));
                done.wait();
                reached
            })
        };
        let threads: Vec<_> = (0..hosts.len()).map(tries).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

async fn listen() {
    for port in PORTS {
        let listener = TcpListener::bind(("0.0.0.0", port)).await.unwrap();
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    }
    let socket = UdpSocket::bind(("0.0.0.0", 53)).await.unwrap();
    tokio::spawn(async move {
        let mut byte = [0; 1];
        loop {
            if let Ok((_, asked)) = socket.recv_from(&mut byte).await {
                // Who asked hears it or not.
                let _ = socket.send_to(&byte, asked).await;
            }
        }
    });
}

async fn try_all(hosts: &[Host], flows: Vec<Flow>) -> Vec<Flow> {
    let tried = futures::stream::iter(flows).map(async |flow| {
        let to = SocketAddr::new(IpAddr::V4(hosts[flow.to].address), flow.port);
        let answered = async {
            match flow.protocol {
                Protocol::Tcp => TcpStream::connect(to).await.map(drop),
                Protocol::Udp => ask(to).await,
            }
        };
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        answered.is_ok_and(|answer| answer.is_ok()).then_some(flow)
    });
    tried.buffer_unordered(AT_ONCE).filter_map(async |flow| flow).collect().await
}

async fn ask(to: SocketAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).await?;
    socket.connect(to).await?;
    socket.send(b"?").await?;
    socket.recv(&mut [0; 1]).await.map(drop)
}
