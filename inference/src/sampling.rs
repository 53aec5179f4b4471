//! Picks the next token from a model's numbers. Ours instead of an engine's, so that each answer
//! has a seed of its own and every engine draws alike: mistral.rs has one source of chance for all
//! requests, seeded with 0, so every start of the program would tell the same stories.

use uuid::Uuid;

use crate::engine::Job;

/// How one answer is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Sampling {
    /// 0 takes the likeliest token each time; 2 is wild.
    pub temperature: f32,
    /// Only the likeliest tokens that together reach this share, above 0 and at most 1.
    pub top_p: f32,
    /// The same seed, position and numbers draw the same token.
    pub seed: u64,
    /// How much less likely a token gets that the answer has used of late; 1 changes nothing.
    pub repetition: f32,
}

/// What counts for a job that does not say.
#[derive(Debug, Clone, Copy)]
pub struct Unset {
    /// See [`Sampling::temperature`].
    pub temperature: f32,
    /// See [`Sampling::top_p`].
    pub top_p: f32,
    /// See [`Sampling::repetition`].
    pub repetition: f32,
}

/// Below this the likeliest token is taken.
const LEAST_TEMPERATURE: f32 = 1e-3;
/// A token is not drawn that is `e` to this power less likely than the likeliest: all such together
/// would not come once in a million tokens, and weighing them takes longer than all else here.
const FAINT: f32 = 25.0;
/// How many of the last tokens count as of late.
const OF_LATE: usize = 96;

impl Sampling {
    /// How this job is drawn; by chance where it names no seed.
    pub fn of(job: &Job, unset: Unset) -> Self {
        Self {
            temperature: job.temperature.unwrap_or(unset.temperature),
            top_p: job.top_p.unwrap_or(unset.top_p),
            // A fresh random id is 122 bits of chance.
            seed: job.seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().1),
            repetition: unset.repetition,
        }
    }

    /// Whether the likeliest token is taken each time, without chance.
    pub fn takes_likeliest(&self) -> bool {
        self.temperature < LEAST_TEMPERATURE
    }

    /// Makes tokens less likely that `answer` used of late. Small models fall into saying one
    /// sentence for ever; this is what gets them out of it. Without chance nothing is changed:
    /// who asks for the likeliest token gets it.
    pub fn dampen(&self, logits: &mut [f32], answer: &[u32]) {
        if self.takes_likeliest() {
            return;
        }
        let mut of_late = answer[answer.len().saturating_sub(OF_LATE)..].to_vec();
        of_late.sort_unstable();
        of_late.dedup();
        for token in of_late {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit =
                    if *logit > 0.0 { *logit / self.repetition } else { *logit * self.repetition };
            }
        }
    }

    /// The next token at `position`, from the model's numbers; `None` if those are unusable.
    /// The same seed and position draw the same way again.
    pub fn pick(&self, logits: &[f32], position: usize) -> Option<usize> {
        let (likeliest, highest) = likeliest(logits)?;
        if self.takes_likeliest() {
            return Some(likeliest);
        }
        let weight = |logit: f32| ((logit - highest) / self.temperature).exp();
        let least = highest - FAINT * self.temperature;
        let mut tokens: Vec<(usize, f32)> = logits
            .iter()
            .enumerate()
            .filter(|(_, logit)| **logit > least)
            .map(|(token, logit)| (token, weight(*logit)))
            .collect();
        if self.top_p < 1.0 {
            keep_likeliest(&mut tokens, self.top_p);
        }
        let sum: f32 = tokens.iter().map(|(_, weight)| weight).sum();
        let mut left = share(self.seed, position) * sum;
        for (token, weight) in &tokens {
            left -= weight;
            if left < 0.0 {
                return Some(*token);
            }
        }
        // Rounding may leave a little.
        Some(likeliest)
    }
}

/// The highest of the usable numbers and its token.
pub fn likeliest(logits: &[f32]) -> Option<(usize, f32)> {
    let finite = logits.iter().copied().enumerate().filter(|(_, logit)| logit.is_finite());
    finite.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Leaves the likeliest tokens that together reach the share `top_p`, and only those.
fn keep_likeliest(tokens: &mut Vec<(usize, f32)>, top_p: f32) {
    let sum: f32 = tokens.iter().map(|(_, weight)| weight).sum();
    // All tokens below this weigh less than the share that is cut off, so none of them is kept;
    // what remains to be sorted is short.
    #[expect(clippy::cast_precision_loss, reason = "a vocabulary is far below 2^23")]
    let cutoff = sum * (1.0 - top_p) / tokens.len() as f32;
    tokens.retain(|(_, weight)| *weight >= cutoff);
    tokens.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
    let mut reached = 0.0;
    let enough = tokens.iter().position(|(_, weight)| {
        reached += weight;
        reached >= top_p * sum
    });
    tokens.truncate(enough.map_or(tokens.len(), |at| at + 1));
}

/// A number from 0 to below 1 for this seed and position (`SplitMix64`).
fn share(seed: u64, position: usize) -> f32 {
    let mut z = seed.wrapping_add((position as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let top = (z ^ (z >> 31)) >> 40;
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
    let share = top as f32 / 16_777_216.0;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [0.0, 3.0, 2.0, f32::NEG_INFINITY, 1.0];

    fn drawn(temperature: f32, top_p: f32) -> [usize; 5] {
        let mut counts = [0; 5];
        for seed in 0..10_000 {
            let sampling = Sampling { temperature, top_p, seed, repetition: 1.0 };
            counts[sampling.pick(&LOGITS, 7).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn without_temperature_the_likeliest_is_taken() {
        assert_eq!(drawn(0.0, 1.0), [0, 10_000, 0, 0, 0]);
    }

    #[test]
    fn chances_follow_the_numbers() {
        let [a, b, c, never, e] = drawn(1.0, 1.0);
        assert_eq!(never, 0);
        // e^0, e^3, e^2, e^1 over their sum.
        for (count, expected) in [(a, 321), (b, 6439), (c, 2369), (e, 871)] {
            assert!(count.abs_diff(expected) < 200, "{count} {expected}");
        }
    }

    #[test]
    fn top_p_leaves_only_the_likeliest() {
        let [a, b, c, _, e] = drawn(1.0, 0.8);
        assert_eq!((a, e), (0, 0));
        assert!(b > 7000 && c > 2300, "{b} {c}");
        assert_eq!(drawn(1.0, 0.1), [0, 10_000, 0, 0, 0]);
    }

    #[test]
    fn a_seed_draws_the_same_again_and_positions_differ() {
        let draw = |seed| {
            let sampling = Sampling { temperature: 2.0, top_p: 1.0, seed, repetition: 1.0 };
            (0..20).map(|at| sampling.pick(&LOGITS, at).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
        assert!(draw(5).iter().any(|token| *token != draw(5)[0]));
    }

    #[test]
    fn what_was_said_of_late_gets_less_likely_unless_the_likeliest_is_asked_for() {
        let mut sampling = Sampling { temperature: 0.5, top_p: 1.0, seed: 0, repetition: 2.0 };
        let mut logits = [4.0, -1.0, 3.0];
        sampling.dampen(&mut logits, &[0, 1, 0, 99]);
        assert_eq!(logits.map(f32::to_bits), [2.0, -2.0, 3.0_f32].map(f32::to_bits));
        let long_ago: Vec<u32> = std::iter::once(2).chain([1; OF_LATE]).collect();
        sampling.dampen(&mut logits, &long_ago);
        assert_eq!(logits[2].to_bits(), 3.0_f32.to_bits());
        sampling.temperature = 0.0;
        sampling.dampen(&mut logits, &[2]);
        assert_eq!(logits[2].to_bits(), 3.0_f32.to_bits());
    }

    #[test]
    fn unusable_numbers_are_told() {
        let sampling = Sampling { temperature: 1.0, top_p: 1.0, seed: 0, repetition: 1.0 };
        assert_eq!(sampling.pick(&[f32::NAN, f32::NAN], 0), None);
        assert_eq!(sampling.pick(&[f32::NAN, 1.0], 0), Some(1));
    }
}
