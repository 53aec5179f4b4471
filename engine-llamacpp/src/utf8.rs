//! Whole characters from tokens that may be parts of them.

/// Holds back the beginning of a character until the rest has come.
#[derive(Debug, Default)]
pub(crate) struct Utf8(Vec<u8>);

impl Utf8 {
    /// Takes the next bytes and says what can be shown. What can be no character is U+FFFD.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.0.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.0);
        let mut text = String::new();
        let mut rest = held.as_slice();
        while let Err(error) = std::str::from_utf8(rest) {
            let (whole, broken) = rest.split_at(error.valid_up_to());
            text.push_str(&String::from_utf8_lossy(whole));
            let Some(length) = error.error_len() else {
                self.0 = broken.to_vec();
                return text;
            };
            text.push(char::REPLACEMENT_CHARACTER);
            rest = &broken[length..];
        }
        text.push_str(&String::from_utf8_lossy(rest));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_come_whole_however_they_are_cut() {
        let text = "aß→🙂 done";
        for size in 1..=5 {
            let mut utf8 = Utf8::default();
            let shown: Vec<_> = text.as_bytes().chunks(size).map(|cut| utf8.push(cut)).collect();
            assert_eq!(shown.concat(), text, "{size} bytes at a time: {shown:?}");
        }
    }

    #[test]
    fn what_is_no_character_is_shown_as_such_and_a_half_one_is_held_back() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push(b"a\xffb\xc3"), "a\u{fffd}b");
        assert_eq!(utf8.push(b"("), "\u{fffd}(");
        assert_eq!(utf8.push(b"\xf0\x9f"), "");
        assert_eq!(utf8.push(b"\x99\x82"), "🙂");
    }
}
