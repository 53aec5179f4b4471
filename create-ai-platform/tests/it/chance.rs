//! Chance that can be had again: `SOULFRA_SEED` repeats a run, whose seed is printed.

use std::hash::{BuildHasher, RandomState};

/// Random numbers (`SplitMix64`).
pub(crate) struct Chance(u64);

impl Chance {
    /// From the seed that was asked for, or a new one.
    pub(crate) fn new() -> Self {
        let seed = number("SOULFRA_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
        println!("SOULFRA_SEED={seed}");
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A number that the test is asked to use.
pub(crate) fn number<N: std::str::FromStr>(name: &str) -> Option<N> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}
