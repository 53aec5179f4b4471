//! The messages of Postgres's protocol, version 3: a letter, a length, and the rest; a client's
//! first ones come without the letter.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a client may send first that is no start: the server says `N` and the client goes on.
const WISHES: [u32; 2] = [80_877_103, 80_877_104];
/// Above what tests send.
const MOST_BYTES: u32 = 64 << 20;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// None for a client's first.
    pub(super) letter: Option<u8>,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// A client's first message, which has no letter.
    pub(super) async fn read_first(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        Ok(Self { letter: None, body: read_body(from).await? })
    }

    /// The next message; none when the other side has left.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let letter = match from.read_u8().await {
            Ok(letter) => letter,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self { letter: Some(letter), body: read_body(from).await? }))
    }

    pub(super) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(self.body.len() + 5);
        bytes.extend(self.letter);
        let length = u32::try_from(self.body.len() + 4).map_err(io::Error::other)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(&self.body);
        to.write_all(&bytes).await
    }

    /// Whether a client asks for encryption, which there is none of here.
    pub(super) fn asks_for_encryption(&self) -> bool {
        let code = self.body.first_chunk().copied().map(u32::from_be_bytes);
        self.letter.is_none() && self.body.len() == 4 && code.is_some_and(|c| WISHES.contains(&c))
    }

    /// Whether the client waits for the server after it: `Query` or `Sync`.
    pub(super) fn ends_a_trip(&self) -> bool {
        matches!(self.letter, Some(b'Q' | b'S'))
    }

    /// Whether the server waits for the client after it: `ReadyForQuery`.
    pub(super) fn is_ready(&self) -> bool {
        self.letter == Some(b'Z')
    }
}

async fn read_body(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    if !(4..=MOST_BYTES).contains(&length) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "no message of Postgres's protocol",
        ));
    }
    let mut body = Vec::new();
    let wanted = u64::from(length - 4);
    if from.take(wanted).read_to_end(&mut body).await? as u64 != wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_that_was_written_is_read_again() {
        let first = Frame { letter: None, body: 80_877_103_u32.to_be_bytes().into() };
        let query = Frame { letter: Some(b'Q'), body: b"SELECT 1\0".to_vec() };
        let mut bytes = Vec::new();
        first.write(&mut bytes).await.unwrap();
        query.write(&mut bytes).await.unwrap();
        let mut from = bytes.as_slice();
        let read = Frame::read_first(&mut from).await.unwrap();
        assert!(read.asks_for_encryption());
        assert_eq!(read, first);
        assert_eq!(Frame::read(&mut from).await.unwrap(), Some(query.clone()));
        assert!(query.ends_a_trip());
        assert_eq!(Frame::read(&mut from).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        for bytes in [&b"Q\0\0\0\x03"[..], b"Q\xff\xff\xff\xff", b"Q\0\0\0\x09abc"] {
            assert!(Frame::read(&mut &bytes[..]).await.is_err(), "{bytes:?}");
        }
    }
}
