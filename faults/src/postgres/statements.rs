//! The text of what a client asks for, also when it was prepared before.

use std::collections::HashMap;

use super::frame::Frame;

/// What a connection has prepared, and what it asked for last.
#[derive(Debug, Default)]
pub(super) struct Statements {
    prepared: HashMap<String, String>,
    latest: String,
}

impl Statements {
    /// Looks at a message of the client.
    pub(super) fn note(&mut self, frame: &Frame) {
        let mut texts = frame.body.split(|&byte| byte == 0).map(String::from_utf8_lossy);
        let mut text = || texts.next().unwrap_or_default().into_owned();
        match frame.letter {
            Some(b'Q') => self.latest = text(),
            // Parse: a name, and the text.
            Some(b'P') => {
                let (name, statement) = (text(), text());
                self.latest.clone_from(&statement);
                self.prepared.insert(name, statement);
            }
            // Bind: a portal, and a name.
            Some(b'B') => {
                let (_, name) = (text(), text());
                self.latest = self.prepared.get(&name).cloned().unwrap_or_default();
            }
            // Close: of a statement (and not of a portal), its name.
            Some(b'C') if frame.body.first() == Some(&b'S') => {
                self.prepared.remove(&text()[1..]);
            }
            _ => {}
        }
    }

    /// What was asked for since the last trip.
    pub(super) fn take_latest(&mut self) -> String {
        std::mem::take(&mut self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_statement_is_known_by_its_text() {
        let mut statements = Statements::default();
        let mut note = |letter, body: &[u8]| {
            statements.note(&Frame { letter: Some(letter), body: body.to_vec() });
            if matches!(letter, b'Q' | b'S') { statements.take_latest() } else { String::new() }
        };
        assert_eq!(note(b'Q', b"BEGIN\0"), "BEGIN");
        note(b'P', b"s1\0SELECT 1\0\0\0");
        assert_eq!(note(b'S', b""), "SELECT 1");
        note(b'B', b"\0s1\0\0\0\0\0\0\0");
        assert_eq!(note(b'S', b""), "SELECT 1");
        note(b'C', b"Ss1\0");
        note(b'B', b"\0s1\0\0\0\0\0\0\0");
        assert_eq!(note(b'S', b""), "");
    }
}
