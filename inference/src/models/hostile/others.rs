//! Cut files, safetensors with one thing wrong, and what is no model at all.

use super::{Chance, Hostile};

fn hostile(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Hostile {
    Hostile { name: name.into(), bytes: bytes.into() }
}

/// A file that ends too early: inside the counts, the keys, the tensors and the numbers.
pub(super) fn cut(sound: &[u8]) -> Vec<Hostile> {
    let places = [0, 1, 3, 4, 7, 8, 15, 16, 23, 24, 31, 40, 100, 500, 2000, 4500, 9000];
    let from_the_end = [1, 31, 255, 4096];
    let ends = from_the_end.into_iter().filter_map(|less| sound.len().checked_sub(less));
    let short = places.into_iter().chain(ends).filter(|&end| end < sound.len());
    short.map(|end| hostile(format!("gguf, cut at byte {end}"), &sound[..end])).collect()
}

const TWO: &str = r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"I64","shape":[1],"data_offsets":[16,24]}}"#;

fn with_header(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

pub(super) fn sound_safetensors() -> Vec<u8> {
    with_header(TWO, 24)
}

pub(super) fn safetensors() -> Vec<Hostile> {
    let instead = |from: &str, to: &str| with_header(&TWO.replace(from, to), 24);
    let long = |length: u64| [&length.to_le_bytes(), TWO.as_bytes(), &[0; 24]].concat();
    let deep = format!(r#"{{"a":{}"#, "[".repeat(100_000));
    let many = format!("{{{}}}", r#""__metadata__":{"a":"b"},"#.repeat(2));
    let endless = format!(r#"{{"__metadata__":{{"a":"{}"}}}}"#, "x".repeat(9 << 20));
    let rank = format!("[{}1]", "1,".repeat(500_000));
    [
        ("header of 2^64 - 1 bytes", long(u64::MAX)),
        ("header of 4 GiB", long(1 << 32)),
        ("header longer than the file", long(100_000)),
        ("header of 0 bytes", long(0)),
        ("header of 1 byte", long(1)),
        ("header of 9 MiB that is there", with_header(&endless, 24)),
        ("cut in the header", sound_safetensors()[..60].to_vec()),
        ("cut in the numbers", with_header(TWO, 23)),
        ("numbers that belong to nothing", with_header(TWO, 25)),
        ("no tensors", with_header("{}", 0)),
        ("no JSON", with_header("{tensors", 24)),
        ("100,000 lists in each other", with_header(&deep, 24)),
        ("metadata twice", with_header(&many, 24)),
        ("a name twice", instead(r#""b":"#, r#""a":"#)),
        ("a name twice, once escaped", instead(r#""b":"#, r#""\u0061":"#)),
        ("more than it may say", instead(r#""shape":[1]"#, r#""shape":[1],"x":1"#)),
        ("a type that is none", instead("I64", "OBJECT")),
        ("a shape below 0", instead("[2,2]", "[-2,-2]")),
        ("a shape with a fraction", instead("[2,2]", "[2.0,2]")),
        ("a shape of 2^64", instead("[2,2]", "[18446744073709551616]")),
        ("a shape whose product is 2^64", instead("[2,2]", "[4294967296,4294967296]")),
        ("a shape of 500,000 dimensions", instead("[2,2]", &rank)),
        ("a dimension of 0", instead("[2,2]", "[2,0]")),
        ("a tensor on another one", instead("[16,24]", "[8,16]")),
        ("a gap", instead("[16,24]", "[17,25]")),
        ("a place backwards", instead("[0,16]", "[16,0]")),
        ("a place outside the file", instead("[16,24]", "[16,9007199254740993]")),
        ("a place of 2^64 - 1", instead("[16,24]", "[18446744073709551607,18446744073709551615]")),
    ]
    .map(|(name, bytes)| hostile(format!("safetensors, {name}"), bytes))
    .into()
}

/// Files of other kinds, whatever they are called.
pub(super) fn kinds() -> Vec<Hostile> {
    let mut chance = Chance::new(7);
    // Unpickled it would run a command.
    let pickle = b"\x80\x04cos\nsystem\n(S'echo harmed'\ntR.".to_vec();
    let mut kinds = vec![
        hostile("nothing", []),
        hostile("a pickle", pickle.clone()),
        hostile("a pickle of protocol 2", [b"\x80\x02", &pickle[2..]].concat()),
        hostile("a pickle without a beginning", pickle[2..].to_vec()),
        hostile("a zip of PyTorch", [&b"PK\x03\x04archive/data.pkl"[..], &pickle].concat()),
        hostile("a zip bomb", zip_bomb()),
        hostile("an empty zip", *b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        hostile("gzip", *b"\x1f\x8b\x08\0\0\0\0\0\0\x03GGUF"),
        hostile("HDF5", *b"\x89HDF\r\n\x1a\n\0\0\0\0"),
        hostile("GGML of old", [&b"lmgg"[..], &[0; 64]].concat()),
        hostile("GGJT of old", [&b"tjgg\x03\0\0\0"[..], &[0; 64]].concat()),
        hostile("a program", [&b"\x7fELF"[..], &[0; 64]].concat()),
        hostile("a script", *b"#!/bin/sh\nrm -rf /\n"),
        hostile("a web page", *b"<!DOCTYPE html><title>404</title>"),
        hostile("a pointer to a file", *b"version https://git-lfs.github.com/spec/v1\noid x\n"),
        hostile("zeros", [0; 4096]),
        hostile("ones", [0xff; 4096]),
        hostile("GGUF and zeros", [&b"GGUF"[..], &[0; 4096]].concat()),
        hostile("GGUF and ones", [&b"GGUF"[..], &[0xff; 4096]].concat()),
        hostile("GGUF behind a space", [&b" "[..], &super::sound_gguf()].concat()),
    ];
    kinds.extend((1..=8).map(|n| hostile(format!("random bytes {n}"), chance.bytes(n * 500))));
    kinds.extend((1..=4).map(|n| {
        let bytes = [&b"GGUF\x03\0\0\0"[..], &chance.bytes(n * 500)].concat();
        hostile(format!("GGUF and random bytes {n}"), bytes)
    }));
    kinds
}

/// A zip whose one file says it unpacks to 4 GiB.
fn zip_bomb() -> Vec<u8> {
    let mut bytes = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0\x10\0\0\0".to_vec();
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend(b"\x0a\0\0\0model.gguf");
    bytes.extend([0; 16]);
    bytes
}
