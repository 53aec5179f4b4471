//! Who sends what, and what they got.

use std::ops::RangeInclusive;
use std::time::Duration;

use web::token::Caller;

use crate::admission::{ClassId, Requester};

/// One person who sends jobs.
#[derive(Debug, Clone)]
pub struct Source {
    /// Who they are.
    pub who: Requester,
    /// When they send.
    pub arrivals: Arrivals,
    /// Tokens of their prompts, each number as likely.
    pub prompt: RangeInclusive<usize>,
    /// Tokens of the answers.
    pub answer: RangeInclusive<usize>,
}

/// When somebody sends.
#[derive(Debug, Clone, Copy)]
pub enum Arrivals {
    /// So often on average, whenever they like; who is refused gives up.
    PerSecond(f64),
    /// So many are always waiting or running; who is refused comes when told to.
    Kept(usize),
}

/// What a source got.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// From coming to the first token, one for each job that got so far.
    pub first_tokens: Vec<Duration>,
    /// From coming to the turn.
    pub waited: Vec<Duration>,
    /// Weighted tokens in each [`super::WINDOW`] from the beginning on.
    pub served: Vec<u64>,
    /// Jobs that ended.
    pub answered: usize,
    /// Jobs for which there was no place.
    pub refused: usize,
}

impl Record {
    pub(super) fn serve(&mut self, window: usize, cost: u64) {
        if self.served.len() <= window {
            self.served.resize(window + 1, 0);
        }
        self.served[window] += cost;
    }
}

impl Source {
    /// A person of a tenant who asks questions as people do: 50 to 800 tokens are read and 20 to
    /// 200 made for each.
    pub fn person(class: ClassId, tenant: &str, user: usize, arrivals: Arrivals) -> Self {
        let caller = Caller::new(tenant, user.to_string(), String::new());
        let who = Requester { caller, class, paying: false };
        Self { who, arrivals, prompt: 50..=800, answer: 20..=200 }
    }
}
