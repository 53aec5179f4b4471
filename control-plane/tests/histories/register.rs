//! A platform that one person at a time does something to.

use std::collections::BTreeMap;

use stateright::semantics::SequentialSpec;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `POST /v1/platforms`, with an `Idempotency-Key` or without.
    Create { called: String, key: Option<String> },
    /// `GET /v1/platforms/{id}`.
    Read,
    /// `GET /v1/platforms/{id}/blueprint`.
    ReadBlueprint,
    /// `PUT /v1/platforms/{id}/blueprint`, of a state that was seen.
    Change { seen: String, called: String },
    /// `DELETE /v1/platforms/{id}`.
    Delete,
    /// `POST /v1/platforms/{id}/undelete`.
    Undelete,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is there, so called, in this state where it is said.
    There { called: String, tag: Option<String> },
    /// It was deleted.
    Deleted,
    /// It is on its way, or there is none.
    Nothing,
    /// Not done: another state, another name, none to bring back.
    Refused,
}

/// How a platform is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    /// Not made yet.
    #[default]
    Nothing,
    /// So called; in which state is not known until somebody is told.
    There { called: String, tag: Option<String> },
    /// So called, when it was deleted.
    Deleted { called: String },
}

/// What is kept of a request with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// Its answer.
    Answer,
    /// It was cut off, with its answer kept or not.
    Perhaps,
}

/// The platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Register {
    state: State,
    kept: BTreeMap<String, Kept>,
}

impl Register {
    fn create(&mut self, called: &str, key: Option<&String>, told: &Told) -> bool {
        let kept = key.and_then(|key| self.kept.get(key)).copied();
        let is_done = match (told, &self.state) {
            (Told::There { called: it, .. }, _) if it != called => false,
            (Told::There { .. }, _) if kept == Some(Kept::Answer) => true,
            (Told::There { tag, .. }, State::Nothing) => {
                self.state = State::There { called: called.to_owned(), tag: tag.clone() };
                true
            }
            (Told::There { tag, .. }, State::There { called: it, .. }) if it == called => {
                self.learn(tag.as_ref())
            }
            (Told::There { .. }, _) => kept == Some(Kept::Perhaps),
            (Told::Refused, State::There { .. } | State::Deleted { .. }) => {
                kept != Some(Kept::Answer)
            }
            _ => false,
        };
        if let Some(key) = key.filter(|_| is_done) {
            if *told == Told::Refused {
                self.kept.remove(key);
            } else {
                self.kept.insert(key.clone(), Kept::Answer);
            }
        }
        is_done
    }

    fn change(&mut self, seen: &str, called: &str, told: &Told) -> bool {
        let State::There { called: it, tag } = &self.state else {
            return matches!(told, Told::Nothing | Told::Refused);
        };
        let is_seen = tag.as_ref().is_none_or(|tag| tag == seen);
        let is_it = tag.as_ref().is_none_or(|tag| one_of(tag) == one_of(seen));
        let is_so = it == called && is_it;
        match told {
            Told::There { called: said, tag: Some(newer) } => {
                if is_so && tag.as_ref().is_none_or(|tag| tag == newer) {
                    return said == called && self.learn(Some(newer));
                }
                let is_done = is_seen && said == called && one_of(newer) == one_of(seen);
                self.state = State::There { called: called.to_owned(), tag: Some(newer.clone()) };
                is_done
            }
            Told::Refused => tag.is_none() || !(is_seen || is_so),
            Told::Nothing => tag.is_none() || !is_it,
            _ => false,
        }
    }

    fn undelete(&mut self, told: &Told) -> bool {
        match (&self.state, told) {
            (State::Deleted { called }, Told::There { called: said, .. }) if called == said => {
                self.state = State::There { called: said.clone(), tag: None };
                true
            }
            (State::There { called, .. }, Told::There { called: said, .. }) => called == said,
            (State::Nothing, Told::Nothing) => true,
            _ => false,
        }
    }

    fn read(&mut self, told: &Told) -> bool {
        match (&self.state, told) {
            (State::There { called, .. }, Told::There { called: said, tag }) => {
                called == said && self.learn(tag.as_ref())
            }
            (State::Deleted { .. }, Told::Deleted) | (State::Nothing, Told::Nothing) => true,
            _ => false,
        }
    }

    /// In which state it is, as somebody was told; false where it is known to be in another one.
    fn learn(&mut self, told: Option<&String>) -> bool {
        let State::There { tag, .. } = &mut self.state else { return false };
        match (tag.as_ref(), told) {
            (_, None) => true,
            (Some(known), Some(told)) => known == told,
            (None, Some(told)) => {
                *tag = Some(told.clone());
                true
            }
        }
    }
}

/// Which one of those that had its name: what the states of one have in common.
fn one_of(tag: &str) -> &str {
    tag.split('-').next().unwrap()
}

impl SequentialSpec for Register {
    type Op = Asked;
    type Ret = Told;

    /// Done by somebody who was cut off, and will not hear what came of it.
    fn invoke(&mut self, asked: &Asked) -> Told {
        match asked {
            Asked::Create { called, key } => {
                if self.state == State::Nothing {
                    self.state = State::There { called: called.clone(), tag: None };
                }
                if let Some(key) = key {
                    self.kept.entry(key.clone()).or_insert(Kept::Perhaps);
                }
            }
            Asked::Change { seen, called } => {
                if let State::There { called: it, tag } = &mut self.state
                    && it != called
                    && tag.as_ref().is_none_or(|tag| tag == seen)
                {
                    called.clone_into(it);
                    *tag = None;
                }
            }
            Asked::Delete => {
                if let State::There { called, .. } = &self.state {
                    self.state = State::Deleted { called: called.clone() };
                }
            }
            Asked::Undelete => {
                if let State::Deleted { called } = &self.state {
                    self.state = State::There { called: called.clone(), tag: None };
                }
            }
            Asked::Read | Asked::ReadBlueprint => {}
        }
        Told::Nothing
    }

    fn is_valid_step(&mut self, asked: &Asked, told: &Told) -> bool {
        match asked {
            Asked::Create { called, key } => self.create(called, key.as_ref(), told),
            Asked::Change { seen, called } => self.change(seen, called, told),
            // Of one that was deleted there is none.
            Asked::ReadBlueprint if *told == Told::Nothing => {
                !matches!(self.state, State::There { .. })
            }
            Asked::Read | Asked::ReadBlueprint => self.read(told),
            Asked::Delete => {
                self.invoke(asked);
                matches!(told, Told::Deleted)
            }
            Asked::Undelete => self.undelete(told),
        }
    }
}
