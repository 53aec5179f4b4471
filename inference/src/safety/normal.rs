//! Text as plain words, however it was written: small letters without accents, look-alikes as what
//! they look like, digits and signs within words as the letters they stand for, letters with
//! spaces between them as the word they make.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::phrases::Phrases;

/// The longest word, in bytes; the rest of it is left out.
const WORD: usize = 64;
/// So many single letters in a row are a word.
const SPELLED: usize = 3;

/// Words, and where they came from.
#[derive(Debug, Default)]
pub(super) struct Normal {
    /// A space, then each word and a space; none after one that may go on.
    pub(super) text: String,
    /// For each word the place of the space before it in `text`, and of its first byte in the
    /// original.
    places: Vec<(usize, usize)>,
    /// From this byte of the original on, more text may change the words that are there.
    pub(super) unsure_from: Option<usize>,
}

#[derive(Debug, Clone)]
struct Token {
    text: String,
    from: usize,
}

/// What a character does.
enum Class {
    Part,
    Nothing,
    Separates,
}

fn class(c: char) -> Class {
    match c {
        '\''
        | '’'
        | '`'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e0fff}' => Class::Nothing,
        '@' | '$' | '!' => Class::Part,
        c if is_combining_mark(c) => Class::Nothing,
        c if c.is_alphanumeric() => Class::Part,
        _ => Class::Separates,
    }
}

/// Whether a text ends within a word.
pub(super) fn ends_within_word(text: &str) -> Option<bool> {
    text.chars().rev().find_map(|c| match class(c) {
        Class::Nothing => None,
        Class::Part => Some(true),
        Class::Separates => Some(false),
    })
}

/// The words of `text`. `begins_within` says that its first word is the rest of one that was seen
/// before, and `is_whole` that nothing follows.
pub(super) fn normalise(text: &str, begins_within: bool, is_whole: bool, safe: &Phrases) -> Normal {
    let mut tokens: Vec<Token> = Vec::new();
    let mut word: Option<Token> = None;
    let mut skips = begins_within;
    for (at, c) in text.char_indices() {
        match class(c) {
            Class::Nothing => {}
            Class::Separates => {
                skips = false;
                tokens.extend(word.take());
            }
            Class::Part if skips => {}
            Class::Part => {
                let word = word.get_or_insert_with(|| Token { text: String::new(), from: at });
                if word.text.len() < WORD {
                    word.text.extend(folded(c));
                }
            }
        }
    }
    let is_open = word.is_some() && !is_whole;
    tokens.extend(word);
    let unsure_from = if is_whole { None } else { unsure(&tokens, is_open) };
    let is_open = is_open && tokens.last().is_some_and(|last| !plain(&last.text).is_empty());
    let words: Vec<Token> = tokens
        .into_iter()
        .map(|token| Token { text: plain(&token.text), ..token })
        .filter(|token| !token.text.is_empty())
        .collect();
    let words = spelled_together(&words);
    join(&words, is_open, safe, unsure_from)
}

/// Small, without accents, compatible forms as the plain ones, look-alikes as Latin.
fn folded(c: char) -> impl Iterator<Item = char> {
    let plain = std::iter::once(c).nfkd().filter(|c| !is_combining_mark(*c));
    plain.flat_map(char::to_lowercase).map(|c| match c {
        'а' | 'α' => 'a',
        'в' | 'β' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' | 'є' => 'e',
        'ɡ' => 'g',
        'һ' => 'h',
        'і' | 'ι' | 'ı' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' | 'ł' => 'l',
        'м' => 'm',
        'ո' | 'η' => 'n',
        'о' | 'ο' | 'ø' | 'σ' => 'o',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ѵ' | 'ν' => 'v',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        c => c,
    })
}

/// Signs that only end a word gone, and within words signs and digits as letters.
fn plain(word: &str) -> String {
    let word = word.trim_matches('!');
    if !word.contains(char::is_alphabetic) {
        return word.chars().filter(|c| c.is_alphanumeric()).collect();
    }
    let letter = |c| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    };
    word.chars().map(letter).collect()
}

fn is_letter(token: &Token) -> bool {
    let mut chars = token.text.chars();
    chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
}

/// Where words begin that more text may change: single letters, which may be spelling a word, and
/// an open word without letters, whose digits may come to stand for some.
fn unsure(tokens: &[Token], is_open: bool) -> Option<usize> {
    let letters = tokens.iter().rev().take_while(|token| is_letter(token)).last();
    let no_letters = |token: &&Token| !token.text.contains(char::is_alphabetic);
    let digits = tokens.last().filter(|_| is_open).filter(no_letters);
    letters.or(digits).map(|token| token.from)
}

/// Letters in a row as the word they make; `a b o m b` as it is and as `a bomb`.
fn spelled_together(words: &[Token]) -> Vec<Token> {
    let mut all = Vec::with_capacity(words.len());
    for run in words.chunk_by(|left, right| is_letter(left) && is_letter(right)) {
        if run.len() < SPELLED {
            all.extend_from_slice(run);
            continue;
        }
        let spelled = |run: &[Token]| Token {
            text: run.iter().map(|token| token.text.as_str()).collect(),
            from: run[0].from,
        };
        all.push(spelled(run));
        let begins_alone = matches!(run[0].text.as_str(), "a" | "i");
        if begins_alone && run.len() > SPELLED {
            all.push(run[0].clone());
            all.push(spelled(&run[1..]));
        }
    }
    all
}

fn join(words: &[Token], is_open: bool, safe: &Phrases, unsure_from: Option<usize>) -> Normal {
    let mut normal = Normal { text: " ".to_owned(), unsure_from, ..Normal::default() };
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let mut at = 0;
    while at < words.len() {
        let known = safe.length_at(&texts[at..]);
        normal.places.push((normal.text.len() - 1, words[at].from));
        normal.text.push_str(if known > 0 { "-" } else { texts[at] });
        normal.text.push(' ');
        at += known.max(1);
    }
    if is_open {
        normal.text.pop();
    }
    normal
}

impl Normal {
    /// The place in the original of the word at, or the next before, this byte of `text`.
    pub(super) fn original(&self, at: usize) -> usize {
        let words = self.places.partition_point(|(place, _)| *place <= at);
        words.checked_sub(1).map_or(0, |word| self.places[word].1)
    }

    /// For each word the place of the space before it, and its place in the original.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        self.places.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        normalise(text, false, true, &Phrases::default()).text
    }

    #[test]
    fn words_are_plain_however_they_are_written() {
        for (text, expected) in [
            ("Hello, World!", " hello world "),
            ("Ça va, Zoë? ﬁne ①", " ca va zoe fine 1 "),
            ("h0w t0 m4ke $ense 2024 4!", " how to make sense 2024 4 "),
            ("b\u{200b}o\u{ad}mb k\u{301}ill", " bomb kill "),
            ("аbс ｆｕｌｌ 𝓫𝓸𝓵𝓭", " abc full bold "),
            ("b.o.m.b and b o m b", " bomb and bomb "),
            ("make a b o m b", " make abomb a bomb "),
            ("don't x y", " dont x y "),
            ("", " "),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn each_word_knows_where_it_came_from() {
        let text = "Ünd — b o m b, ok";
        let normal = normalise(text, false, true, &Phrases::default());
        let found: Vec<_> = normal.places().map(|(_, from)| &text[from..]).collect();
        assert_eq!(found, ["Ünd — b o m b, ok", "b o m b, ok", "ok"]);
        assert_eq!(normal.original(5), normal.places[1].1);
    }

    #[test]
    fn what_may_change_is_known() {
        let unsure = |text: &str| normalise(text, false, false, &Phrases::default()).unsure_from;
        assert_eq!(unsure("one two"), None);
        assert_eq!(unsure("one b o"), Some(4));
        assert_eq!(unsure("one 4"), Some(4));
        assert_eq!(unsure("one 4 "), None);
    }

    #[test]
    fn the_rest_of_a_word_is_no_word() {
        let normal = normalise("sex rules", true, true, &Phrases::default());
        assert_eq!(normal.text, " rules ");
    }
}
