//! Numbers from records.

use std::fmt;
use std::time::Duration;

/// One line of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The median over the seeds.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// How many were counted, over all seeds.
    pub many: usize,
    /// The least and the most over the seeds.
    pub spread: (f64, f64),
    /// The seeds.
    pub seeds: Vec<u64>,
}

impl Row {
    /// The same measure for several seeds: seed, value, how many were counted.
    pub fn over(name: &str, unit: &'static str, measured: &[(u64, f64, usize)]) -> Self {
        let mut values: Vec<f64> = measured.iter().map(|(_, value, _)| *value).collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
        Self {
            name: name.to_owned(),
            value: at(values.len() / 2),
            unit,
            many: measured.iter().map(|(_, _, many)| many).sum(),
            spread: (at(0), at(values.len().saturating_sub(1))),
            seeds: measured.iter().map(|(seed, _, _)| *seed).collect(),
        }
    }
}

/// Fields with tabs between them: name, value, unit, N, spread, seeds.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit, many, spread: (least, most), seeds } = self;
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let seeds = seeds.join(",");
        write!(f, "{name}\t{value:.4}\t{unit}\t{many}\t{least:.4}-{most:.4}\t{seeds}")
    }
}

/// The time that so many percent of them do not exceed; nothing of none.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

/// How even these are, by Jain: 1 if all are equal, one divided by their number if one has all.
#[allow(clippy::cast_precision_loss)] // a number of tenants
pub fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_what_they_are_called() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_secs).collect();
        assert_eq!(percentile(&times, 99), Duration::from_secs(198));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
        assert!((jain(&[2.0, 2.0, 2.0]) - 1.0).abs() < 1e-9);
        assert!((jain(&[1.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-9);
        let row = Row::over("x", "s", &[(7, 3.0, 1), (8, 1.0, 2), (9, 2.0, 3)]);
        assert_eq!(row.to_string(), "x\t2.0000\ts\t6\t1.0000-3.0000\t7,8,9");
    }
}
