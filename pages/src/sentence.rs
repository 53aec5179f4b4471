//! What went wrong, as people read it.

/// An error as a sentence of its own: with a capital and a full stop.
pub fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_with_a_capital_and_ends() {
        assert_eq!(sentence(&"a name is needed"), "A name is needed.");
        assert_eq!(sentence(&"ß"), "SS.");
        assert_eq!(sentence(&""), ".");
    }
}
