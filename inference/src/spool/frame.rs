//! A record as a line: CRC-32 of the JSON in eight hexadecimal digits, a space, the JSON.
//!
//! JSON holds no line breaks of its own, so the next record is always found at the next line.

use super::Event;

/// The longest record, in bytes.
pub(super) const LONGEST: usize = 2048;

/// Digits and space.
const HEAD: usize = 9;

/// The line of an event, its end included; `None` if it is longer than [`LONGEST`].
pub(super) fn encode(event: &Event) -> Option<Vec<u8>> {
    let mut line = vec![b' '; HEAD];
    serde_json::to_writer(&mut line, event).ok()?;
    let digits = format!("{:08x}", crc32fast::hash(&line[HEAD..]));
    line[..HEAD - 1].copy_from_slice(digits.as_bytes());
    line.push(b'\n');
    (line.len() <= LONGEST).then_some(line)
}

/// The event of a line without its end; `None` if anything about it is wrong.
pub(super) fn decode(line: &[u8]) -> Option<Event> {
    let (digits, rest) = line.split_at_checked(HEAD - 1)?;
    let json = rest.strip_prefix(b" ")?;
    let crc = u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    if crc32fast::hash(json) != crc {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// Splits a damaged line into what is lost and the events that are whole: where the end of a line
/// was damaged, the next record is in the same line.
pub(super) fn salvage(line: &[u8]) -> (&[u8], Vec<Event>) {
    // Where a record may begin: at its space, eight digits in.
    let starts = line.windows(2).enumerate().filter(|(_, pair)| pair == b" {");
    for (space, _) in starts {
        let Some(at) = space.checked_sub(HEAD - 1).filter(|at| *at > 0) else { continue };
        let Some(second) = decode(&line[at..]) else { continue };
        return match decode(&line[..at - 1]) {
            Some(first) => (&line[at - 1..at], vec![first, second]),
            None => (&line[..at], vec![second]),
        };
    }
    (line, Vec::new())
}
