//! Chance that can be repeated.

/// Numbers of a seed (`SplitMix64`).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        let span = u64::try_from(high - low).unwrap_or(u64::MAX - 1) + 1;
        low + usize::try_from(self.next() % span).unwrap_or_default()
    }

    /// So many words, of which no others begin alike.
    pub(crate) fn words(&mut self, count: usize) -> String {
        const WORDS: [&str; 32] = [
            "sea", "hill", "bread", "iron", "cloud", "seven", "river", "glass", "wolf", "music",
            "north", "paper", "stone", "apple", "winter", "light", "horse", "salt", "green",
            "door", "ship", "night", "field", "king", "road", "milk", "tree", "gold", "rain",
            "house", "fire", "bird",
        ];
        let words: Vec<_> = (0..count).map(|_| WORDS[self.between(0, WORDS.len() - 1)]).collect();
        words.join(" ")
    }

    /// Sixteen digits and letters.
    pub(crate) fn token(&mut self) -> String {
        format!("{:016x}", self.next())
    }
}
