//! The table of tensors: where each lies in the file, and that it does.

use std::collections::BTreeMap;
use std::io::Read;

use super::reader::Reader;
use crate::models::bad_file::BadFile;

/// Bytes of a tensor's name; the format says less than 64.
const NAME: u64 = 63;

/// How numbers are packed: blocks of so many numbers in so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packing {
    numbers: u64,
    bytes: u64,
}

impl Packing {
    /// By the format's number. Types that are only made while computing are left out.
    fn of(kind: u32) -> Option<Self> {
        let (numbers, bytes) = match kind {
            // Plain numbers of 32 and 16 bits.
            0 => (1, 4),
            1 | 30 => (1, 2),
            // Q4_0 and IQ4_NL, Q4_1, Q5_0, Q5_1, Q8_0.
            2 | 20 => (32, 18),
            3 => (32, 20),
            6 => (32, 22),
            7 => (32, 24),
            8 => (32, 34),
            // Q2_K, Q3_K and IQ3_S, Q4_K, Q5_K, Q6_K.
            10 => (256, 84),
            11 | 21 => (256, 110),
            12 => (256, 144),
            13 => (256, 176),
            14 => (256, 210),
            // IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ2_S, IQ4_XS, IQ1_M.
            16 => (256, 66),
            17 => (256, 74),
            18 => (256, 98),
            19 => (256, 50),
            22 => (256, 82),
            23 => (256, 136),
            29 => (256, 56),
            _ => return None,
        };
        Some(Self { numbers, bytes })
    }
}

/// A tensor's shape; what lies next to each other first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) dims: Vec<u64>,
    numbers: u64,
    /// From the beginning of the data.
    from: u64,
    to: u64,
}

/// All tensors by name.
pub(super) struct Tensors {
    tensors: BTreeMap<String, Tensor>,
    data_offset: u64,
}

impl Tensors {
    /// Reads the table; everything in it lies within the file, and nothing on something else.
    pub(super) fn read(
        reader: &mut Reader<impl Read>,
        count: u64,
        alignment: u64,
    ) -> Result<Self, BadFile> {
        let mut tensors = BTreeMap::new();
        let mut buffer = Vec::new();
        for _ in 0..count {
            reader.text("bytes of a tensor's name", NAME, &mut buffer)?;
            let name = match std::str::from_utf8(&buffer) {
                Ok(name) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()) => {
                    name.to_owned()
                }
                _ => return Err(BadFile::tensor(&buffer, "this is not a name")),
            };
            let tensor = Tensor::read(reader, alignment).map_err(|error| error.in_tensor(&name))?;
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(BadFile::tensor(name, "it is there twice"));
            }
        }
        let data_offset = reader.at().next_multiple_of(alignment);
        let all = Self { tensors, data_offset };
        all.lie_apart(reader.file())?;
        Ok(all)
    }

    fn lie_apart(&self, file: u64) -> Result<(), BadFile> {
        let data = file.saturating_sub(self.data_offset);
        let mut places: Vec<_> = self.tensors.iter().collect();
        places.sort_unstable_by_key(|(_, tensor)| (tensor.from, tensor.to));
        let mut taken = 0;
        for (name, Tensor { from, to, .. }) in places {
            if *to > data {
                let why = format!("it ends at byte {to} of {data} bytes of data");
                return Err(BadFile::tensor(name, why));
            }
            if *from < taken {
                return Err(BadFile::tensor(name, "it lies on another one"));
            }
            taken = *to;
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Numbers in all of them; they were found in the file, so the sum is within bounds.
    pub(super) fn numbers(&self) -> u64 {
        self.tensors.values().fold(0, |sum, tensor| sum.saturating_add(tensor.numbers))
    }

    pub(super) fn data_offset(&self) -> u64 {
        self.data_offset
    }
}

/// Why one tensor cannot be.
enum Why {
    File(BadFile),
    Words(String),
}

impl Why {
    fn in_tensor(self, name: &str) -> BadFile {
        match self {
            Self::File(error) => error,
            Self::Words(why) => BadFile::tensor(name, why),
        }
    }
}

impl From<BadFile> for Why {
    fn from(error: BadFile) -> Self {
        Self::File(error)
    }
}

impl Tensor {
    fn read(reader: &mut Reader<impl Read>, alignment: u64) -> Result<Self, Why> {
        let words = |why: &str| Why::Words(why.to_owned());
        let rank = reader.u32()?;
        if !(1..=4).contains(&rank) {
            return Err(Why::Words(format!("it has {rank} dimensions, not 1 to 4")));
        }
        let mut dims = Vec::new();
        for _ in 0..rank {
            dims.push(reader.u64()?);
        }
        let kind = reader.u32()?;
        let from = reader.u64()?;
        let Packing { numbers: block, bytes } =
            Packing::of(kind).ok_or_else(|| Why::Words(format!("{kind} is no type we know")))?;
        if dims.contains(&0) {
            return Err(words("a dimension is 0"));
        }
        let numbers = dims
            .iter()
            .try_fold(1_u64, |product, &dim| product.checked_mul(dim))
            .filter(|&numbers| i64::try_from(numbers).is_ok())
            .ok_or_else(|| words("it has more numbers than can be counted"))?;
        if !dims[0].is_multiple_of(block) {
            return Err(Why::Words(format!("rows of {} are no blocks of {block}", dims[0])));
        }
        if !from.is_multiple_of(alignment) {
            return Err(Why::Words(format!("its place {from} is no multiple of {alignment}")));
        }
        let to = (numbers / block).checked_mul(bytes).and_then(|size| from.checked_add(size));
        let to = to.ok_or_else(|| words("it has more bytes than can be counted"))?;
        Ok(Self { dims, numbers, from, to })
    }
}
