//! An edge on a real database, with real TLS and real platforms behind it.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod abuse;
mod assets;
mod confusion;
mod forwarding;
mod rig;
mod serving;
mod sleeping;
mod streams;

use rig::Rig;

/// A number that whoever starts the tests may say.
#[expect(clippy::disallowed_methods, reason = "soaks say how many")]
fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |said| said.parse().unwrap())
}

/// Chance that comes again with the same seed: `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }
}
