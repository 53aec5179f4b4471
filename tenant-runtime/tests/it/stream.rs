//! Listening to an answer: reads event streams as the standard has them, and holds that each
//! event says exactly what follows the one before.

use pages::markdown::to_html;
use serde_json::Value;

/// Somebody who listens, over any number of connections.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    /// All the words heard.
    pub(crate) said: String,
    /// The finished blocks.
    pub(crate) html: String,
    /// How many of those.
    pub(crate) blocks: usize,
    /// What was told while it waited for its turn.
    pub(crate) waits: Vec<String>,
    /// What stood in the last event.
    pub(crate) done: Option<Value>,
}

impl Listener {
    /// The id of the last event: where the next connection goes on.
    pub(crate) fn place(&self) -> String {
        format!("{}.{}", self.said.len(), self.blocks)
    }

    /// Takes what arrived and returns how many bytes of it were whole events; what stands behind
    /// them was cut or is still to come.
    pub(crate) fn take(&mut self, arrived: &[u8]) -> usize {
        let end = arrived.windows(2).rposition(|two| two == b"\n\n").map_or(0, |at| at + 2);
        for event in std::str::from_utf8(&arrived[..end]).unwrap().split_terminator("\n\n") {
            self.take_event(event);
        }
        end
    }

    fn take_event(&mut self, event: &str) {
        let field =
            |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        // A comment keeps the line open.
        let Some(data) = field("data") else { return };
        assert!(self.done.is_none(), "something after the end: {event}");
        let data: Value = serde_json::from_str(data).unwrap();
        match field("event") {
            Some("delta") => self.said.push_str(data["text"].as_str().unwrap()),
            Some("block") => {
                let rest = data["rest"].as_str().unwrap();
                assert!(self.said.ends_with(rest), "{rest:?} was not said: {:?}", self.said);
                self.html.push_str(data["html"].as_str().unwrap());
                self.blocks += 1;
            }
            Some("waits") => {
                self.waits.push(data["text"].as_str().unwrap().to_owned());
                return;
            }
            Some("done") => {
                self.done = Some(data);
                return;
            }
            other => panic!("an event named {other:?}"),
        }
        // An id that is not the sum of what was heard: something was lost or came twice.
        assert_eq!(field("id"), Some(&*self.place()), "{event}");
    }

    /// How it ended.
    pub(crate) fn state(&self) -> &str {
        self.done.as_ref().unwrap()["state"].as_str().unwrap()
    }

    /// What was told about the end.
    pub(crate) fn note(&self) -> &str {
        self.done.as_ref().unwrap()["note"].as_str().unwrap()
    }

    /// Holds that exactly this was said, in words and in HTML.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) {
        assert_eq!(self.said, text);
        assert_eq!(self.done.as_ref().unwrap()["html"], to_html(text).as_str());
    }
}
