//! How to call this program again: what people are told to type has to work when it is copied.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The name in every text; `in_words` puts the right one in its place.
const NAME: &str = "create-ai-platform";

/// A text with its commands as they can be typed here.
pub fn in_words(text: &str) -> String {
    with(text, called())
}

/// How this program is called here.
pub fn called() -> &'static str {
    static CALLED: OnceLock<String> = OnceLock::new();
    CALLED.get_or_init(|| {
        let started = std::env::args_os().next().unwrap_or_default();
        let here = std::env::current_dir().unwrap_or_default();
        find(&started, std::env::current_exe().ok(), &here, std::env::var_os("PATH"))
    })
}

/// As it was started, if that was a path; else its name, if a shell finds that; else where it is.
fn find(started: &OsStr, program: Option<PathBuf>, here: &Path, path: Option<OsString>) -> String {
    if Path::new(started).components().count() > 1 {
        return quoted(Path::new(started));
    }
    let path = path.unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(NAME).is_file()) {
        return NAME.to_owned();
    }
    match program {
        Some(program) => match program.strip_prefix(here) {
            Ok(below) => quoted(&Path::new(".").join(below)),
            Err(_) => quoted(&program),
        },
        None => NAME.to_owned(),
    }
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,=".contains(c);
    if text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Only where it begins a command: not within a path or another word.
fn with(text: &str, called: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NAME) {
        let (before, after) = (&rest[..at], &rest[at + NAME.len()..]);
        let begins = before.chars().next_back().is_none_or(|c| c.is_whitespace() || c == '`');
        told.push_str(before);
        told.push_str(if begins && after.starts_with(' ') { called } else { NAME });
        rest = after;
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_copied_however_the_program_was_started() {
        let place = tempfile::tempdir().unwrap();
        let path = || Some(place.path().into());
        let here = Path::new("/home/ann/soulfra");
        let program = || Some(here.join("target/release/create-ai-platform"));
        let find = |started: &str, path| find(started.as_ref(), program(), here, path);
        assert_eq!(
            find("target/release/create-ai-platform", path()),
            "target/release/create-ai-platform"
        );
        assert_eq!(find("../my tools/x", path()), "'../my tools/x'");
        assert_eq!(find(NAME, path()), "./target/release/create-ai-platform");
        std::fs::write(place.path().join(NAME), "").unwrap();
        assert_eq!(find(NAME, path()), NAME);
        assert_eq!(find(NAME, None), "./target/release/create-ai-platform");
    }

    #[test]
    fn only_commands_are_changed_in_a_text() {
        let told = |text| with(text, "./x");
        assert_eq!(told("See: create-ai-platform status"), "See: ./x status");
        assert_eq!(told("`create-ai-platform stop --all`, then"), "`./x stop --all`, then");
        for plain in
            ["no /bin/create-ai-platform here", "create-ai-platform", "my-create-ai-platform x"]
        {
            assert_eq!(told(plain), plain);
        }
    }
}
