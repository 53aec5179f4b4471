//! Whoever listens, in a process of their own: what they cost us is not counted as ours.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

/// Each of so many addresses has its share, since nobody may hold all places of a server.
const ADDRESSES: u8 = 16;
/// Nothing takes longer.
const SOON: Duration = Duration::from_mins(5);

/// A process of listeners, as whoever measures sees it.
pub(crate) struct Listeners {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Listeners {
    /// So many, each of the next of these platforms, once all of them have heard how it stands.
    pub(crate) fn new(server: SocketAddr, key: &str, count: usize, platforms: &[String]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["listen", &server.to_string(), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // What is secret is in no list of processes.
        let mut told = child.stdin.take().unwrap();
        writeln!(told, "{key}").unwrap();
        for platform in platforms {
            writeln!(told, "{platform}").unwrap();
        }
        drop(told);
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut listeners = Self { child, said };
        assert_eq!(listeners.says(), "all listen");
        listeners
    }

    /// When the last listener of each platform heard of its next change.
    pub(crate) fn heard(mut self, platforms: usize) -> Vec<SystemTime> {
        let heard = (0..platforms).map(|_| {
            let micros: u64 = self.says().parse().unwrap();
            SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
        });
        let heard = heard.collect();
        self.child.wait().unwrap();
        heard
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

/// The process itself.
pub(crate) async fn listen(server: SocketAddr, count: usize) {
    web::open_files::raise();
    let mut told = std::io::stdin().lines().map(Result::unwrap);
    let key = told.next().unwrap();
    let platforms: Vec<_> = told.collect();
    let (tells, mut heard) = mpsc::unbounded_channel();
    for number in 0..count {
        let platform = number % platforms.len();
        let request = format!(
            "GET /v1/platforms/{}/events HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {key}\r\n\r\n",
            platforms[platform]
        );
        let own =
            Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(number % usize::from(ADDRESSES)).unwrap());
        let tells = tells.clone();
        tokio::spawn(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((own, 0).into()).unwrap();
            let mut stream = socket.connect(server).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut buffer = vec![0; 4_096];
            loop {
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(read > 0, "the stream ended");
                let events = buffer[..read].windows(6).filter(|part| part == b"event:").count();
                for _ in 0..events {
                    tells.send((platform, SystemTime::now())).unwrap();
                }
            }
        });
        // As many at once as a server takes up.
        if number % 100 == 99 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for _ in 0..count {
        tokio::time::timeout(SOON, heard.recv()).await.unwrap();
    }
    println!("all listen");
    let mut last = vec![SystemTime::UNIX_EPOCH; platforms.len()];
    for _ in 0..count {
        let (platform, at) = tokio::time::timeout(SOON, heard.recv()).await.unwrap().unwrap();
        last[platform] = last[platform].max(at);
    }
    for at in last {
        println!("{}", at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros());
    }
}
