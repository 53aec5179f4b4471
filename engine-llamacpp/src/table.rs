//! The tables at the beginning of a GGUF file: keys and values, which are taken over as they are,
//! and where each tensor lies. Only files are read that were checked; an error here means that one
//! has changed since.

use std::io::{self, Write};

use crate::requantize::Q4_1_BYTES;

/// The format's number for `Q4_1`.
pub(crate) const Q4_1: u32 = 3;
/// The format's number for `Q8_0`.
pub(crate) const Q8_0: u32 = 8;

/// What stands before the tensors.
pub(crate) struct Table {
    /// Everything up to the table of tensors.
    keys: Vec<u8>,
    pub(crate) alignment: u64,
    pub(crate) tensors: Vec<Tensor>,
}

/// A line of the table of tensors.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    /// Name and shape as they stand there.
    head: Vec<u8>,
    /// How its numbers are packed.
    pub(crate) kind: u32,
    /// From the beginning of the data.
    pub(crate) offset: u64,
    /// How much it takes; where the packing is none of those named here, all up to the next.
    pub(crate) bytes: u64,
}

impl Table {
    /// Reads the tables of a file, whose tensors take `data` bytes.
    pub(crate) fn read(tables: &[u8], data: u64) -> io::Result<Self> {
        let mut rest = Rest(tables);
        rest.take(8)?;
        let (tensors, keys) = (rest.u64()?, rest.u64()?);
        let mut alignment = 32;
        for _ in 0..keys {
            let key = rest.text()?;
            let kind = rest.u32()?;
            let value = rest.value(kind)?;
            if let (b"general.alignment", Ok(value)) = (key, value.try_into()) {
                alignment = u64::from(u32::from_le_bytes(value)).max(1);
            }
        }
        let keys = tables[..tables.len() - rest.0.len()].to_vec();
        let tensors = (0..tensors).map(|_| rest.tensor()).collect::<io::Result<Vec<_>>>()?;
        let mut table = Self { keys, alignment, tensors };
        table.find_ends(data);
        Ok(table)
    }

    fn find_ends(&mut self, data: u64) {
        let mut begins: Vec<u64> = self.tensors.iter().map(|tensor| tensor.offset).collect();
        begins.push(data);
        begins.sort_unstable();
        for tensor in self.tensors.iter_mut().filter(|tensor| tensor.bytes == 0) {
            let next = begins.partition_point(|begin| *begin <= tensor.offset);
            let end = begins.get(next).copied().unwrap_or(data);
            tensor.bytes = end.saturating_sub(tensor.offset);
        }
    }

    /// Writes the tables with other tensors of the same number, up to where the data begins.
    pub(crate) fn write(&self, tensors: &[Tensor], to: &mut impl Write) -> io::Result<()> {
        let mut bytes = self.keys.clone();
        for tensor in tensors {
            bytes.extend(&tensor.head);
            bytes.extend(tensor.kind.to_le_bytes());
            bytes.extend(tensor.offset.to_le_bytes());
        }
        let alignment = usize::try_from(self.alignment).unwrap_or(1);
        bytes.resize(bytes.len().next_multiple_of(alignment), 0);
        to.write_all(&bytes)
    }
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: u64) -> io::Result<&'a [u8]> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let (taken, rest) = self.0.split_at_checked(count).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N as u64)?.try_into().map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    fn u32(&mut self) -> io::Result<u32> {
        self.number().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> io::Result<u64> {
        self.number().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> io::Result<&'a [u8]> {
        let length = self.u64()?;
        self.take(length)
    }

    /// The bytes of a value of this kind; none of those that have a length of their own.
    fn value(&mut self, kind: u32) -> io::Result<&'a [u8]> {
        const TEXT: u32 = 8;
        const LIST: u32 = 9;
        match kind {
            TEXT => _ = self.text()?,
            LIST => {
                let (kind, count) = (self.u32()?, self.u64()?);
                match size(kind) {
                    Some(size) => _ = self.take(count.saturating_mul(size))?,
                    None if kind == TEXT => {
                        for _ in 0..count {
                            self.text()?;
                        }
                    }
                    None => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
            other => return self.take(size(other).ok_or(io::ErrorKind::InvalidData)?),
        }
        Ok(&[])
    }

    fn tensor(&mut self) -> io::Result<Tensor> {
        let begin = self.0;
        self.text()?;
        let mut numbers: u64 = 1;
        for _ in 0..self.u32()? {
            numbers = numbers.saturating_mul(self.u64()?);
        }
        let head = begin[..begin.len() - self.0.len()].to_vec();
        let (kind, offset) = (self.u32()?, self.u64()?);
        let bytes = if kind == Q4_1 { numbers / 32 * Q4_1_BYTES as u64 } else { 0 };
        Ok(Tensor { head, kind, offset, bytes })
    }
}

/// Bytes of values that all have the same.
fn size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
