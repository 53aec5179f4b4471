//! Reads a header without believing it: never past the file's end, never more than a header has,
//! and no memory for what has not been there yet.

use std::io::{self, Read};

use crate::models::bad_file::{BadFile, at_most};

/// A header's bytes. The largest vocabularies of today make 20 MB.
const HEADER: u64 = 64 << 20;

pub(super) struct Reader<R> {
    from: R,
    /// Bytes read; never more than `file`.
    at: u64,
    /// Bytes of the whole file.
    file: u64,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(from: R, file: u64) -> Self {
        Self { from, at: 0, file }
    }

    /// Where the next byte is.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// How large the whole file is.
    pub(super) fn file(&self) -> u64 {
        self.file
    }

    /// So many bytes are about to be read.
    fn claim(&mut self, bytes: u64) -> Result<(), BadFile> {
        if bytes > self.file - self.at {
            return Err(BadFile::Truncated { at: self.at, needed: bytes });
        }
        at_most("bytes of header", self.at + bytes, HEADER)?;
        self.at += bytes;
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), BadFile> {
        let (at, needed) = (self.at, buffer.len() as u64);
        self.claim(needed)?;
        self.from.read_exact(buffer).map_err(|error| match error.kind() {
            // It shrank while it was read.
            io::ErrorKind::UnexpectedEof => BadFile::Truncated { at, needed },
            _ => error.into(),
        })
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], BadFile> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, BadFile> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, BadFile> {
        self.take().map(u64::from_le_bytes)
    }

    /// Reads over so many bytes.
    pub(super) fn skip(&mut self, mut bytes: u64) -> Result<(), BadFile> {
        let mut scratch = [0; 4096];
        // Before anything is read: a claim that cannot be met is told as a whole.
        if bytes > self.file - self.at {
            return Err(BadFile::Truncated { at: self.at, needed: bytes });
        }
        while bytes > 0 {
            let most = bytes.min(scratch.len() as u64);
            let now = usize::try_from(most).unwrap_or(scratch.len());
            self.fill(&mut scratch[..now])?;
            bytes -= most;
        }
        Ok(())
    }

    /// Reads a length and as many bytes into `buffer`, whose old content is gone then.
    pub(super) fn text(
        &mut self,
        what: &'static str,
        limit: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<(), BadFile> {
        let length = self.u64()?;
        at_most(what, length, limit)?;
        if length > self.file - self.at {
            return Err(BadFile::Truncated { at: self.at, needed: length });
        }
        buffer.clear();
        buffer.resize(usize::try_from(length).unwrap_or_default(), 0);
        self.fill(buffer)
    }
}
