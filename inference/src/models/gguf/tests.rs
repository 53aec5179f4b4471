use std::io::Cursor;
use std::time::{Duration, Instant};

use super::*;
use crate::models::hostile::{Chance, Draft, files, sound_gguf, sound_safetensors};
use crate::models::{Checked, check as check_any};

fn checked(bytes: &[u8]) -> Result<Gguf, BadFile> {
    check_header(Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn a_sound_file_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound.gguf");
    std::fs::write(&path, sound_gguf()).unwrap();
    let header = Draft::sound().header().len() as u64;
    let expected = Gguf {
        architecture: "llama".to_owned(),
        context_tokens: 128,
        blocks: 2,
        width: 64,
        kept_per_token: 64,
        vocabulary: 260,
        has_chat_template: true,
        parameters: 260 * 64 + 2 * (2 * 64 + 64 * (64 + 32 + 32 + 64) + 3 * 64 * 128) + 64,
        tensors: 20,
        data_offset: header,
    };
    assert_eq!(check(&path).unwrap(), expected);
    assert_eq!(check_any(&path).unwrap(), Checked::Gguf(expected));

    let mut older = Draft::sound();
    older.version = 2;
    checked(&older.bytes()).unwrap();
}

#[test]
fn no_hostile_file_is_taken_and_none_takes_long() {
    let folder = tempfile::tempdir().unwrap();
    let all = files();
    assert!(all.len() >= 100, "{}", all.len());
    let mut names = std::collections::HashSet::new();
    for file in &all {
        assert!(names.insert(file.name.clone()), "{} is there twice", file.name);
        for ending in ["gguf", "safetensors", "bin"] {
            let path = folder.path().join(format!("model.{ending}"));
            std::fs::write(&path, &file.bytes).unwrap();
            let began = Instant::now();
            let refused = check_any(&path).expect_err(&file.name);
            let took = began.elapsed();
            assert!(took < Duration::from_millis(500), "{}: {took:?}", file.name);
            // Fit for a terminal, whatever the file says.
            let told = refused.to_string();
            assert!(told.len() < 500 && !told.contains(char::is_control), "{told:?}");
            check(&path).expect_err(&file.name);
        }
    }
    println!("{} hostile files, 0 taken", all.len());
}

#[test]
fn what_is_refused_is_told_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str| {
        let file = files().into_iter().find(|file| file.name == name).expect(name);
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, file.bytes).unwrap();
        check_any(&path).unwrap_err().to_string()
    };
    for (name, part) in [
        ("a pickle", "Python pickle, which may hold code; only GGUF and safetensors"),
        ("a zip of PyTorch", "zip archive, as PyTorch writes them"),
        ("gguf, magic backwards", "big endian"),
        ("gguf, big endian", "big endian"),
        ("gguf, version 1, with 32-bit counts", "GGUF of version 1; versions 2 and 3"),
        ("gguf, 2^64 - 1 tensors", "claims 18446744073709551615 tensors; 65536 is the most"),
        ("gguf, an end that is no token", "eos_token_id: there is no token 260 among 260"),
        ("gguf, a token twice", "tokenizer.ggml.tokens: token 259 is there twice"),
        ("gguf, an architecture nobody knows", r#""ll\u{202e}ama\u{1b}]0;x\u{7}" is none of"#),
        ("gguf, a tensor on another one", ": it lies on another one"),
        ("gguf, cut at byte 4", "after byte 4 it should have 4 more"),
        ("safetensors, a name twice, once escaped", "a name is there twice"),
        ("nothing", "of no kind we know"),
    ] {
        assert!(told(name).contains(part), "{name}: {}", told(name));
    }
}

#[test]
fn what_is_no_plain_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(check_any(folder.path()), Err(BadFile::NotAFile | BadFile::Unreadable(_))));
    assert!(matches!(check_any(Path::new("/dev/zero")), Err(BadFile::NotAFile)));
    let pipe = folder.path().join("pipe.gguf");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(matches!(check_any(&pipe), Err(BadFile::NotAFile)));
    assert!(matches!(check_any(&folder.path().join("none")), Err(BadFile::Unreadable(_))));
}

#[test]
fn a_sound_safetensors_file_is_taken_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, sound_safetensors()).unwrap();
    let Checked::Safetensors(found) = check_any(&path).unwrap() else { panic!("no safetensors") };
    assert_eq!(found.tensors["a"].shape, [2, 2]);
    assert_eq!(found.tensors["b"].numbers, "I64");
    check(&path).unwrap_err();
}

#[test]
fn random_harm_never_breaks_the_check() {
    const SEED: u64 = 42;
    const ROUNDS: usize = 20_000;
    let sound = Draft::sound();
    let (header, data) = (sound.header(), sound.data.len() as u64);
    let mut chance = Chance::new(SEED);
    let mut taken = 0;
    for _ in 0..ROUNDS {
        let mut bytes = header.clone();
        chance.harm(&mut bytes);
        let whole = bytes.len() as u64 + data;
        // The numbers are not there at all: nothing may be read behind the header.
        taken += usize::from(check_header(Cursor::new(&bytes), whole).is_ok());
    }
    println!("{ROUNDS} rounds of random harm, seed {SEED}: {taken} taken, 0 panics");
    assert!(taken < ROUNDS / 2, "{taken}");
}

#[test]
fn random_harm_never_breaks_the_check_of_safetensors() {
    const SEED: u64 = 43;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut chance = Chance::new(SEED);
    let mut taken = 0;
    for _ in 0..2_000 {
        let mut bytes = sound_safetensors();
        chance.harm(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        taken += usize::from(crate::models::safetensors::check(&path).is_ok());
    }
    println!("2,000 rounds of random harm, seed {SEED}: {taken} taken, 0 panics");
}
