//! What kind of file is it? Two formats are taken that hold numbers and nothing to run. The others
//! are told by their first bytes, whatever the file is called.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::bad_file::BadFile;
use super::gguf::{self, Gguf};
use super::safetensors::{self, Safetensors};

/// A file that passed its format's check.
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// A model to talk to, tokenizer and template included.
    Gguf(Gguf),
    /// Tensors only.
    Safetensors(Safetensors),
}

/// Checks the header of a model file, whichever of the two formats it has. Reads no tensor and
/// allocates nothing because the file says so. Blocks, for some milliseconds.
pub fn check(path: &Path) -> Result<Checked, BadFile> {
    let (mut file, bytes) = open(path)?;
    let mut first = [0; 4];
    let read = read_up_to(&mut file, &mut first)?;
    file.seek(SeekFrom::Start(0))?;
    if first[..read] == *gguf::MAGIC {
        return gguf::read(file, bytes).map(Checked::Gguf);
    }
    safetensors::read(file, bytes).map(Checked::Safetensors)
}

/// Opens a plain file, and nothing that might wait for somebody.
pub(super) fn open(path: &Path) -> Result<(File, u64), BadFile> {
    const NO_WAITING: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(NO_WAITING).open(path)?;
    let about = file.metadata()?;
    if about.is_file() { Ok((file, about.len())) } else { Err(BadFile::NotAFile) }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// What a file is that begins so, if it is known and neither of the two formats.
pub(super) fn other_kind(first: &[u8]) -> Option<&'static str> {
    const KINDS: &[(&[u8], &str)] = &[
        (b"PK", "a zip archive, as PyTorch writes them, which may hold code"),
        (b"\x80\x02", "a Python pickle, which may hold code"),
        (b"\x80\x03", "a Python pickle, which may hold code"),
        (b"\x80\x04", "a Python pickle, which may hold code"),
        (b"\x80\x05", "a Python pickle, which may hold code"),
        (b"\x89HDF", "an HDF5 file, which may hold code"),
        (b"FUGG", "a GGUF file for other processors (big endian)"),
        (b"ggml", "a model file of the time before GGUF"),
        (b"lmgg", "a model file of the time before GGUF"),
        (b"fmgg", "a model file of the time before GGUF"),
        (b"tjgg", "a model file of the time before GGUF"),
        (b"\x1f\x8b", "a compressed file"),
        (b"\xfd7zX", "a compressed file"),
        (b"\x28\xb5\x2f\xfd", "a compressed file"),
        (b"BZh", "a compressed file"),
        (b"\x7fELF", "a program"),
        (b"MZ", "a program"),
        (b"#!", "a script"),
        (b"version https://git-lfs", "a pointer to a file that was not fetched"),
        (b"<", "a web page"),
    ];
    KINDS.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, kind)| *kind)
}
