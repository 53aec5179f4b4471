//! The rules of all levels, ready to be used.

use std::fmt;
use std::sync::Arc;

use super::data::Data;
use super::filter::SafetyFilter;
use super::normal::normalise;
use super::phrases::{self, BadRules, Phrases, Rule, Where};
use super::watcher::Watcher;
use super::{Category, Level, Verdict, said_by_people};
use crate::engine::Prompt;

const RULES: &str = include_str!("rules.txt");

/// The rules of all levels. Clones are the same.
#[derive(Clone)]
pub struct Rules(Arc<[Both; 3]>);

/// Those of one level.
struct Both {
    prompt: Arc<Screen>,
    answer: Arc<Screen>,
}

/// What one side of a conversation is held against.
pub(super) struct Screen {
    pub(super) words: Watcher,
    /// Of each pattern.
    pub(super) categories: Vec<Category>,
    pub(super) safe: Arc<Phrases>,
    /// Where people's data is not let by.
    pub(super) data: Option<Arc<Data>>,
}

impl Rules {
    /// Reads and compiles them: some tens of milliseconds, once.
    pub fn new() -> Result<Self, BadRules> {
        Self::read(RULES)
    }

    fn read(text: &str) -> Result<Self, BadRules> {
        let (rules, safe) = phrases::read(text)?;
        let all = |why: &str| BadRules { line: 0, why: why.to_owned() };
        let safe = Arc::new(safe);
        let data = Arc::new(Data::new().ok_or_else(|| all("the forms of data are too many"))?);
        let screen = |level: Level, place: Where| {
            let is_in = |rule: &&Rule| {
                rule.level <= level && matches!(rule.place, p if p == place || p == Where::Both)
            };
            let (patterns, categories): (Vec<_>, Vec<_>) =
                rules.iter().filter(is_in).map(|r| (r.pattern.clone(), r.category)).unzip();
            let words = Watcher::new(&patterns).ok_or_else(|| all("the rules are too many"))?;
            // People may tell their own, unless they are to be kept from it; a model never does.
            let has_data = place == Where::Answer || level >= Level::High;
            let data = has_data.then(|| Arc::clone(&data));
            Ok(Arc::new(Screen { words, categories, safe: Arc::clone(&safe), data }))
        };
        let both = |level: Level| {
            let (prompt, answer) = (screen(level, Where::Prompt)?, screen(level, Where::Answer)?);
            Ok(Both { prompt, answer })
        };
        let [moderate, high, maximum] = Level::ALL.map(both);
        Ok(Self(Arc::new([moderate?, high?, maximum?])))
    }

    /// Whether a prompt may be answered: all that people said in it.
    pub fn prompt(&self, level: Level, prompt: &Prompt) -> Verdict {
        let refused = self.of(level).prompt.refuses(&said_by_people(prompt));
        refused.map_or(Verdict::Allow, Verdict::Refuse)
    }

    /// Whether a whole answer may be shown.
    pub fn answer(&self, level: Level, answer: &str) -> Verdict {
        self.of(level).answer.refuses(answer).map_or(Verdict::Allow, Verdict::Refuse)
    }

    /// For an answer that is told bit by bit.
    pub fn filter(&self, level: Level) -> SafetyFilter {
        SafetyFilter::new(Arc::clone(&self.of(level).answer), level)
    }

    fn of(&self, level: Level) -> &Both {
        match level {
            Level::Moderate => &self.0[0],
            Level::High => &self.0[1],
            Level::Maximum => &self.0[2],
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rules").finish_non_exhaustive()
    }
}

impl Screen {
    fn refuses(&self, text: &str) -> Option<Category> {
        let normal = normalise(text, false, true, &self.safe);
        let phrase = self.words.matches(&normal.text).next();
        let data = || self.data.as_ref()?.find(text, true).map(|_| Category::PersonalData);
        phrase.map(|(rule, _)| self.categories[rule]).or_else(data)
    }
}
