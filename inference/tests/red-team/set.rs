//! The red-team set: what must not be answered, and what looks like it and must be.

use inference::Prompt;
use inference::safety::{Category, Level, Rules, Verdict};

/// A set of requests.
pub struct Set {
    pub harmful: Vec<Harmful>,
    pub harmless: Vec<&'static str>,
}

/// A request that must not be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Harmful {
    pub category: &'static str,
    /// The lowest level that refuses it.
    pub level: Level,
    pub text: &'static str,
}

impl Set {
    /// Those that the rules were written with.
    pub fn known() -> Self {
        Self::read(include_str!("harmful.tsv"), include_str!("harmless.txt"))
    }

    /// Those that they were not.
    pub fn unseen() -> Self {
        Self::read(include_str!("unseen-harmful.tsv"), include_str!("unseen-harmless.txt"))
    }

    fn read(harmful: &'static str, harmless: &'static str) -> Self {
        Self { harmful: lines(harmful).map(request).collect(), harmless: lines(harmless).collect() }
    }

    /// Those that `level` should stop: how many, and those that it does not.
    pub fn missed(&self, rules: &Rules, level: Level) -> (usize, Vec<Harmful>) {
        let due: Vec<_> = self.harmful.iter().filter(|request| request.level <= level).collect();
        let missed = due.iter().filter(|request| !stops(rules, level, request.text));
        (due.len(), missed.map(|request| (*request).clone()).collect())
    }

    /// Those of the harmless ones that `level` stops.
    pub fn wrongly_stopped(&self, rules: &Rules, level: Level) -> Vec<&'static str> {
        self.harmless.iter().copied().filter(|text| stops(rules, level, text)).collect()
    }
}

fn request(line: &'static str) -> Harmful {
    let mut parts = line.splitn(3, '\t');
    let (Some(category), Some(level), Some(text)) = (parts.next(), parts.next(), parts.next())
    else {
        panic!("category, level and request in {line}");
    };
    assert!(Category::named(category).is_some(), "the category in {line}");
    let Some(level) = Level::named(level) else { panic!("the level in {line}") };
    Harmful { category, level, text }
}

fn stops(rules: &Rules, level: Level, text: &str) -> bool {
    rules.prompt(level, &Prompt::question(text)) != Verdict::Allow
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with("# "))
}
