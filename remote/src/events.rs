//! Server-sent events from bytes that arrive in any cuts, within bounds.

/// The longest event, in bytes. A platform with all its conditions is some kilobytes.
pub(crate) const LONGEST: usize = 256 * 1024;

/// An event is longer than [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// What to name when asking for what comes after it.
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

/// Takes bytes and gives events. Lines end with `\n` or `\r\n`.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    length: usize,
    id: Option<String>,
    data: Option<String>,
}

impl Events {
    /// Takes more bytes, and gives the events that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut heard = Vec::new();
        for &byte in bytes {
            self.length += 1;
            if self.length > LONGEST {
                return Err(TooLong);
            }
            if byte == b'\n' {
                heard.extend(self.end_line());
            } else {
                self.line.push(byte);
            }
        }
        Ok(heard)
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line));
        if line.is_empty() {
            self.length = 0;
            let (id, data) = (self.id.take(), self.data.take());
            return data.map(|data| Event { id, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (field, &mut self.data) {
            ("id", _) => self.id = Some(value.to_owned()),
            ("data", Some(before)) => {
                before.push('\n');
                before.push_str(value);
            }
            ("data", none) => *none = Some(value.to_owned()),
            // Comments, and fields that say nothing here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_anywhere_change_nothing() {
        let text =
            ": alive\n\nevent: platform\nid: 7\ndata: {\"ü\":\r\ndata:1}\r\n\r\ndata: x\n\nid: 9\n";
        let event = |id: Option<&str>, data: &str| Event {
            id: id.map(str::to_owned),
            data: data.to_owned(),
        };
        let wanted = [event(Some("7"), "{\"ü\":\n1}"), event(None, "x")];
        for at in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            let mut events = Events::default();
            let heard = [events.push(left).unwrap(), events.push(right).unwrap()].concat();
            assert_eq!(heard, wanted, "cut at {at}");
        }
    }

    #[test]
    fn an_event_without_end_is_not_kept() {
        let mut events = Events::default();
        // What ended is not counted.
        for _ in 0..3 {
            let text = format!("data: {}\n\n", "x".repeat(LONGEST / 2));
            assert_eq!(events.push(text.as_bytes()).unwrap().len(), 1);
        }
        assert_eq!(events.push(&vec![b'x'; LONGEST + 1]), Err(TooLong));
        let lines = "data: x\n".repeat(LONGEST);
        assert_eq!(Events::default().push(lines.as_bytes()), Err(TooLong));
    }
}
