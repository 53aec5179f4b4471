//! Chance that can be repeated.

/// `SplitMix64`: small, and the same everywhere.
pub struct Chance(u64);

impl Chance {
    /// Chance from `SOULFRA_SEED`, or from the usual seed; says which.
    pub fn seeded(usual: u64) -> Self {
        let asked = std::env::var_os("SOULFRA_SEED");
        let seed = asked.and_then(|seed| seed.to_str()?.parse().ok()).unwrap_or(usual);
        println!("SOULFRA_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub fn maybe(&mut self) -> bool {
        self.below(2) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
