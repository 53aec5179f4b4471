//! Random harm, the same for the same seed.

/// A source of chance. `SplitMix64`: the same seed gives the same harm.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let drawn = self.next() % (end as u64).max(1);
        usize::try_from(drawn).unwrap_or_default()
    }

    /// Bytes of no meaning.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes()[0]).take(count).collect()
    }

    /// Changes up to eight places of `bytes`: a bit, a byte, a number that is at the edge of
    /// something, a few bytes less or more, or the end.
    pub fn harm(&mut self, bytes: &mut Vec<u8>) {
        const EDGES: [u64; 10] = [
            0,
            1,
            8,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            1 << 32,
            i64::MAX as u64,
            u64::MAX - 7,
            u64::MAX,
        ];
        for _ in 0..=self.below(8) {
            let place = self.below(bytes.len());
            match self.below(12) {
                0..=3 => change(bytes, place, |byte| byte ^ (1 << (place % 8))),
                4 | 5 => {
                    let drawn = self.bytes(1)[0];
                    change(bytes, place, |_| drawn);
                }
                6..=9 => {
                    let edge = EDGES[self.below(EDGES.len())].to_le_bytes();
                    let width = [1, 4, 8][self.below(3)];
                    let end = bytes.len().min(place + width);
                    bytes[place..end].copy_from_slice(&edge[..end - place]);
                }
                10 => {
                    let end = bytes.len().min(place + 1 + self.below(16));
                    let part: Vec<u8> = bytes.drain(place..end).collect();
                    if self.below(2) == 0 {
                        let again = self.below(bytes.len());
                        bytes.splice(again..again, part);
                    }
                }
                // Rarely: what is cut early says little about what comes late.
                _ if self.below(8) == 0 => bytes.truncate(place),
                _ => {}
            }
        }
    }
}

fn change(bytes: &mut [u8], place: usize, how: impl Fn(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(place) {
        *byte = how(*byte);
    }
}
