//! One connection, trip by trip.

use std::io;
use std::sync::Mutex;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::frame::Frame;
use super::statements::Statements;
use super::{End, Fault, Shared};
use crate::tally::locked;

/// What a client sends until it waits for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Which connection, from 0 in the order in which they came.
    pub connection: u64,
    /// The last statement in it; empty where there is none.
    pub statement: String,
}

/// The trip whose answer does not pass, from 0, and what comes in its place.
type Withheld = Mutex<Option<(u64, Fault)>>;

/// Carries messages both ways until one side leaves or a fault ends it.
pub(super) async fn carry(client: &mut TcpStream, shared: &Shared) -> io::Result<End> {
    let connection = shared.number_of_connection();
    client.set_nodelay(true)?;
    let mut server = shared.connect().await?;
    let (from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let (mut from_client, mut from_server) =
        (BufReader::new(from_client), BufReader::new(from_server));
    greet(&mut from_client, &mut to_client, &mut to_server).await?;
    let withheld = Withheld::default();
    tokio::select! {
        end = ask(connection, &mut from_client, &mut to_server, shared, &withheld) => end,
        end = tell(&mut from_server, &mut to_client, shared, &withheld) => end,
    }
}

/// Until the client has said who it is.
async fn greet(
    from_client: &mut (impl AsyncRead + Unpin),
    to_client: &mut (impl AsyncWrite + Unpin),
    to_server: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    loop {
        let first = Frame::read_first(from_client).await?;
        if !first.asks_for_encryption() {
            return first.write(to_server).await;
        }
        to_client.write_all(b"N").await?;
    }
}

async fn ask(
    connection: u64,
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
    withheld: &Withheld,
) -> io::Result<End> {
    let mut statements = Statements::default();
    let mut number = 0;
    while let Some(frame) = Frame::read(from).await? {
        statements.note(&frame);
        if frame.ends_a_trip() {
            let statement = statements.take_latest();
            let fault = shared.decide(Trip { connection, statement });
            match fault {
                Fault::None => {}
                Fault::CutBefore => {
                    shared.tally.strike();
                    return Ok(End::Cut);
                }
                Fault::HangBefore => {
                    shared.tally.strike();
                    return until_it_leaves(from).await;
                }
                Fault::CutAfter | Fault::HangAfter => *locked(withheld) = Some((number, fault)),
            }
            number += 1;
        }
        frame.write(to).await?;
    }
    Ok(End::InOrder)
}

async fn tell(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
    withheld: &Withheld,
) -> io::Result<End> {
    // The first time that the server is ready, no trip has been made.
    let mut answering = None;
    while let Some(frame) = Frame::read(from).await? {
        let fault = match *locked(withheld) {
            Some((number, fault)) if answering == Some(number) => fault,
            _ => Fault::None,
        };
        if fault == Fault::None {
            frame.write(to).await?;
        }
        if frame.is_ready() {
            if fault != Fault::None {
                shared.tally.strike();
            }
            match fault {
                Fault::CutAfter => return Ok(End::Cut),
                Fault::HangAfter => return until_it_leaves(from).await,
                _ => answering = Some(answering.map_or(0, |number| number + 1)),
            }
        }
    }
    Ok(End::InOrder)
}

/// What still comes is not passed on.
async fn until_it_leaves(from: &mut (impl AsyncRead + Unpin)) -> io::Result<End> {
    tokio::io::copy(from, &mut tokio::io::sink()).await?;
    Ok(End::InOrder)
}
