//! Secrets and numbers of people as they are written: cards, numbers of accounts and of identity,
//! keys. Where there is a check digit it has to fit, so that other numbers pass.

use super::watcher::Watcher;

/// A form, and what else must hold for it.
struct Form {
    pattern: &'static str,
    is_real: fn(&str) -> bool,
}

const FORMS: [Form; 12] = [
    // Cards in fours, or six and five.
    Form {
        pattern: r"\b(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6011|65\d{2})[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b",
        is_real: luhn,
    },
    Form { pattern: r"\b3[47]\d{2}[ -]?\d{6}[ -]?\d{5}\b", is_real: luhn },
    // Social security, United States.
    Form { pattern: r"\b\d{3}-\d{2}-\d{4}\b", is_real: ssn },
    // Accounts, international.
    Form { pattern: r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", is_real: iban },
    // Identity, Spain.
    Form { pattern: r"\b(?:\d{8}|[XYZ]\d{7})[A-Z]\b", is_real: dni },
    // National insurance, United Kingdom.
    Form { pattern: r"\b[A-CEGHJ-PQR-TW-Z][A-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b", is_real: always },
    Form { pattern: r"\bAKIA[0-9A-Z]{16}\b", is_real: always },
    Form { pattern: r"\bgh[pousr]_[A-Za-z0-9]{36}", is_real: always },
    Form { pattern: r"\bsk-[A-Za-z0-9_-]{20}", is_real: always },
    Form { pattern: r"\bxox[abpr]-[0-9A-Za-z-]{10}", is_real: always },
    Form { pattern: r"\bAIza[0-9A-Za-z_-]{35}", is_real: always },
    Form { pattern: r"-----BEGIN (?:[A-Z]+ ){0,2}PRIVATE KEY-----", is_real: always },
];

/// Finds them.
pub(super) struct Data(Watcher);

impl Data {
    pub(super) fn new() -> Option<Self> {
        let patterns: Vec<_> = FORMS.iter().map(|form| form.pattern.to_owned()).collect();
        Watcher::new(&patterns).map(Self)
    }

    /// Where the first one begins; one that ends with the text counts only if that `is_whole`.
    ///
    /// Behind the first byte of one that is not real another may begin. Those that need not be real
    /// are short, so the time is in proportion to the text all the same.
    pub(super) fn find(&self, text: &str, is_whole: bool) -> Option<usize> {
        let mut from = 0;
        while let Some((form, at)) = self.0.first_from(text, from) {
            if at.end == text.len() && !is_whole {
                return None;
            }
            if (FORMS[form].is_real)(&text[at.clone()]) {
                return Some(at.start);
            }
            from = at.start + 1;
        }
        None
    }

    /// Where something begins that may become one.
    pub(super) fn open_from(&self, text: &str) -> Option<usize> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric();
        let bytes = text.as_bytes();
        let starts = (0..bytes.len()).filter(|&at| {
            let begins = is_word(bytes[at]) && (at == 0 || !is_word(bytes[at - 1]));
            begins || (bytes[at] == b'-' && (at == 0 || bytes[at - 1] != b'-'))
        });
        // A boundary looks at the byte before, so the walk is over the whole text.
        starts.into_iter().find(|&at| self.0.is_open(text, at))
    }
}

fn always(_: &str) -> bool {
    true
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.chars().filter_map(|c| c.to_digit(10))
}

/// Every second digit from the right doubled, all of their digits summed: a multiple of ten.
fn luhn(text: &str) -> bool {
    let doubled = |(at, digit): (usize, u32)| match digit {
        digit if at % 2 == 0 => digit,
        digit if digit > 4 => 2 * digit - 9,
        digit => 2 * digit,
    };
    digits(text).rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn ssn(text: &str) -> bool {
    let is_area = !matches!(&text[..3], "000" | "666") && !text.starts_with('9');
    is_area && &text[4..6] != "00" && &text[7..] != "0000"
}

/// An account's number, or the beginning of what was taken for one: in capitals the next words look
/// like a part of it.
fn iban(text: &str) -> bool {
    let ends = text.match_indices(' ').map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().any(|end| has_rest_of_one(&text[..end]))
}

/// With the first four characters last and letters as 10 to 35, one more than a multiple of 97.
fn has_rest_of_one(text: &str) -> bool {
    let plain: Vec<u32> = text.chars().filter_map(|c| c.to_digit(36)).collect();
    let Some((first, others)) = plain.split_at_checked(4) else { return false };
    let turned = others.iter().chain(first);
    let rest =
        turned.fold(0, |rest, &value| (rest * if value > 9 { 100 } else { 10 } + value) % 97);
    plain.len() >= 15 && rest == 1
}

/// The letter is the number's rest by 23; X, Y and Z are 0, 1 and 2.
fn dni(text: &str) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let number = text.bytes().take(8).fold(0_usize, |number, byte| {
        let digit = match byte {
            b'X'..=b'Z' => byte - b'X',
            byte => byte - b'0',
        };
        number * 10 + usize::from(digit)
    });
    text.bytes().last() == LETTERS.get(number % 23).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_ones_are_found_and_others_pass() {
        let data = Data::new().unwrap();
        for real in [
            "4111 1111 1111 1111",
            "5500-0000-0000-0004",
            "378282246310005",
            "219-09-9999",
            "DE89 3704 0044 0532 0130 00",
            "GB82WEST12345698765432",
            "12345678Z",
            "X1234567L",
            "QQ123456C",
            "AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            let text = format!("it is {real}, yes");
            assert_eq!(data.find(&text, false), Some(6), "{real}");
            assert_eq!(data.find(real, true), Some(0), "{real}");
            assert_eq!(data.find(real, false), None, "{real} may go on");
            // Wherever it is cut, the first half is held back.
            for at in 1..real.len() {
                assert_eq!(data.open_from(&real[..at]), Some(0), "{}", &real[..at]);
            }
        }
        for other in [
            "4111 1111 1111 1112",
            "978-3-16-148410-0",
            "+49 30 1234567",
            "000-12-3456",
            "DE89 3704 0044 0532 0130 01",
            "12345678A",
            "2026-11-21",
            "3.14159265358979323846",
        ] {
            assert_eq!(data.find(&format!("it is {other}, yes"), true), None, "{other}");
        }
    }

    #[test]
    fn what_only_looks_like_one_hides_none() {
        let data = Data::new().unwrap();
        for (text, at) in [
            ("XX00 4111 1111 1111 1111", 5),
            ("XX00 4111 1111 1111 1112, 4111 1111 1111 1111", 26),
            ("AA11 BB22 DE89 3704 0044 0532 0130 00", 10),
            ("DE89 3704 0044 0532 0130 00 IS WHERE IT GOES", 0),
        ] {
            assert_eq!(data.find(text, true), Some(at), "{text}");
        }
    }

    #[test]
    fn plain_text_is_never_held_back_for_long() {
        let data = Data::new().unwrap();
        assert_eq!(data.open_from("In 1999, 20 people and 300 cats."), None);
        assert_eq!(data.open_from("call 4"), Some(5));
        assert_eq!(data.open_from("call 4 of"), None);
    }
}
