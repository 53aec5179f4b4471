//! Chance that is the same for the same seed (`SplitMix64`).

use std::ops::RangeInclusive;

#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Another sequence for each seed and number.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of them, each as likely.
    pub(super) fn within(&mut self, range: &RangeInclusive<usize>) -> usize {
        let many = (range.end() - range.start()) as u64 + 1;
        range.start() + usize::try_from(self.next() % many).unwrap_or_default()
    }

    /// Nanoseconds to the next of events that come so often in a second on average, whenever they
    /// like.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // chance needs no exactness, and the result is positive
    pub(super) fn gap(&mut self, per_second: f64) -> u64 {
        let share = ((self.next() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        (-share.ln() / per_second * 1e9) as u64
    }
}
