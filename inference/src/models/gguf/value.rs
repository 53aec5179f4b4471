//! The table of keys and values.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::RangeInclusive;

use super::reader::Reader;
use super::vocabulary::{self, Tokens};
use crate::models::bad_file::{BadFile, at_most};

/// Bytes of a key.
const KEY: u64 = 256;
/// Bytes of a text; templates for conversations have some thousand.
const TEXT: u64 = 1 << 20;
/// Bytes of a text in a list.
const ITEM: u64 = 1 << 14;
/// Items of a list; the largest vocabularies have 300,000 tokens.
pub(super) const ITEMS: u64 = 1 << 21;
/// Longer texts are not kept: no rule looks into them.
const KEPT: usize = 1 << 10;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    List,
    U64,
    I64,
    F64,
}

impl Kind {
    fn read(reader: &mut Reader<impl Read>, key: &str) -> Result<Self, BadFile> {
        Ok(match reader.u32()? {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::Text,
            9 => Self::List,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            other => return Err(BadFile::key(key, format!("{other} is no type of a value"))),
        })
    }

    /// Bytes of one; none where they differ.
    fn bytes(self) -> Option<u64> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::List => None,
        }
    }
}

/// What a key stands for, as far as a rule may ask.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Integer(i128),
    Real(f64),
    Flag,
    Text(String),
    LongText,
    List { count: u64 },
}

/// The keys and what they stand for.
pub(super) struct Values {
    values: BTreeMap<String, Value>,
    /// What the list of tokens holds, if it is there.
    pub(super) tokens: Option<Tokens>,
}

impl Values {
    pub(super) fn read(reader: &mut Reader<impl Read>, count: u64) -> Result<Self, BadFile> {
        let mut all = Self { values: BTreeMap::new(), tokens: None };
        let mut buffer = Vec::new();
        for _ in 0..count {
            reader.text("bytes of a key", KEY, &mut buffer)?;
            let key = match std::str::from_utf8(&buffer) {
                Ok(key) if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                    key.to_owned()
                }
                _ => return Err(BadFile::key(&buffer, "this is not a key")),
            };
            let kind = Kind::read(reader, &key)?;
            let value = all.value(reader, &key, kind, &mut buffer)?;
            if all.values.insert(key.clone(), value).is_some() {
                return Err(BadFile::key(key, "it is there twice"));
            }
        }
        Ok(all)
    }

    fn value(
        &mut self,
        reader: &mut Reader<impl Read>,
        key: &str,
        kind: Kind,
        buffer: &mut Vec<u8>,
    ) -> Result<Value, BadFile> {
        Ok(match kind {
            Kind::U8 => Value::Integer(reader.take().map(u8::from_le_bytes)?.into()),
            Kind::I8 => Value::Integer(reader.take().map(i8::from_le_bytes)?.into()),
            Kind::U16 => Value::Integer(reader.take().map(u16::from_le_bytes)?.into()),
            Kind::I16 => Value::Integer(reader.take().map(i16::from_le_bytes)?.into()),
            Kind::U32 => Value::Integer(reader.u32()?.into()),
            Kind::I32 => Value::Integer(reader.take().map(i32::from_le_bytes)?.into()),
            Kind::U64 => Value::Integer(reader.u64()?.into()),
            Kind::I64 => Value::Integer(reader.take().map(i64::from_le_bytes)?.into()),
            Kind::F32 => Value::Real(reader.take().map(f32::from_le_bytes)?.into()),
            Kind::F64 => Value::Real(reader.take().map(f64::from_le_bytes)?),
            Kind::Bool => match reader.take::<1>()? {
                [0 | 1] => Value::Flag,
                [other] => return Err(BadFile::key(key, format!("{other} is neither yes nor no"))),
            },
            Kind::Text => {
                reader.text("bytes of text", TEXT, buffer)?;
                match String::from_utf8_lossy(buffer) {
                    long if long.len() > KEPT => Value::LongText,
                    text => Value::Text(text.into_owned()),
                }
            }
            Kind::List => self.list(reader, key, buffer)?,
        })
    }

    fn list(
        &mut self,
        reader: &mut Reader<impl Read>,
        key: &str,
        buffer: &mut Vec<u8>,
    ) -> Result<Value, BadFile> {
        let kind = Kind::read(reader, key)?;
        let count = reader.u64()?;
        at_most("items of a list", count, ITEMS)?;
        // What an item takes at least: no loop over items that cannot be there.
        let least = count * kind.bytes().unwrap_or(8);
        if least > reader.file() - reader.at() {
            return Err(BadFile::Truncated { at: reader.at(), needed: least });
        }
        match (key, kind) {
            (_, Kind::List) => return Err(BadFile::key(key, "it is a list of lists")),
            (vocabulary::TOKENS, Kind::Text) => {
                self.tokens = Some(Tokens::read(reader, count, buffer)?);
            }
            (vocabulary::MERGES, Kind::Text) => vocabulary::merges(reader, count, buffer)?,
            (vocabulary::TYPES, Kind::I32) => vocabulary::types(reader, count)?,
            (vocabulary::SCORES, Kind::F32) => vocabulary::scores(reader, count)?,
            (
                vocabulary::TOKENS | vocabulary::MERGES | vocabulary::TYPES | vocabulary::SCORES,
                _,
            ) => return Err(BadFile::key(key, "it is a list of something else")),
            (_, Kind::Text) => {
                for _ in 0..count {
                    reader.text("bytes of text in a list", ITEM, buffer)?;
                }
            }
            (_, _) => reader.skip(least)?,
        }
        Ok(Value::List { count })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Keys and the whole numbers they stand for.
    pub(super) fn integers(&self) -> impl Iterator<Item = (&str, Option<i128>)> {
        self.values.iter().map(|(key, value)| match value {
            Value::Integer(number) => (key.as_str(), Some(*number)),
            _ => (key.as_str(), None),
        })
    }

    /// A whole number within a range, if the key is there.
    pub(super) fn integer(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, BadFile> {
        let number = match self.values.get(key) {
            None => return Ok(None),
            Some(Value::Integer(number)) => *number,
            Some(_) => return Err(BadFile::key(key, "it is not a whole number")),
        };
        match u64::try_from(number) {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (from, to) = range.into_inner();
                Err(BadFile::key(key, format!("{number} is not within {from} and {to}")))
            }
        }
    }

    /// A whole number within a range that must be there.
    pub(super) fn count(&self, key: &str, range: RangeInclusive<u64>) -> Result<u64, BadFile> {
        self.integer(key, range)?.ok_or_else(|| BadFile::missing(key))
    }

    /// A number above 0 and at most `most`, if the key is there.
    pub(super) fn real(&self, key: &str, most: f64) -> Result<Option<f64>, BadFile> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Real(number)) if *number > 0.0 && *number <= most => Ok(Some(*number)),
            Some(Value::Real(number)) => {
                Err(BadFile::key(key, format!("{number} is not above 0 and at most {most}")))
            }
            Some(_) => Err(BadFile::key(key, "it is not a number with a fraction")),
        }
    }

    /// A short text that must be there.
    pub(super) fn text(&self, key: &str) -> Result<&str, BadFile> {
        match self.values.get(key) {
            None => Err(BadFile::missing(key)),
            Some(Value::Text(text)) => Ok(text),
            Some(Value::LongText) => Err(BadFile::key(key, "it is too long")),
            Some(_) => Err(BadFile::key(key, "it is not a text")),
        }
    }

    /// Whether a text is there, of any length.
    pub(super) fn has_text(&self, key: &str) -> Result<bool, BadFile> {
        match self.values.get(key) {
            None => Ok(false),
            Some(Value::Text(_) | Value::LongText) => Ok(true),
            Some(_) => Err(BadFile::key(key, "it is not a text")),
        }
    }

    /// How many items a list has, if it is there.
    pub(super) fn items(&self, key: &str) -> Result<Option<u64>, BadFile> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::List { count }) => Ok(Some(*count)),
            Some(_) => Err(BadFile::key(key, "it is not a list")),
        }
    }

    /// Tensors begin at multiples of this.
    pub(super) fn alignment(&self) -> Result<u64, BadFile> {
        const KEY: &str = "general.alignment";
        let alignment = self.integer(KEY, 8..=65_536)?.unwrap_or(32);
        if alignment.is_power_of_two() {
            Ok(alignment)
        } else {
            Err(BadFile::key(KEY, format!("{alignment} is not a power of two")))
        }
    }
}
