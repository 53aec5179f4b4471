//! What was asked and answered, in the order in which it was.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard};

use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester};

use crate::register::{Asked, Register, Told};

/// Something that happened.
#[derive(Clone, Debug)]
enum Event {
    Asked(Asked),
    Told(Told),
}

/// What happened, to which platform, by which request.
#[derive(Default)]
struct Kept {
    events: Vec<(usize, usize, Event)>,
    requests: usize,
    clients: usize,
    running: usize,
}

/// A history; of whoever was cut off the end is not in it.
#[derive(Default)]
pub(crate) struct History(Mutex<Kept>);

impl History {
    /// Of so many clients.
    pub(crate) fn of(running: usize) -> Self {
        Self(Mutex::new(Kept { running, ..Kept::default() }))
    }

    /// Clients that are not done.
    pub(crate) fn running(&self) -> usize {
        self.kept().running
    }

    /// One of them is.
    pub(crate) fn done(&self) {
        self.kept().running -= 1;
    }

    /// A client of its own, as the history tells them apart: one that was cut off is another one from then
    /// on.
    pub(crate) fn client(&self) -> usize {
        let mut kept = self.kept();
        kept.clients += 1;
        kept.clients
    }

    pub(crate) fn asked(&self, client: usize, name: usize, asked: Asked) {
        let mut kept = self.kept();
        kept.requests += 1;
        kept.events.push((client, name, Event::Asked(asked)));
    }

    pub(crate) fn told(&self, client: usize, name: usize, told: Told) {
        self.kept().events.push((client, name, Event::Told(told)));
    }

    /// How much was asked.
    pub(crate) fn len(&self) -> usize {
        self.kept().requests
    }

    /// Of how much it is not known whether it was done.
    pub(crate) fn unknown(&self) -> usize {
        let kept = self.kept();
        let told = kept.events.iter().filter(|event| matches!(event.2, Event::Told(_))).count();
        kept.requests - told
    }

    /// Whether all that was answered of this platform would have been, had one waited for the other.
    pub(crate) fn is_of_one_after_the_other(&self, name: usize) -> bool {
        let mut tester = LinearizabilityTester::new(Register::default());
        for (client, of, event) in &self.kept().events {
            if *of == name {
                let told = match event.clone() {
                    Event::Asked(asked) => tester.on_invoke(*client, asked),
                    Event::Told(told) => tester.on_return(*client, told),
                };
                told.map(drop).unwrap();
            }
        }
        tester.is_consistent()
    }

    /// What happened to this platform, a line each.
    pub(crate) fn of_one(&self, name: usize) -> String {
        let (mut text, mut seen) = (String::new(), BTreeSet::new());
        for (client, of, event) in &self.kept().events {
            if *of == name {
                seen.insert(*client);
                let _ = writeln!(text, "client {client}: {event:?}");
            }
        }
        text
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(called: &str, key: Option<&str>) -> Asked {
        Asked::Create { called: called.to_owned(), key: key.map(str::to_owned) }
    }

    fn there(called: &str, tag: &str) -> Told {
        Told::There { called: called.to_owned(), tag: Some(tag.to_owned()) }
    }

    fn change(seen: &str, called: &str) -> Asked {
        Asked::Change { seen: seen.to_owned(), called: called.to_owned() }
    }

    /// One after the other; `None` where the answer never came.
    fn is_right(of: &[(Asked, Option<Told>)]) -> bool {
        let history = History::default();
        for (asked, told) in of {
            let client = history.client();
            history.asked(client, 0, asked.clone());
            if let Some(told) = told {
                history.told(client, 0, told.clone());
            }
        }
        history.is_of_one_after_the_other(0)
    }

    #[test]
    fn what_can_be_is_taken() {
        assert!(is_right(&[
            (create("One", Some("k")), Some(there("One", "u-1"))),
            (change("u-1", "Two"), Some(there("Two", "u-2"))),
            (create("One", Some("k")), Some(Told::There { called: "One".to_owned(), tag: None })),
            (change("u-1", "Three"), Some(Told::Refused)),
            (change("u-2", "Three"), None),
            (Asked::Delete, Some(Told::Deleted)),
            (Asked::Read, Some(Told::Deleted)),
            (Asked::Undelete, Some(Told::There { called: "Three".to_owned(), tag: None })),
            (Asked::ReadBlueprint, Some(there("Three", "v-1"))),
        ]));
        // Whoever was cut off may have done it or not, and late.
        for called in ["One", "Two"] {
            assert!(is_right(&[
                (create("One", None), Some(there("One", "u-1"))),
                (change("u-1", "Two"), None),
                (Asked::Read, Some(Told::There { called: called.to_owned(), tag: None })),
            ]));
        }
    }

    #[test]
    fn what_cannot_be_is_found() {
        let made = (create("One", Some("k")), Some(there("One", "u-1")));
        let changed = (change("u-1", "Two"), Some(there("Two", "u-2")));
        let read = |called: &str| Some(Told::There { called: called.to_owned(), tag: None });
        for wrong in [
            // An acknowledged write is lost.
            vec![made.clone(), changed.clone(), (Asked::Read, read("One"))],
            // Two changed the same state.
            vec![
                made.clone(),
                changed.clone(),
                (change("u-1", "Three"), Some(there("Three", "u-3"))),
            ],
            // What is deleted is there, and what is not deleted is not.
            vec![made.clone(), (Asked::Delete, Some(Told::Deleted)), (Asked::Read, read("One"))],
            vec![made.clone(), (Asked::Read, Some(Told::Deleted))],
            // What comes back is as it was once, not as it was.
            vec![
                made.clone(),
                changed.clone(),
                (Asked::Delete, Some(Told::Deleted)),
                (Asked::Undelete, read("One")),
            ],
            // The same request again has another answer.
            vec![made.clone(), changed, (create("One", Some("k")), Some(Told::Refused))],
            // Nobody asked for what is there.
            vec![made, (Asked::Read, read("Three"))],
        ] {
            assert!(!is_right(&wrong), "{wrong:?}");
        }
    }
}
