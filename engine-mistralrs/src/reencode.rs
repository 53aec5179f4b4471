//! A faster copy of a model file, written once.
//!
//! Measured with SmolLM2-135M on two cores (tokens a second; `speeds` in the tests measures
//! again):
//!
//! | layers as | reading a prompt of 553 | writing, short | writing after 553 |
//! | --- | --- | --- | --- |
//! | `Q4_1`, the original | 83 | 62 | 46 |
//! | `Q8_0` (`Q4_0` was no faster) | 88 | 75 | 54 |
//! | unpacked | 366 | 55 | 46 |
//!
//! The engine has no SIMD code for `Q4_1`, and for the other packed encodings it multiplies a
//! prompt token by token. Unpacked layers go through a real matrix product: four times the speed
//! where people wait for the first word, for four bytes of memory a parameter. What is left for
//! writing is more than anybody reads. Large models have no memory to spare and would write
//! slowly, so they stay packed.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Content, TensorInfo, Value};
use candle_core::quantized::{GgmlDType, QTensor};

use crate::gguf;

/// Beyond this a copy costs more memory while it is made than it is worth.
const LARGEST: u64 = 2 << 30;

/// Up to this many parameters layers are unpacked.
const SMALL: usize = 200_000_000;

/// What is done to a model's tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Nothing.
    Original,
    /// `Q4_1` becomes `Q8_0`, which holds what 4 bits said without visible loss.
    Quick,
    /// The layers become plain numbers: 16 bits in the file, 32 in memory.
    Unpacked,
}

impl Encoding {
    /// What is best for a model with so many parameters.
    pub fn best_for(parameters: usize) -> Self {
        if parameters <= SMALL { Self::Unpacked } else { Self::Quick }
    }

    /// What this tensor becomes, if anything.
    fn target(self, name: &str, tensor: &TensorInfo) -> Option<GgmlDType> {
        let is_packed =
            !matches!(tensor.ggml_dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16);
        let is_layer = name.starts_with("blk.") && tensor.shape.rank() == 2;
        match self {
            Self::Quick if tensor.ggml_dtype == GgmlDType::Q4_1 => Some(GgmlDType::Q8_0),
            Self::Unpacked if is_packed && is_layer => Some(GgmlDType::F16),
            _ => None,
        }
    }

    /// The ending of the copy's name, and `general.file_type` of the GGUF format.
    fn labels(self) -> (&'static str, u32) {
        match self {
            Self::Original => ("original", 0),
            Self::Quick => ("q8_0", 7),
            Self::Unpacked => ("f16", 1),
        }
    }
}

/// The path of the copy of `source` in the folder `cache`, made if it is not there. Blocks, for
/// seconds the first time.
pub(crate) fn reencoded(source: &Path, cache: &Path, encoding: Encoding) -> Result<PathBuf> {
    let (mut reader, content) = gguf::open(source)?;
    let mut infos = content.tensor_infos.iter();
    let changes = infos.any(|(name, tensor)| encoding.target(name, tensor).is_some());
    if !changes || source.metadata()?.len() > LARGEST {
        return Ok(source.to_owned());
    }
    let (ending, file_type) = encoding.labels();
    let copy = cache.join(name_of_copy(source, cache, ending)?);
    if copy.is_file() {
        return Ok(copy);
    }
    tracing::info!(copy = %copy.display(), "writing a faster copy of the model");
    std::fs::create_dir_all(cache)?;
    let tensors = tensors(&mut reader, &content, encoding)?;
    let kind = Value::U32(file_type);
    let metadata = metadata(&content, &kind);

    let unfinished = tempfile::NamedTempFile::new_in(cache)?;
    let mut writer = BufWriter::new(unfinished.as_file());
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    gguf_file::write(&mut writer, &metadata, &tensors)?;
    writer.flush()?;
    drop(writer);
    unfinished.as_file().sync_all()?;
    unfinished.persist(&copy)?;
    Ok(copy)
}

/// Another source, or a changed one, has another copy. A file of the cache itself is named by its
/// SHA-256 and never changes, and its copy belongs to it by name.
fn name_of_copy(source: &Path, cache: &Path, ending: &str) -> Result<String> {
    let stem = source.file_stem().context("the file has no name")?.to_string_lossy();
    let real = source.canonicalize()?;
    let is_digest = stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest && real.parent() == cache.canonicalize().ok().as_deref() {
        return Ok(format!("{stem}.{ending}.gguf"));
    }
    let meta = source.metadata()?;
    let mut hash = DefaultHasher::new();
    real.hash(&mut hash);
    meta.len().hash(&mut hash);
    meta.modified()?.duration_since(UNIX_EPOCH)?.as_nanos().hash(&mut hash);
    Ok(format!("{stem}-{:08x}.{ending}.gguf", hash.finish() & 0xffff_ffff))
}

/// All tensors by name, in order, so that the same source gives the same bytes.
fn tensors<'a>(
    reader: &mut std::io::BufReader<File>,
    content: &'a Content,
    encoding: Encoding,
) -> Result<Vec<(&'a str, QTensor)>> {
    let mut names: Vec<_> = content.tensor_infos.keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut tensors = Vec::with_capacity(names.len());
    for name in names {
        let mut tensor = content.tensor(reader, name, &Device::Cpu)?;
        if let Some(dtype) = encoding.target(name, &content.tensor_infos[name]) {
            tensor = QTensor::quantize(&tensor.dequantize(&Device::Cpu)?, dtype)?;
        }
        tensors.push((name, tensor));
    }
    Ok(tensors)
}

fn metadata<'a>(content: &'a Content, kind: &'a Value) -> Vec<(&'a str, &'a Value)> {
    let mut metadata: Vec<_> = content.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    metadata.sort_unstable_by_key(|(key, _)| *key);
    for (key, value) in &mut metadata {
        if *key == "general.file_type" {
            *value = kind;
        }
    }
    metadata
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;

    use super::*;

    fn model(folder: &Path) -> PathBuf {
        let numbers = Tensor::randn(0f32, 1f32, (64, 64), &Device::Cpu).unwrap();
        let slow = QTensor::quantize(&numbers, GgmlDType::Q4_1).unwrap();
        let norm = QTensor::quantize(&numbers, GgmlDType::F32).unwrap();
        let (kind, name) = (Value::U32(3), Value::String("Tiny".to_owned()));
        let path = folder.join("tiny.gguf");
        let mut file = File::create(&path).unwrap();
        let metadata = [("general.file_type", &kind), ("general.name", &name)];
        gguf_file::write(&mut file, &metadata, &[("norm", &norm), ("blk.0.slow", &slow)]).unwrap();
        path
    }

    #[test]
    fn slow_tensors_are_written_anew_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let source = model(folder.path());
        let cache = folder.path().join("cache");
        for (encoding, dtype, furthest) in
            [(Encoding::Quick, GgmlDType::Q8_0, 0.03), (Encoding::Unpacked, GgmlDType::F16, 0.002)]
        {
            let copy = reencoded(&source, &cache, encoding).unwrap();
            let (mut reader, content) = gguf::open(&copy).unwrap();
            assert_eq!(content.tensor_infos["blk.0.slow"].ggml_dtype, dtype);
            assert_eq!(content.tensor_infos["norm"].ggml_dtype, GgmlDType::F32);
            assert_eq!(content.metadata["general.name"].to_string().unwrap(), "Tiny");
            assert_ne!(content.metadata["general.file_type"].to_u32().unwrap(), 3);

            let (mut original, before) = gguf::open(&source).unwrap();
            let numbers = |content: &Content, reader: &mut _| {
                let tensor = content.tensor(reader, "blk.0.slow", &Device::Cpu).unwrap();
                tensor.dequantize(&Device::Cpu).unwrap()
            };
            let distance = (numbers(&content, &mut reader) - numbers(&before, &mut original))
                .unwrap()
                .abs()
                .unwrap()
                .max_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap();
            assert!(distance < furthest, "{encoding:?}: {distance}");
        }
    }

    #[test]
    fn a_copy_is_made_once_and_again_for_a_changed_source() {
        let folder = tempfile::tempdir().unwrap();
        let source = model(folder.path());
        let cache = folder.path().join("cache");
        let copy = reencoded(&source, &cache, Encoding::Quick).unwrap();
        let first = copy.metadata().unwrap().modified().unwrap();
        assert_eq!(reencoded(&source, &cache, Encoding::Quick).unwrap(), copy);
        assert_eq!(copy.metadata().unwrap().modified().unwrap(), first);

        let later = first + std::time::Duration::from_secs(9);
        File::options().write(true).open(&source).unwrap().set_modified(later).unwrap();
        assert_ne!(reencoded(&source, &cache, Encoding::Quick).unwrap(), copy);
        assert_eq!(reencoded(&source, &cache, Encoding::Original).unwrap(), source);
    }

    #[test]
    fn a_copy_of_a_file_of_the_cache_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let digest = "0123456789abcdef".repeat(4);
        let source = folder.path().join(format!("{digest}.gguf"));
        std::fs::rename(model(folder.path()), &source).unwrap();
        let name = |cache: &Path| {
            let copy = reencoded(&source, cache, Encoding::Quick).unwrap();
            copy.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(name(folder.path()), format!("{digest}.q8_0.gguf"));
        // Anybody may name a file so elsewhere.
        assert_ne!(name(&folder.path().join("cache")), format!("{digest}.q8_0.gguf"));
    }
}
