//! Numbers as `docs/figures.md` shows them.

use std::time::Duration;

/// One line of the table; date and command are the same for all.
pub(super) struct Row {
    pub(super) measure: String,
    pub(super) target: String,
    pub(super) measured: String,
    pub(super) spread: String,
}

/// How far apart the runs of one measure were.
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) min: Duration,
    pub(super) median: Duration,
    pub(super) p95: Duration,
    pub(super) max: Duration,
}

impl Spread {
    /// Of some runs; all zero without any.
    pub(super) fn of(runs: &[Duration]) -> Self {
        let mut sorted = runs.to_vec();
        sorted.sort();
        // Nearest rank: always a run that happened.
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { count: runs.len(), min: at(0), median: at(50), p95: at(95), max: at(100) }
    }

    /// `N = 7, 1.02–1.31 s`
    pub(super) fn range(&self) -> String {
        let Self { count, min, max, .. } = self;
        format!("N = {count}, {:.2}–{}", min.as_secs_f64(), seconds(*max))
    }
}

/// Seconds with two digits, as precise as the runs repeat.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// What was measured, marked where its target was missed.
pub(super) fn judged(measured: &str, kept: bool) -> String {
    if kept { measured.to_owned() } else { format!("**missed:** {measured}") }
}

/// `database 0.61 s, model 1.20 s`: the median of each phase over all runs.
pub(super) fn phases(runs: &[Vec<(String, Duration)>]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in runs.iter().flatten() {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let median = |name: &str| {
        let times: Vec<_> =
            runs.iter().flatten().filter(|(known, _)| known == name).map(|(_, t)| *t).collect();
        seconds(Spread::of(&times).median)
    };
    names.iter().map(|name| format!("{name} {}", median(name))).collect::<Vec<_>>().join(", ")
}

/// The lines of the table.
pub(super) fn table(rows: &[Row], date: &str, command: &str) -> Vec<String> {
    let mut lines = vec![
        "| measure | target | measured | N and spread | date | command |".to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    lines.extend(rows.iter().map(|Row { measure, target, measured, spread }| {
        format!("| {measure} | {target} | {measured} | {spread} | {date} | `{command}` |")
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(runs: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        runs.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_runs_that_happened() {
        let spread = Spread::of(&millis((1..=40).rev()));
        let Spread { min, median, p95, max, .. } = spread;
        assert_eq!([min, median, p95, max].to_vec(), millis([1, 20, 38, 40]));
        assert_eq!(Spread::of(&millis([700, 1200, 900])).range(), "N = 3, 0.70–1.20 s");
        assert_eq!(Spread::of(&[]).max, Duration::ZERO);
    }

    #[test]
    fn a_missed_target_is_seen_in_the_table() {
        let row = Row {
            measure: "first page".into(),
            target: "< 5 s".into(),
            measured: judged("6.00 s", false),
            spread: "N = 7".into(),
        };
        assert_eq!(
            table(&[row], "2026-01-31", "x")[2],
            "| first page | < 5 s | **missed:** 6.00 s | N = 7 | 2026-01-31 | `x` |"
        );
    }

    #[test]
    fn each_phase_has_its_median() {
        let run = |model: u64| vec![("model".to_owned(), Duration::from_secs(model))];
        assert_eq!(phases(&[run(1), run(3), run(2)]), "model 2.00 s");
    }
}
