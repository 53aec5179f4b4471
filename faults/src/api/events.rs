//! The events of a watch, one line each, on their way to a caller who is to be misled.

use std::io;

use async_stream::stream;
use futures::stream::BoxStream;
use futures::{Stream, TryStreamExt};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;
use tokio_util::io::StreamReader;

use super::Piece;
use super::answer::{Cut, status_object};
use super::fault::Event;

pub(super) fn broken(
    pieces: BoxStream<'static, Piece>,
    mut decide: impl FnMut(usize) -> Event + Send + 'static,
) -> impl Stream<Item = Piece> + Send + 'static {
    stream! {
        // An event is as long as an object, which the API server bounds.
        let mut lines = StreamReader::new(pieces.map_err(io::Error::other)).lines();
        let (mut number, mut late) = (0, None);
        loop {
            let Ok(line) = lines.next_line().await else {
                yield Err(Cut);
                return;
            };
            let Some(line) = line else { break };
            if is_bookmark(&line) {
                yield Ok(whole(&line));
                continue;
            }
            let event = decide(number);
            number += 1;
            match event {
                Event::Pass => yield Ok(whole(&line)),
                Event::Drop => {}
                Event::Double => {
                    yield Ok(whole(&line));
                    yield Ok(whole(&line));
                }
                Event::Swap if late.is_none() => {
                    late = Some(line);
                    continue;
                }
                Event::Swap => yield Ok(whole(&line)),
                Event::Delay(time) => {
                    tokio::time::sleep(time).await;
                    yield Ok(whole(&line));
                }
                Event::Gone => {
                    let gone = json!({ "type": "ERROR", "object": status_object(410, None) });
                    yield Ok(whole(&gone.to_string()));
                    return;
                }
            }
            if let Some(late) = late.take() {
                yield Ok(whole(&late));
            }
        }
        if let Some(late) = late {
            yield Ok(whole(&late));
        }
    }
}

fn whole(line: &str) -> Bytes {
    Bytes::from(format!("{line}\n"))
}

fn is_bookmark(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|event| event["type"] == "BOOKMARK")
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    /// What is left of the events A to D, whose lines come in pieces of three bytes.
    async fn left(events: [Event; 4]) -> String {
        let text = ["A", "B", "C", "D"].map(|name| format!("{{\"type\":\"{name}\"}}\n")).concat();
        let pieces: Vec<Piece> =
            text.as_bytes().chunks(3).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let pieces = futures::stream::iter(pieces).boxed();
        let lines: Vec<_> = broken(pieces, move |number| events[number]).collect().await;
        let name = |line: &Piece| -> String {
            let event: Value = serde_json::from_slice(line.as_ref().unwrap()).unwrap();
            event["type"].as_str().unwrap().to_owned()
        };
        lines.iter().map(name).collect()
    }

    #[tokio::test]
    async fn events_are_lost_doubled_and_out_of_order() {
        use Event::{Double, Drop, Gone, Pass, Swap};
        assert_eq!(left([Pass; 4]).await, "ABCD");
        assert_eq!(left([Pass, Drop, Pass, Pass]).await, "ACD");
        assert_eq!(left([Pass, Double, Pass, Pass]).await, "ABBCD");
        assert_eq!(left([Pass, Swap, Pass, Pass]).await, "ACBD");
        assert_eq!(left([Pass, Swap, Swap, Pass]).await, "ACBD");
        assert_eq!(left([Pass, Pass, Pass, Swap]).await, "ABCD");
        assert_eq!(left([Pass, Gone, Pass, Pass]).await, "AERROR");
    }

    #[tokio::test]
    async fn bookmarks_pass_and_are_not_counted() {
        let text = "{\"type\":\"BOOKMARK\"}\n{\"type\":\"A\"}\n";
        let pieces = futures::stream::iter([Ok(Bytes::from(text))]).boxed();
        let left: Vec<_> = broken(pieces, |_| Event::Drop).collect().await;
        assert_eq!(left.len(), 1);
    }
}
