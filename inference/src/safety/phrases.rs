//! The rules as they are written in `rules.txt`, read into patterns over plain words.

use std::collections::HashMap;

use super::{Category, Level};

/// A rule that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the safety rules: {why}")]
pub struct BadRules {
    /// Counted from 1; 0 for all together.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// Where a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Prompt,
    Answer,
    Both,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) category: Category,
    pub(super) level: Level,
    pub(super) place: Where,
    /// Over words with a space after each, and one before the first.
    pub(super) pattern: String,
}

/// Phrases of words, found by the first of them.
#[derive(Debug, Default)]
pub(super) struct Phrases(HashMap<String, Vec<Vec<String>>>);

impl Phrases {
    fn add(&mut self, phrase: &str) {
        let words: Vec<String> = phrase.split_whitespace().map(str::to_owned).collect();
        if let Some(first) = words.first() {
            self.0.entry(first.clone()).or_default().push(words);
        }
    }

    /// How many of these words, from the first on, are such a phrase; 0 if none are.
    pub(super) fn length_at(&self, words: &[&str]) -> usize {
        let phrases = words.first().and_then(|first| self.0.get(*first));
        let fits = |phrase: &&Vec<String>| {
            phrase.len() <= words.len() && phrase.iter().zip(words).all(|(a, b)| a == b)
        };
        phrases.into_iter().flatten().filter(fits).map(Vec::len).max().unwrap_or(0)
    }
}

/// Reads rules.
pub(super) fn read(text: &str) -> Result<(Vec<Rule>, Phrases), BadRules> {
    let (mut rules, mut safe, mut lets) = (Vec::new(), Phrases::default(), HashMap::new());
    let mut section = None;
    // Names may be used before they are written down.
    let lines = || text.lines().map(str::trim).zip(1..).filter(|(l, _)| !is_comment(l));
    for (line, _) in lines() {
        if let Some((name, words)) = line.strip_prefix("let ").and_then(|l| l.split_once('=')) {
            lets.insert(name.trim().to_owned(), words.trim().to_owned());
        }
    }
    for (line, number) in lines() {
        let bad = |why: &str| BadRules { line: number, why: why.to_owned() };
        if line.starts_with("let ") {
        } else if let Some(phrases) = line.strip_prefix("safe =") {
            phrases.split('|').for_each(|phrase| safe.add(phrase));
        } else if let Some(head) = line.strip_prefix('[') {
            let head = head.trim_end_matches(']');
            section = Some(heading(head).ok_or_else(|| bad("no [category level side]"))?);
        } else {
            let (category, level, place) =
                section.ok_or_else(|| bad("a rule before any [category level side]"))?;
            let pattern = format!(" {}", pattern(line, &lets, 0).map_err(|why| bad(&why))?);
            rules.push(Rule { category, level, place, pattern });
        }
    }
    Ok((rules, safe))
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

fn heading(head: &str) -> Option<(Category, Level, Where)> {
    let mut words = head.split_whitespace();
    let (category, level) = (Category::named(words.next()?)?, Level::named(words.next()?)?);
    let place = match words.next()? {
        "prompt" => Where::Prompt,
        "answer" => Where::Answer,
        "both" => Where::Both,
        _ => return None,
    };
    words.next().is_none().then_some((category, level, place))
}

/// A rule as a regular expression; groups may be in groups, names in names not for ever.
fn pattern(rule: &str, lets: &HashMap<String, String>, depth: usize) -> Result<String, String> {
    const DEPTH: usize = 4;
    if depth > DEPTH {
        return Err("names within names within names".to_owned());
    }
    let spaced = rule.replace('(', " ( ").replace(')', " ) ").replace('|', " | ");
    let (mut out, mut open) = (String::from("(?:"), 0);
    for word in spaced.split_whitespace() {
        match word {
            ".." => out.push_str("(?:[^ ]+ ){0,4}"),
            "..." => out.push_str("(?:[^ ]+ ){0,8}"),
            "(" => {
                open += 1;
                out.push_str("(?:");
            }
            ")" if open == 0 => return Err("a ) without a (".to_owned()),
            ")" => {
                open -= 1;
                out.push(')');
            }
            "|" => out.push('|'),
            _ => out.push_str(&one(word, lets, depth)?),
        }
    }
    out.push(')');
    if open == 0 { Ok(out) } else { Err("a ( without a )".to_owned()) }
}

fn one(word: &str, lets: &HashMap<String, String>, depth: usize) -> Result<String, String> {
    if let Some(name) = word.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        let words = lets.get(name).ok_or_else(|| format!("{name} is no name"))?;
        return pattern(words, lets, depth + 1);
    }
    let (stem, rest) = match word.strip_suffix('*') {
        Some(stem) => (stem, "[^ ]* "),
        None => (word, " "),
    };
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if stem.is_empty() || !stem.chars().all(is_plain) {
        return Err(format!("{word} is no plain word"));
    }
    Ok(format!("{stem}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_become_patterns() {
        let (rules, safe) = read(
            "safe = bath bomb | a b c\n[weapons high both]\n{how} .. (bomb* | two words)\n\
             let how = how to | {other}\nlet other = x",
        )
        .unwrap();
        let Rule { category, level, place, pattern } = &rules[0];
        assert_eq!((*category, *level, *place), (Category::Weapons, Level::High, Where::Both));
        let expected = " (?:(?:how to |(?:x ))(?:[^ ]+ ){0,4}(?:bomb[^ ]* |two words ))";
        assert_eq!(pattern, expected);
        assert_eq!(safe.length_at(&["bath", "bomb", "x"]), 2);
        assert_eq!(safe.length_at(&["bath"]), 0);
    }

    #[test]
    fn mistakes_say_their_line() {
        for (text, line, part) in [
            ("word", 1, "before any"),
            ("[weapons high]", 1, "side"),
            ("\n[weapons high both]\n(a", 3, "without"),
            ("[weapons high both]\na)", 2, "without"),
            ("[weapons high both]\n{x}", 2, "x is no name"),
            ("[weapons high both]\nÄ", 2, "plain"),
            ("let a = {a}\n[weapons high both]\n{a}", 3, "within"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.why.contains(part), "{error}");
        }
    }
}
