//! Rules that a search in the text of the repository can hold.

use std::fs;
use std::path::Path;

use crate::output_of;

/// A file of the repository: its path from the root, and its text.
struct Text {
    path: String,
    text: String,
}

/// Who may print.
const PRINTERS: [&str; 3] = [
    "create-ai-platform/src/printer.rs",
    "xtask/src/say.rs",
    // Runs in place of a program whose standard error is Postgres's log.
    "database/src/guard.rs",
];

#[test]
fn only_the_printer_prints() {
    let prints = ["println!(", "print!(", "eprintln!(", "eprint!(", "io::stdout()"];
    let allowed = |path: &str| PRINTERS.contains(&path) || path.ends_with("build.rs");
    none_found(&sources(), &prints, |path| !allowed(path));
}

#[test]
fn handlers_hold_no_sql() {
    none_found(&sources(), &["sqlx::query", "query_as!", "query_scalar!"], |path| {
        path.contains("/http/")
    });
}

#[test]
fn domains_know_neither_sql_nor_http() {
    none_found(&sources(), &["sqlx::", "axum::"], |path| path.contains("/domain/"));
}

#[test]
fn configuration_is_read_once() {
    let allowed = |path: &str| {
        path.ends_with("/main.rs")
            || path.ends_with("/cli.rs")
            // Hands the loader's path on to Postgres, which starts with a clean environment.
            || path == "database/src/embedded/process.rs"
    };
    none_found(&sources(), &["env::var(", "env::var_os(", "env::vars("], |path| !allowed(path));
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    // In halves, so that this file does not find itself.
    let paths = [
        concat!("/wo", "rk/main"),
        concat!("/wo", "rk/shared"),
        concat!("../sha", "red/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
    ];
    none_found(&tracked(), &paths, |_| true);
}

/// Fails with every line that holds one of the needles, in the files that the rule is for.
fn none_found(texts: &[Text], needles: &[&str], concerned: impl Fn(&str) -> bool) {
    assert!(!texts.is_empty(), "no file was looked at");
    let mut found = Vec::new();
    for Text { path, text } in texts.iter().filter(|text| concerned(&text.path)) {
        for (number, line) in text.lines().enumerate() {
            if needles.iter().any(|needle| line.contains(needle)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// What is shipped of our Rust: no examples, no tests and their programs, no comments.
fn sources() -> Vec<Text> {
    let is_rust = |path: &str| Path::new(path).extension().is_some_and(|kind| kind == "rs");
    let is_test = |path: &str| {
        ["/tests/", "/tests.rs", "/examples/", "/test-"].iter().any(|part| path.contains(part))
    };
    let mut texts = tracked();
    texts.retain(|Text { path, .. }| is_rust(path) && !is_test(path));
    for Text { text, .. } in &mut texts {
        if let Some(tests) = text.find("#[cfg(test)]\nmod ") {
            text.truncate(tests);
        }
        let code = |line| if is_comment(line) { "" } else { line };
        *text = text.lines().map(code).collect::<Vec<_>>().join("\n");
    }
    texts
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Every text file that is tracked, or would be.
fn tracked() -> Vec<Text> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let list = output_of("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    list.split_terminator('\0')
        .filter_map(|path| {
            let text = fs::read_to_string(root.join(path)).ok()?;
            Some(Text { path: path.to_owned(), text })
        })
        .collect()
}
