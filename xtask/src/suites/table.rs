//! The last lines of a run: a table of suites, then one plain line with the sums.

use crate::say;
use crate::suites::{Counts, Outcome};

/// One suite's line.
pub(crate) struct Row {
    pub(crate) suite: String,
    pub(crate) outcome: Outcome,
    pub(crate) seconds: u64,
}

pub(crate) fn print(rows: &[Row]) {
    say::line("");
    for line in lines(rows) {
        say::line(&line);
    }
}

fn lines(rows: &[Row]) -> Vec<String> {
    let mut table =
        vec![["suite", "passed", "failed", "seconds", "not run, and why"].map(String::from)];
    let mut sum = Counts::default();
    for Row { suite, outcome: Outcome { counts, note }, seconds } in rows {
        sum.add(*counts);
        let Counts { passed, failed, skipped } = counts;
        let left_out = match (skipped, note.as_str()) {
            (0, note) => note.to_owned(),
            (n, "") => format!("{n} skipped"),
            (n, note) => format!("{n} skipped: {note}"),
        };
        let number = |n: &u32| n.to_string();
        table.push([suite.clone(), number(passed), number(failed), seconds.to_string(), left_out]);
    }
    let width = |column: usize| table.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (suite, numbers) = (width(0), [width(1), width(2), width(3)]);
    let mut lines: Vec<String> = table
        .iter()
        .map(|[name, passed, failed, seconds, note]| {
            let [p, f, s] = numbers;
            // One line a suite, not too long: the whole of it is above.
            let note: String = note.lines().next().unwrap_or_default().chars().take(100).collect();
            format!("{name:suite$} | {passed:>p$} | {failed:>f$} | {seconds:>s$} | {note}")
                .trim_end()
                .to_owned()
        })
        .collect();
    let Counts { passed, failed, skipped } = sum;
    lines.push(String::new());
    lines.push(match skipped {
        0 => format!("{passed} passed, {failed} failed"),
        n => format!("{passed} passed, {failed} failed, {n} skipped"),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(suite: &str, passed: u32, failed: u32, skipped: u32, note: &str) -> Row {
        let counts = Counts { passed, failed, skipped };
        Row { suite: suite.into(), outcome: Outcome { counts, note: note.into() }, seconds: 12 }
    }

    #[test]
    fn the_table_ends_with_the_sums() {
        let rows = [row("format", 1, 0, 0, ""), row("crates", 120, 1, 2, "slow ones")];
        assert_eq!(
            lines(&rows),
            [
                "suite  | passed | failed | seconds | not run, and why",
                "format |      1 |      0 |      12 |",
                "crates |    120 |      1 |      12 | 2 skipped: slow ones",
                "",
                "121 passed, 1 failed, 2 skipped",
            ]
        );
    }
}
