//! What it costs others that one takes an answer byte by byte: beside the same one who reads as
//! fast as it comes, twice, since two equal things differ too.

use std::time::Duration;

use inference::virtual_time::percentile;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use crate::person::Person;
use crate::rows::{Rows, millis};
use crate::server::Server;
use crate::{Error, MODEL};

/// Tokens of the neighbour's answer, which is being made all the while the others are timed.
const LONG: usize = 600;
/// Tokens of the answers that are timed, and how many of them in a phase.
const ANSWER: usize = 48;
const ANSWERS: usize = 4;

#[derive(Clone, Copy)]
enum Reads {
    AsItComes,
    ByteBySecond,
}

/// So many rounds, in each of which everyone has one turn, and who is first changes.
pub(crate) async fn measure(rounds: usize, rows: &mut Rows) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path(), "fastest", &["slow", "other"]).await?;
    let phases = [
        ("beside a fast reader", Reads::AsItComes),
        ("beside a fast reader again", Reads::AsItComes),
        ("beside a reader of 1 byte/s", Reads::ByteBySecond),
    ];
    for round in 0..rounds {
        let mut p99s = [0.0; 3];
        for turn in 0..phases.len() {
            let at = (round + turn) % phases.len();
            let (name, reads) = phases[at];
            let gaps = beside(&server, &format!("{round} {turn}"), reads).await?;
            p99s[at] = millis(percentile(&gaps, 99));
            rows.note(&format!("gap p50 {name}"), "ms", millis(percentile(&gaps, 50)));
            rows.note(&format!("gap p99 {name}"), "ms", p99s[at]);
        }
        let [one, again, slow] = p99s;
        rows.note("gap p99, control to control", "x", again / one);
        rows.note("gap p99, 1 byte/s to control", "x", slow / f64::midpoint(one, again));
    }
    Ok(())
}

/// The times between texts for somebody beside a neighbour that reads so.
async fn beside(server: &Server, unique: &str, reads: Reads) -> Result<Vec<Duration>, Error> {
    let neighbour = server.person("slow", unique);
    let reading = read(server.address().to_owned(), neighbour, unique.to_owned(), reads);
    let other = server.person("other", unique);
    let mut gaps = Vec::new();
    for question in 0..ANSWERS {
        let text = format!("Question {question} of {unique}: tell me about the sea.");
        gaps.extend(other.go_on(&text, ANSWER).await?.gaps);
    }
    reading.abort();
    // What the neighbour's answer still made ends within a step or two.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(gaps)
}

/// Asks for a long answer and reads it so, until stopped.
fn read(
    address: String,
    person: Person,
    unique: String,
    reads: Reads,
) -> JoinHandle<Result<(), Error>> {
    tokio::spawn(async move {
        let body = json!({
            "model": MODEL, "prompt": format!("{unique}: one, two, three,"), "max_tokens": LONG,
            "temperature": 0.7, "stream": true,
        });
        let body = body.to_string();
        let head = format!(
            "POST /v1/completions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            person.token()?,
            body.len(),
        );
        let socket = TcpSocket::new_v4()?;
        // What waits in the system must not hide how slowly it is read.
        socket.set_recv_buffer_size(4096)?;
        let mut stream = socket.connect(address.parse()?).await?;
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        let mut bytes = [0; 4096];
        loop {
            let read = match reads {
                Reads::AsItComes => stream.read(&mut bytes).await?,
                Reads::ByteBySecond => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    stream.read(&mut bytes[..1]).await?
                }
            };
            if read == 0 {
                return Ok(());
            }
        }
    })
}
