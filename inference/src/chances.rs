//! How likely tokens are, as natural logarithms, from a model's numbers.

/// A token with the logarithm of its chance.
pub fn with_logarithm(logits: &[f32], token: usize) -> (u32, f32) {
    let logit = logits.get(token).copied().unwrap_or(f32::NEG_INFINITY);
    (id(token), logit - sum(logits))
}

/// So many of the likeliest tokens, likeliest first.
pub fn likeliest_of(logits: &[f32], count: usize) -> Vec<(u32, f32)> {
    let sum = sum(logits);
    let mut tokens: Vec<_> = logits.iter().copied().enumerate().collect();
    let by_chance = |one: &(usize, f32), other: &(usize, f32)| other.1.total_cmp(&one.1);
    if count == 0 {
        return Vec::new();
    }
    if count < tokens.len() {
        tokens.select_nth_unstable_by(count - 1, by_chance);
        tokens.truncate(count);
    }
    tokens.sort_unstable_by(by_chance);
    tokens.into_iter().map(|(token, logit)| (id(token), logit - sum)).collect()
}

/// The logarithm of the sum of all, taken from the highest on so that nothing overflows.
fn sum(logits: &[f32]) -> f32 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    highest + logits.iter().map(|logit| (logit - highest).exp()).sum::<f32>().ln()
}

fn id(token: usize) -> u32 {
    u32::try_from(token).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_add_up_and_the_likeliest_come_first() {
        let logits = [1000.0, 1002.0, 1001.0, f32::NEG_INFINITY];
        let all = likeliest_of(&logits, 4);
        assert_eq!(all.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [1, 2, 0, 3]);
        let sum: f32 = all.iter().map(|(_, logarithm)| logarithm.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        assert_eq!(likeliest_of(&logits, 1), [with_logarithm(&logits, 1)]);
        assert!(likeliest_of(&logits, 0).is_empty());
    }
}
