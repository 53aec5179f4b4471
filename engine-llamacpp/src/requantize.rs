//! From `Q4_1` to `Q8_0`: each number in eight bits instead of four, which says the same.

use half::f16;

/// Numbers that share a scale, in both encodings.
const BLOCK: usize = 32;
/// Bytes of a block of `Q4_1`: scale, least number, and half a byte for each number.
pub(crate) const Q4_1_BYTES: usize = 20;
/// Bytes of a block of `Q8_0`: scale, and a byte for each number.
pub(crate) const Q8_0_BYTES: usize = 34;

/// Encodes whole blocks anew.
pub(crate) fn requantize(q4_1: &[u8]) -> Vec<u8> {
    q4_1.chunks_exact(Q4_1_BYTES).flat_map(|block| encode(&decode(block))).collect()
}

fn decode(block: &[u8]) -> [f32; BLOCK] {
    let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
    let least = f16::from_le_bytes([block[2], block[3]]).to_f32();
    let mut numbers = [0.0; BLOCK];
    for (at, byte) in block[4..].iter().enumerate() {
        numbers[at] = f32::from(byte & 15) * scale + least;
        numbers[at + BLOCK / 2] = f32::from(byte >> 4) * scale + least;
    }
    numbers
}

fn encode(numbers: &[f32; BLOCK]) -> [u8; Q8_0_BYTES] {
    let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let scale = largest / 127.0;
    let steps = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut block = [0; Q8_0_BYTES];
    block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (byte, number) in block[2..].iter_mut().zip(numbers) {
        #[expect(clippy::cast_possible_truncation, reason = "at most 127 and -127")]
        let step = (number * steps).round() as i8;
        *byte = step.cast_unsigned();
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_what_they_were_but_for_half_a_step() {
        for (scale, least) in [(0.25_f32, -2.0_f32), (0.001, 0.01), (3.0, -7.5), (0.0, 0.0)] {
            let mut block = vec![];
            block.extend(f16::from_f32(scale).to_le_bytes());
            block.extend(f16::from_f32(least).to_le_bytes());
            block.extend((0..16_u8).map(|at| at | ((15 - at) << 4)));
            let before = decode(&block);
            let encoded = requantize(&block);
            assert_eq!(encoded.len(), Q8_0_BYTES);
            let step = f16::from_le_bytes([encoded[0], encoded[1]]).to_f32();
            for (byte, before) in encoded[2..].iter().zip(before) {
                let after = f32::from(byte.cast_signed()) * step;
                assert!((after - before).abs() <= step * 0.6, "{before} became {after}");
            }
        }
    }
}
