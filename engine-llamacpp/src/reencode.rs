//! A faster copy of a model file, written once.
//!
//! llama.cpp multiplies `Q4_1` number by number: reading a prompt takes a multiple of the time that
//! the same tensors take as `Q8_0`, and answers made together gain nothing. Everything else it is
//! quick with stays as it is.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use inference::models::gguf::Gguf;

use crate::requantize::{Q4_1_BYTES, Q8_0_BYTES, requantize};
use crate::table::{Q4_1, Q8_0, Table, Tensor};

/// Beyond this a copy costs more room than it is worth.
const LARGEST: u64 = 2 << 30;

/// The path of the copy of `source` in the folder `cache`, made if it is not there; `source` itself
/// if nothing would get faster. Blocks, for seconds the first time. `checked` is what the check of
/// `source` has found.
pub(crate) fn reencoded(source: &Path, cache: &Path, checked: &Gguf) -> io::Result<PathBuf> {
    let mut file = File::open(source)?;
    let mut tables = Vec::new();
    (&mut file).take(checked.data_offset).read_to_end(&mut tables)?;
    let data = file.metadata()?.len().saturating_sub(checked.data_offset);
    let table = Table::read(&tables, data)?;
    let is_slow = table.tensors.iter().any(|tensor| tensor.kind == Q4_1);
    if !is_slow || file.metadata()?.len() > LARGEST {
        return Ok(source.to_owned());
    }
    let copy = cache.join(name_of_copy(source, cache)?);
    if copy.is_file() {
        return Ok(copy);
    }
    tracing::info!(copy = %copy.display(), "writing a faster copy of the model");
    std::fs::create_dir_all(cache)?;
    let unfinished = tempfile::NamedTempFile::new_in(cache)?;
    let mut writer = BufWriter::new(unfinished.as_file());
    write(&mut file, checked.data_offset, &table, &mut writer)?;
    writer.flush()?;
    drop(writer);
    unfinished.as_file().sync_all()?;
    unfinished.persist(&copy)?;
    Ok(copy)
}

fn write(from: &mut File, data_offset: u64, table: &Table, to: &mut impl Write) -> io::Result<()> {
    let mut changed = table.tensors.clone();
    let mut offset = 0;
    for tensor in &mut changed {
        tensor.offset = offset;
        if tensor.kind == Q4_1 {
            tensor.kind = Q8_0;
            tensor.bytes = tensor.bytes / Q4_1_BYTES as u64 * Q8_0_BYTES as u64;
        }
        offset = (offset + tensor.bytes).next_multiple_of(table.alignment);
    }
    table.write(&changed, to)?;
    for tensor in &table.tensors {
        from.seek(SeekFrom::Start(data_offset + tensor.offset))?;
        let written = copy_tensor(&mut BufReader::new(&mut *from), tensor, to)?;
        let padding = written.next_multiple_of(table.alignment) - written;
        io::copy(&mut io::repeat(0).take(padding), to)?;
    }
    Ok(())
}

/// Copies a tensor, encoded anew if it is slow; the bytes written.
fn copy_tensor(from: &mut impl Read, tensor: &Tensor, to: &mut impl Write) -> io::Result<u64> {
    /// Bytes at a time, whole blocks.
    const BITE: usize = Q4_1_BYTES << 12;
    if tensor.kind != Q4_1 {
        return io::copy(&mut from.take(tensor.bytes), to);
    }
    let (mut left, mut written) = (tensor.bytes, 0);
    let mut bite = vec![0; BITE];
    while left > 0 {
        let now = usize::try_from(left).map_or(BITE, |left| left.min(BITE));
        from.read_exact(&mut bite[..now])?;
        let encoded = requantize(&bite[..now]);
        to.write_all(&encoded)?;
        left -= now as u64;
        written += encoded.len() as u64;
    }
    Ok(written)
}

/// Another source, or a changed one, has another copy. A file of the cache itself is named by its
/// SHA-256 and never changes, and its copy belongs to it by name.
fn name_of_copy(source: &Path, cache: &Path) -> io::Result<String> {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    let real = source.canonicalize()?;
    let is_digest = stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest && real.parent() == cache.canonicalize().ok().as_deref() {
        return Ok(format!("{stem}.q8_0.gguf"));
    }
    let meta = source.metadata()?;
    let mut hash = DefaultHasher::new();
    real.hash(&mut hash);
    meta.len().hash(&mut hash);
    meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().hash(&mut hash);
    Ok(format!("{stem}-{:08x}.q8_0.gguf", hash.finish() & 0xffff_ffff))
}
