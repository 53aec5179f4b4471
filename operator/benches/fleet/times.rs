//! Numbers, and how they are told.

use std::fmt::Display;

/// A line: what, how much, unit, of how many, and how far apart.
pub(crate) fn row(
    what: &str,
    value: impl Into<f64>,
    unit: &str,
    n: impl Display,
    spread: impl Display,
) {
    println!("{what}\t{:.3}\t{unit}\t{n}\t{spread}", value.into());
}

/// As a number to reckon with.
pub(crate) fn many(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

pub(crate) fn median(values: &[f64]) -> f64 {
    sorted(values)[values.len() / 2]
}

pub(crate) fn p99(values: &[f64]) -> f64 {
    sorted(values)[(values.len() * 99).div_ceil(100) - 1]
}

pub(crate) fn spread(values: &[f64]) -> String {
    let values = sorted(values);
    format!("{:.3} to {:.3}, median {:.3}", values[0], values[values.len() - 1], median(&values))
}
