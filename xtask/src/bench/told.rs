//! Lines in which programs tell what they measured: `name`, `value`, `unit`, `N`, `spread` and
//! perhaps a seed, separated by tabs.

use std::process::Command;

use anyhow::{Result, bail};

use super::figures::{self, Row};
use super::machine;
use crate::process::{self, Deadline};
use crate::say;

/// What a measure is to be, in the unit it is printed in.
pub(super) type Target = (&'static str, Goal, f64);

#[derive(Clone, Copy)]
pub(super) enum Goal {
    AtMost,
    AtLeast,
}

/// Runs a program that measures, and passes on what it says; its rows.
pub(super) fn measured(
    program: &mut Command,
    targets: &[Target],
    deadline: Deadline,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let status = process::watch(program, deadline, |line| {
        rows.extend(row(line, targets));
        say::line(line);
    })?;
    if !status.success() || rows.is_empty() {
        bail!("nothing was measured, or it ended early ({status})");
    }
    Ok(rows)
}

/// Prints the table of what was measured by a command, on a machine with this load before.
pub(super) fn print(rows: &[Row], load: f64, command: &str) -> Result<()> {
    say::line("");
    say::line(&machine::description(load));
    for line in figures::table(rows, &machine::today()?, command) {
        say::line(&line);
    }
    Ok(())
}

/// What a line of a program tells, if it is one of those.
pub(super) fn row(line: &str, targets: &[Target]) -> Option<Row> {
    let mut parts = line.split('\t');
    let (measure, value, unit) = (parts.next()?, parts.next()?, parts.next()?);
    let count = parts.next()?;
    let more: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    let (measured, target) = judged(measure, value, unit, targets);
    Some(Row {
        measure: measure.to_owned(),
        target,
        measured,
        spread: format!("N = {count}; {}", more.join("; seeds ")),
    })
}

/// What was measured, and what it was to be.
fn judged(measure: &str, value: &str, unit: &str, targets: &[Target]) -> (String, String) {
    let said = format!("{value} {unit}").trim_end().to_owned();
    let goal = targets.iter().find(|(name, ..)| *name == measure);
    let (Some((_, is, limit)), Ok(number)) = (goal, value.parse::<f64>()) else {
        return (said, "—".to_owned());
    };
    let (kept, sign) = match is {
        Goal::AtMost => (number <= *limit, "<="),
        Goal::AtLeast => (number >= *limit, ">="),
    };
    (figures::judged(&said, kept), format!("{sign} {limit} {unit}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_row_and_a_missed_target_is_marked() {
        let targets = [("latency added, p50", Goal::AtMost, 0.15)];
        let row = row("latency added, p50\t0.2\tms\t7\t0.1 to 0.3\t42", &targets).unwrap();
        assert_eq!(row.measured, "**missed:** 0.2 ms");
        assert_eq!(row.target, "<= 0.15 ms");
        assert_eq!(row.spread, "N = 7; 0.1 to 0.3; seeds 42");
        assert!(super::row("running 0 tests", &targets).is_none());
    }
}
