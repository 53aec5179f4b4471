//! What the files of a store are called. Everything that belongs to one model file begins with the
//! file's SHA-256:
//!
//! ```text
//! SHA256.gguf          the file, or .safetensors, or .json for a vocabulary; nobody may write it
//! SHA256.gguf.checked  what is known of it, so that it is not hashed each time
//! SHA256.gguf.lock     held by whoever fetches, checks or removes it; its time is the last use
//! SHA256.gguf.part     what came of it so far
//! SHA256.f16.gguf      a faster copy that an engine wrote
//! quarantine/          files that were found to be broken
//! ```

use std::path::{Path, PathBuf};

use super::catalogue::{Entry, Format};

/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;
/// Digits in the names of older versions, which were `NAME-DIGITS.gguf`.
const OLDER_DIGITS: usize = 12;

/// The place of a file.
pub(super) fn place(folder: &Path, sha256: &str, format: Format) -> PathBuf {
    folder.join(format!("{sha256}.{}", format.ending()))
}

/// Where older versions kept an entry's file.
pub(super) fn older_place(folder: &Path, entry: &Entry, sha256: &str) -> PathBuf {
    let start = sha256.get(..OLDER_DIGITS).unwrap_or(sha256);
    folder.join(format!("{}-{start}.gguf", entry.id))
}

/// Where a broken file is moved.
pub(super) fn quarantine(folder: &Path) -> PathBuf {
    folder.join("quarantine")
}

/// `model.gguf` -> `model.gguf.ENDING`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// What a name in the folder means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// A model file.
    Model { sha256: String, format: Format },
    /// Something beside one, or a copy of it.
    Beside { sha256: String, role: Role },
    /// A file of an older version, or something beside it: the first digits of its SHA-256.
    Older { start: String },
    /// What a process that died left half-made.
    Scratch,
}

/// What lies beside a model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// What is known of it.
    Stamp,
    /// Its lock.
    Lock,
    /// What came of it so far.
    Part,
    /// A faster copy.
    Copy,
}

/// What a name means; none that is not ours means anything.
pub(super) fn named(name: &str) -> Option<Named> {
    if name.starts_with(".tmp") {
        return Some(Named::Scratch);
    }
    let (first, rest) = name.split_once('.')?;
    if is_hex(first, DIGITS) {
        let sha256 = first.to_owned();
        if let Some(format) = Format::of_ending(rest) {
            return Some(Named::Model { sha256, format });
        }
        let (_, last) = rest.rsplit_once('.')?;
        let role = match last {
            "checked" => Role::Stamp,
            "lock" => Role::Lock,
            "part" => Role::Part,
            "gguf" => Role::Copy,
            _ => return None,
        };
        return Some(Named::Beside { sha256, role });
    }
    // `smollm2-135m-b179c9523d0e.gguf`, and `qwen2.5-0.5b-74a4da8c9fdb-1a2b3c4d.q8_0.gguf`.
    let digits = |part: &&str| is_hex(part, OLDER_DIGITS);
    let ours = name.contains(".gguf") && !name.contains('/');
    let start = name.split(['-', '.']).find(digits).filter(|_| ours)?;
    Some(Named::Older { start: start.to_owned() })
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_again() {
        let sha256 = "0123456789abcdef".repeat(4);
        let of = |rest: &str| named(&format!("{sha256}.{rest}"));
        let beside = |role| Some(Named::Beside { sha256: sha256.clone(), role });
        let format = Format::Gguf;
        assert_eq!(of("gguf"), Some(Named::Model { sha256: sha256.clone(), format }));
        assert_eq!(of("gguf.checked"), beside(Role::Stamp));
        assert_eq!(of("json.lock"), beside(Role::Lock));
        assert_eq!(of("gguf.whl.part"), beside(Role::Part));
        assert_eq!(of("f16.gguf"), beside(Role::Copy));
        assert_eq!(of("txt"), None);
        let older = Some(Named::Older { start: "b179c9523d0e".to_owned() });
        assert_eq!(named("smollm2-135m-b179c9523d0e.gguf"), older);
        assert_eq!(named("smollm2-135m-b179c9523d0e.gguf.lock"), older);
        assert_eq!(named("smollm2-135m-b179c9523d0e-6fb95fa5.q8_0.gguf"), older);
        for others in ["mine.gguf", "notes.txt", "README", "0123.gguf", "x-b179c9523d0e.txt"] {
            assert_eq!(named(others), None, "{others}");
        }
    }
}
