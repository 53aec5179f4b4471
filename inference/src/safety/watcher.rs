//! Patterns over bytes: where they match, and what may be the beginning of a match. Both take time
//! in proportion to the text, whatever the text.

use std::ops::Range;
use std::panic::{RefUnwindSafe, UnwindSafe};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, meta};

type MakeCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// Bytes of states of a search that are kept while it runs. With fewer they are made anew all the
/// time in long prose, and then nothing is faster than walking without them: a hundred times slower.
const STATES: usize = 8 << 20;

pub(super) struct Watcher {
    regex: meta::Regex,
    /// The same patterns, walked from one place on.
    dfa: DFA,
    /// States of it, made as they are needed and shared by all answers.
    caches: Pool<Cache, MakeCache>,
}

impl Watcher {
    /// `None` if a pattern is none, or all together are too large.
    pub(super) fn new(patterns: &[String]) -> Option<Self> {
        let bytes = syntax::Config::new().unicode(false).utf8(false);
        let states = meta::Config::new().hybrid_cache_capacity(STATES);
        let regex =
            meta::Regex::builder().configure(states).syntax(bytes).build_many(patterns).ok()?;
        let nfa = thompson::Config::new().utf8(false);
        let dfa = DFA::builder().syntax(bytes).thompson(nfa).build_many(patterns).ok()?;
        let make = dfa.clone();
        let caches = Pool::new(Box::new(move || make.create_cache()) as MakeCache);
        Some(Self { regex, dfa, caches })
    }

    /// Every match, with the number of its pattern.
    pub(super) fn matches<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (usize, Range<usize>)> + 'a {
        self.regex.find_iter(text).map(|found| (found.pattern().as_usize(), found.range()))
    }

    /// The first match that begins at `from` or later, with the number of its pattern. What stands
    /// before `from` counts as what comes before.
    pub(super) fn first_from(&self, text: &str, from: usize) -> Option<(usize, Range<usize>)> {
        let found = self.regex.find(Input::new(text).range(from..))?;
        Some((found.pattern().as_usize(), found.range()))
    }

    /// Whether more text could make a match of the text from byte `from` on.
    pub(super) fn is_open(&self, text: &str, from: usize) -> bool {
        let mut cache = self.caches.get();
        let input = Input::new(text).range(from..).anchored(Anchored::Yes);
        let Ok(mut state) = self.dfa.start_state_forward(&mut cache, &input) else { return true };
        for &byte in &text.as_bytes()[from..] {
            match self.dfa.next_state(&mut cache, state, byte) {
                Ok(next) if next.is_dead() => return false,
                Ok(next) => state = next,
                // Never: it may be cleared as often as it fills.
                Err(_) => return true,
            }
        }
        true
    }
}
