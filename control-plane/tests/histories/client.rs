//! Somebody who does this and that to a few platforms, and is cut off now and then.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use faults::chance::Chance;

use crate::recorded::History;
use crate::register::{Asked, Told};
use crate::rig::{Answer, Caller, written};
use crate::{NAMES, below};

/// Whoever is cut off is, after so many times at most that they waited.
const WAITS: usize = 40;
/// What platforms are called by turns.
const CALLED: usize = 3;
/// Keys that come again.
const KEYS: usize = 2;

pub(crate) struct Client<'a> {
    history: &'a History,
    caller: Caller<'a>,
    /// As the history knows it.
    number: usize,
    seed: u64,
    /// The state of each platform that was seen last.
    seen: [Option<String>; NAMES],
}

/// As it goes on, or is cut off after it had to wait so often.
async fn cut_off_after<T>(waits: Option<usize>, work: impl Future<Output = T>) -> Option<T> {
    let Some(mut left) = waits else { return Some(work.await) };
    let mut work = pin!(work);
    poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

impl<'a> Client<'a> {
    pub(crate) fn new(history: &'a History, caller: Caller<'a>, seed: u64) -> Self {
        Self { number: history.client(), history, caller, seed, seen: Default::default() }
    }

    /// Does so many things.
    pub(crate) async fn live(mut self, mut chance: Chance, operations: usize) {
        for _ in 0..operations {
            let name = below(&mut chance, NAMES);
            let asked = self.wish(name, &mut chance);
            let waits = chance.once_in(6).then(|| below(&mut chance, WAITS));
            self.does(name, asked, waits).await;
        }
        self.history.done();
    }

    /// Looks how all of them are, what comes back of those that are deleted among it.
    pub(crate) async fn look(mut self) {
        for name in 0..NAMES {
            for asked in [Asked::Read, Asked::Undelete, Asked::Read, Asked::ReadBlueprint] {
                self.does(name, asked, None).await;
            }
        }
    }

    fn wish(&self, name: usize, chance: &mut Chance) -> Asked {
        let called = format!("Called {}", below(chance, CALLED));
        match (below(chance, 14), &self.seen[name]) {
            (0, _) => Asked::Create { called, key: None },
            (1 | 2, _) => {
                // The same body each time that the key comes.
                let number = below(chance, KEYS);
                Asked::Create {
                    called: format!("Called {number}"),
                    key: Some(format!("key-{name}-{number}")),
                }
            }
            (3 | 4, _) => Asked::Read,
            (5 | 6, _) | (7..=9, None) => Asked::ReadBlueprint,
            (7..=9, Some(seen)) => Asked::Change { seen: seen.clone(), called },
            (10 | 11, _) => Asked::Delete,
            _ => Asked::Undelete,
        }
    }

    /// Does it, and writes down what came of it; where that is not known, that it was begun.
    async fn does(&mut self, name: usize, asked: Asked, waits: Option<usize>) {
        let place = self.place(name).await;
        if place.is_none() && !matches!(asked, Asked::Create { .. }) {
            return;
        }
        let place = place.unwrap_or_default();
        self.history.asked(self.number, name, asked.clone());
        let told = match cut_off_after(waits, self.send(name, &place, &asked)).await {
            Some(answer) => read(&asked, &answer),
            None => None,
        };
        match told {
            Some(told) => {
                if let Told::There { tag: Some(tag), .. } = &told {
                    self.seen[name] = Some(tag.clone());
                }
                self.history.told(self.number, name, told);
            }
            None => self.number = self.history.client(),
        }
    }

    fn name(&self, name: usize) -> String {
        format!("p-{name}-{:x}", self.seed)
    }

    /// Where the platform is, once somebody took its name.
    async fn place(&self, name: usize) -> Option<String> {
        let listed = self.caller.get("/v1/platforms").await.body;
        let mut items = listed["items"].as_array().unwrap().iter();
        let it = items.find(|it| it["name"] == *self.name(name))?;
        Some(format!("/v1/platforms/{}", it["id"].as_str().unwrap()))
    }

    async fn send(&self, name: usize, place: &str, asked: &Asked) -> Answer {
        let name = self.name(name);
        let none = String::new();
        match asked {
            Asked::Create { called, key } => {
                let key = key.as_ref().map(|key| ("idempotency-key", key.as_str()));
                let headers: Vec<_> = key.into_iter().collect();
                self.caller.send("POST", "/v1/platforms", &headers, written(&name, called)).await
            }
            Asked::Read => self.caller.get(place).await,
            Asked::ReadBlueprint => self.caller.get(&format!("{place}/blueprint")).await,
            Asked::Change { seen, called } => {
                let (path, headers) = (format!("{place}/blueprint"), [("if-match", seen.as_str())]);
                self.caller.send("PUT", &path, &headers, written(&name, called)).await
            }
            Asked::Delete => self.caller.delete(&format!("{place}?name={name}")).await,
            Asked::Undelete => {
                self.caller.send("POST", &format!("{place}/undelete"), &[], none).await
            }
        }
    }
}

/// What an answer says; `None` where it says that it is not known what was done.
fn read(asked: &Asked, answer: &Answer) -> Option<Told> {
    let tag = Some(answer.header("etag").to_owned()).filter(|tag| !tag.is_empty());
    let body = &answer.body;
    let called = match asked {
        Asked::ReadBlueprint | Asked::Change { .. } => &body["spec"]["identity"]["displayName"],
        _ => &body["displayName"],
    };
    let there = |called: &str| Some(Told::There { called: called.to_owned(), tag });
    match answer.code() {
        (503, _) => None,
        (202, _) => Some(Told::Deleted),
        (200 | 201, _) => match called.as_str() {
            Some(called) => there(called),
            None if body["phase"] == "Deleted" => Some(Told::Deleted),
            None => Some(Told::Nothing),
        },
        (404, _) => Some(Told::Nothing),
        (409 | 412, _) => Some(Told::Refused),
        _ => panic!("{asked:?} {answer:?}"),
    }
}
