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
const PRINTERS: [&str; 7] = [
    // Tells a new key, and whether an audit is whole.
    "control-plane/src/main.rs",
    "operator/src/printer.rs",
    "create-ai-platform/src/printer.rs",
    // Says where its ports are, to whoever started it.
    "model-server/src/main.rs",
    "tenant-runtime/src/main.rs",
    "xtask/src/say.rs",
    // Runs in place of a program whose standard error is Postgres's log.
    "database/src/guard.rs",
];

/// Who may choose an exit code.
const MAINS: [&str; 8] = [
    "control-plane/src/main.rs",
    "create-ai-platform/src/main.rs",
    "edge/src/main.rs",
    "model-server/src/main.rs",
    "operator/src/main.rs",
    "tenant-runtime/src/main.rs",
    "xtask/src/main.rs",
    // Runs in place of a program, and ends as Postgres did.
    "database/src/guard.rs",
];

/// Who may look at the environment. Everybody else is told by clap.
const READERS: [&str; 2] = [
    // Looks for itself on the path, as the shell did that started it.
    "create-ai-platform/src/program.rs",
    // Hands the loader's path on to Postgres, which starts with a clean environment.
    "database/src/embedded/process.rs",
];

#[test]
fn only_the_printer_prints() {
    let prints = ["println!(", "print!(", "eprintln!(", "eprint!(", "io::stdout()"];
    // A build script talks to cargo.
    let concerned = |path: &str| !path.ends_with("/build.rs");
    none_found(&sources_but(&PRINTERS, &prints), &prints, concerned);
}

#[test]
fn only_main_chooses_an_exit_code() {
    let ends = ["ExitCode", "process::exit(", "process::abort("];
    none_found(&sources_but(&MAINS, &ends), &ends, |_| true);
}

#[test]
fn handlers_hold_no_sql() {
    let sql = ["sqlx::query", "query_as!", "query_scalar!"];
    none_found(&sources(), &sql, |path| is_in("http", path));
}

#[test]
fn domains_know_neither_sql_nor_http() {
    none_found(&sources(), &["sqlx::", "axum::"], |path| is_in("domain", path));
}

#[test]
fn the_database_layer_begins_no_transaction() {
    let transactions = [".begin(", ".begin_with(", ".commit()", ".rollback()", "PgPool"];
    none_found(&sources(), &transactions, |path| is_in("db", path));
}

#[test]
fn configuration_is_read_once() {
    let reads = ["env::var(", "env::var_os(", "env::vars("];
    none_found(&sources_but(&READERS, &reads), &reads, |_| true);
}

/// The suite `cluster` runs these files and no others.
#[test]
fn what_needs_a_cluster_is_where_its_suite_finds_it() {
    // In halves, so that this file does not find itself.
    let mark = concat!("needs a clu", "ster");
    let elsewhere = |path: &str| is_rust(path) && !path.contains("/tests/on_kubernetes");
    none_found(&tracked(), &[mark], elsewhere);
}

/// The suite `domains` runs these files and no others.
#[test]
fn what_needs_pebble_is_where_its_suite_finds_it() {
    let mark = concat!("needs Pe", "bble");
    let elsewhere = |path: &str| is_rust(path) && !path.contains("/tests/with_pebble");
    none_found(&tracked(), &[mark], elsewhere);
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

/// Fails with every line that holds one of the needles, in the files that the rule is for, and
/// where there is no such file: a rule about a folder that was renamed would hold for ever.
fn none_found(texts: &[Text], needles: &[&str], concerned: impl Fn(&str) -> bool) {
    let concerned: Vec<_> = texts.iter().filter(|text| concerned(&text.path)).collect();
    assert!(!concerned.is_empty(), "no file was looked at");
    let mut found = Vec::new();
    for Text { path, text } in concerned {
        for (number, line) in text.lines().enumerate() {
            if needles.iter().any(|needle| line.contains(needle)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Whether a file belongs to a crate's module of this name.
fn is_in(module: &str, path: &str) -> bool {
    path.contains(&format!("/src/{module}/")) || path.ends_with(&format!("/src/{module}.rs"))
}

/// The sources without those that may do what others may not. Each of these must still do it.
fn sources_but(exceptions: &[&str], needles: &[&str]) -> Vec<Text> {
    let (excepted, others): (Vec<_>, Vec<_>) =
        sources().into_iter().partition(|text| exceptions.contains(&text.path.as_str()));
    let used = |text: &Text| needles.iter().any(|needle| text.text.contains(needle));
    let used: Vec<_> = excepted.iter().filter(|text| used(text)).map(|text| &text.path).collect();
    assert_eq!(used.len(), exceptions.len(), "of {exceptions:?} only {used:?} need it");
    others
}

/// What is shipped of our Rust: no examples, no benches, no tests and their programs, no comments.
fn sources() -> Vec<Text> {
    let is_test = |path: &str| {
        ["/tests/", "/tests.rs", "/benches/", "/examples/", "/test-"]
            .iter()
            .any(|part| path.contains(part))
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

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|kind| kind == "rs")
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
