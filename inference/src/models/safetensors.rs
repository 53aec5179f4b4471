//! Is a safetensors file sound? A length, a JSON object that names tensors, and their numbers, one
//! tensor right behind the other.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::bad_file::{BadFile, at_most, shown};
use super::format::{open, other_kind};

/// Bytes of the object; known models have less than 1 MB.
const HEADER: u64 = 8 << 20;
/// Tensors of one file.
const TENSORS: usize = 65_536;
/// Dimensions of a tensor.
const RANK: usize = 8;

/// What a sound file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safetensors {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Layout>,
    /// Where the tensors' data begins.
    pub data_offset: u64,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// What kind of numbers, like `F32`.
    pub numbers: String,
    /// How many in each direction; those next to each other last.
    pub shape: Vec<u64>,
}

/// Checks the header of the file at `path`; nothing else in it is read. Blocks, for some
/// milliseconds. Tensors may still hold numbers that are none (NaN).
pub fn check(path: &Path) -> Result<Safetensors, BadFile> {
    let (file, bytes) = open(path)?;
    read(file, bytes)
}

pub(super) fn read(mut file: File, bytes: u64) -> Result<Safetensors, BadFile> {
    let mut first = Vec::new();
    Read::by_ref(&mut file).take(9).read_to_end(&mut first)?;
    let Some((length, b"{")) = first.split_first_chunk() else {
        return Err(BadFile::OtherKind(other_kind(&first).unwrap_or("of no kind we know")));
    };
    let length = u64::from_le_bytes(*length);
    at_most("bytes of header", length, HEADER)?;
    if length > bytes.saturating_sub(8) {
        return Err(BadFile::Truncated { at: 8, needed: length });
    }
    let mut header = vec![b'{'];
    file.take(length.saturating_sub(1)).read_to_end(&mut header)?;
    if header.len() as u64 != length {
        return Err(BadFile::Truncated { at: header.len() as u64 + 8, needed: 1 });
    }
    let header: Header = serde_json::from_slice(&header)
        .map_err(|error| BadFile::key("header", shown(error.to_string().as_bytes())))?;
    lie_side_by_side(&header.0, bytes - 8 - length)?;
    let layout = |(name, Said { dtype, shape, .. })| (name, Layout { numbers: dtype, shape });
    Ok(Safetensors { tensors: header.0.into_iter().map(layout).collect(), data_offset: 8 + length })
}

/// Every byte of data belongs to one tensor.
fn lie_side_by_side(tensors: &BTreeMap<String, Said>, data: u64) -> Result<(), BadFile> {
    if tensors.is_empty() {
        return Err(BadFile::missing("any tensor"));
    }
    let mut places: Vec<_> = tensors.iter().collect();
    places.sort_unstable_by_key(|(_, tensor)| tensor.data_offsets);
    let mut taken = 0;
    for (name, tensor) in places {
        let (from, to) = tensor.data_offsets;
        let size = tensor.size().ok_or_else(|| {
            let Said { dtype, shape, .. } = tensor;
            let rank = shape.len();
            BadFile::tensor(name, format!("no {} in {rank} dimensions", shown(dtype.as_bytes())))
        })?;
        if from != taken || from.checked_add(size) != Some(to) || to > data {
            let why = format!("{size} bytes cannot lie from {from} to {to} behind {taken}");
            return Err(BadFile::tensor(name, why));
        }
        taken = to;
    }
    if taken == data {
        Ok(())
    } else {
        Err(BadFile::key("header", format!("{} bytes belong to no tensor", data - taken)))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Said {
    /// Bytes of its numbers, if they can be counted.
    fn size(&self) -> Option<u64> {
        let bytes = match self.dtype.as_str() {
            "F64" | "I64" | "U64" => 8,
            "F32" | "I32" | "U32" => 4,
            "F16" | "BF16" | "I16" | "U16" => 2,
            "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => 1,
            _ => return None,
        };
        if self.shape.len() > RANK || self.shape.contains(&0) {
            return None;
        }
        self.shape.iter().try_fold(bytes, |size: u64, &dim| size.checked_mul(dim))
    }
}

/// The object: JSON readers take the last of two equal names, we take neither.
struct Header(BTreeMap<String, Said>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Header, M::Error> {
                let (mut tensors, mut told) = (BTreeMap::new(), false);
                while let Some(name) = map.next_key::<String>()? {
                    let twice = if name == "__metadata__" {
                        map.next_value::<HashMap<String, String>>()?;
                        std::mem::replace(&mut told, true)
                    } else {
                        tensors.insert(name, map.next_value()?).is_some()
                    };
                    if twice {
                        return Err(M::Error::custom("a name is there twice"));
                    }
                    if tensors.len() > TENSORS {
                        return Err(M::Error::custom("more tensors than any model has"));
                    }
                }
                Ok(Header(tensors))
            }
        }

        from.deserialize_map(Names)
    }
}
