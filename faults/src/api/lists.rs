//! Answers that were given, kept to be given again when they are old.

use std::collections::{HashMap, VecDeque};

use hyper::Response;

use super::answer::{Body, Whole};
use super::call::Call;

/// Of one question.
const MOST_ANSWERS: usize = 8;
/// A test asks few; what comes after these is not kept.
const MOST_QUESTIONS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Lists(HashMap<(String, String), VecDeque<Whole>>);

impl Lists {
    pub(super) fn keep(&mut self, call: &Call, answer: &Whole) {
        let question = (call.path.clone(), call.query.clone());
        if self.0.len() >= MOST_QUESTIONS && !self.0.contains_key(&question) {
            return;
        }
        let answers = self.0.entry(question).or_default();
        answers.push_front(answer.clone());
        answers.truncate(MOST_ANSWERS);
    }

    pub(super) fn earlier(&self, call: &Call, back: usize) -> Option<Response<Body>> {
        let answers = self.0.get(&(call.path.clone(), call.query.clone()))?;
        let answer = answers.get(back.saturating_sub(1)).or_else(|| answers.back())?;
        Some(answer.clone().into_response())
    }
}
