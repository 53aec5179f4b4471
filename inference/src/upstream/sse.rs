//! Server-sent events from bytes that arrive in any cuts, within bounds.
//!
//! Our own, since the parsers in common use grow with the sender's line.

/// The longest line, and the most data of one event, in bytes. A token with its twenty likeliest
/// others is some kilobytes.
pub(super) const LIMIT: usize = 256 * 1024;

/// A line or an event is longer than [`LIMIT`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event has more than {LIMIT} bytes")]
pub(super) struct TooLong;

/// Takes bytes and gives the data of events. Names and ids of events are skipped: this API has
/// none that matter.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// A line end that may be the first half of one.
    after_return: bool,
    begun: bool,
    data: Option<Vec<u8>>,
}

impl Events {
    /// Takes more bytes; `told` hears each event that they complete.
    pub(super) fn push(&mut self, bytes: &[u8], mut told: impl FnMut(&str)) -> Result<(), TooLong> {
        for &byte in bytes {
            let was_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if was_return => {}
                b'\n' | b'\r' => self.end_line(&mut told)?,
                _ if self.line.len() == LIMIT => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// No more bytes come: what stands there is taken as whole.
    pub(super) fn finish(mut self, mut told: impl FnMut(&str)) -> Result<(), TooLong> {
        self.end_line(&mut told)?;
        self.end_event(&mut told);
        Ok(())
    }

    fn end_line(&mut self, told: &mut impl FnMut(&str)) -> Result<(), TooLong> {
        let line = std::mem::take(&mut self.line);
        let is_first = !std::mem::replace(&mut self.begun, true);
        let text = match line.strip_prefix("\u{feff}".as_bytes()) {
            Some(text) if is_first => text,
            _ => &line,
        };
        if text.is_empty() {
            self.end_event(told);
        } else if let Some(data) = field(text) {
            match &mut self.data {
                None => self.data = Some(data.to_vec()),
                Some(before) if before.len() + data.len() < LIMIT => {
                    before.push(b'\n');
                    before.extend_from_slice(data);
                }
                Some(_) => return Err(TooLong),
            }
        }
        // The memory of a line serves the next one.
        self.line = line;
        self.line.clear();
        Ok(())
    }

    fn end_event(&mut self, told: &mut impl FnMut(&str)) {
        if let Some(data) = self.data.take() {
            told(&String::from_utf8_lossy(&data));
        }
    }
}

/// What a line of data says.
fn field(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data")?;
    if value.is_empty() {
        return Some(value);
    }
    let value = value.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn read(parts: &[&[u8]]) -> Vec<String> {
        let (mut events, mut told) = (Events::default(), Vec::new());
        for part in parts {
            events.push(part, |data| told.push(data.to_owned())).unwrap();
        }
        events.finish(|data| told.push(data.to_owned())).unwrap();
        told
    }

    #[test]
    fn comments_other_fields_and_every_line_end_are_understood() {
        let text = "\u{feff}data: a\n\n: a comment\r\nevent: x\r\nid: 1\r\ndata:b\r\n\r\n\
                    retry: 5\rdata: c\rdata\rdata:  d\r\rdatum: e\n\ndata: [DONE]";
        assert_eq!(read(&[text.as_bytes()]), ["a", "b", "c\n\n d", "[DONE]"]);
    }

    #[test]
    fn cuts_anywhere_change_nothing() {
        let text = "data: {\"ü\":\"日本\"}\r\n\r\n: x\ndata: 🦀\n\ndata: end\r\r".as_bytes();
        let whole = read(&[text]);
        assert_eq!(whole, ["{\"ü\":\"日本\"}", "🦀", "end"]);
        for at in 0..=text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(read(&[left, right]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&bytes), whole);
    }

    #[test]
    fn a_line_or_an_event_without_end_is_refused() {
        let mut events = Events::default();
        assert_eq!(events.push(&vec![b'x'; LIMIT + 1], |_| {}), Err(TooLong));
        let mut events = Events::default();
        let mut line = b"data: ".to_vec();
        line.resize(LIMIT / 2, b'x');
        line.push(b'\n');
        let pushed: Vec<_> = (0..3).map(|_| events.push(&line, |_| {})).collect();
        assert_eq!(pushed.last(), Some(&Err(TooLong)), "{pushed:?}");
    }

    #[test]
    fn any_bytes_in_any_cuts_are_read_alike_and_none_panics() {
        for seed in 0..300 {
            let mut chance = StdRng::seed_from_u64(seed);
            // Mostly what matters to the format.
            let alphabet = b"data: \n\r\n\n:{}\"\xf0\x9f\xa6\x80\xff\xef\xbb\xbf[DONE]";
            let length = chance.random_range(0..400);
            let any = |_| alphabet[chance.random_range(0..alphabet.len())];
            let bytes: Vec<u8> = (0..length).map(any).collect();
            let mut rest = bytes.as_slice();
            let mut parts = Vec::new();
            while !rest.is_empty() {
                let (part, after) = rest.split_at(chance.random_range(1..=rest.len().min(9)));
                parts.push(part);
                rest = after;
            }
            let whole = read(&[&bytes]);
            assert_eq!(read(&parts), whole, "seed {seed}");
            for data in whole {
                let _ = super::super::chunk::read(&data);
            }
        }
    }
}
