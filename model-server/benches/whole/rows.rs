//! What was measured, and how it is told.

use std::time::Duration;

/// Every measure's values, in the order of their first.
#[derive(Default)]
pub(crate) struct Rows(Vec<Row>);

struct Row {
    name: String,
    unit: &'static str,
    told: Told,
    seed: Option<u64>,
}

enum Told {
    /// One value of each round.
    Rounds(Vec<f64>),
    /// One value of all, of so many, with the least and the most.
    Once(f64, usize, (f64, f64)),
}

impl Rows {
    /// Notes one value of a measure.
    pub(crate) fn note(&mut self, name: &str, unit: &'static str, value: f64) {
        for row in &mut self.0 {
            if let Told::Rounds(values) = &mut row.told
                && row.name == name
            {
                return values.push(value);
            }
        }
        self.0.push(Row {
            name: name.to_owned(),
            unit,
            told: Told::Rounds(vec![value]),
            seed: None,
        });
    }

    /// Notes a measure that has one value, which came of so many, between a least and a most.
    pub(crate) fn once(
        &mut self,
        name: &str,
        unit: &'static str,
        (value, many, spread): (f64, usize, (f64, f64)),
        seed: u64,
    ) {
        let told = Told::Once(value, many, spread);
        self.0.push(Row { name: name.to_owned(), unit, told, seed: Some(seed) });
    }

    /// Notes a number of things, out of so many.
    pub(crate) fn count(&mut self, name: &str, value: usize, of: usize, seed: u64) {
        let value = as_f64(value);
        self.once(name, "", (value, of, (value, value)), seed);
    }

    /// A line for each measure.
    pub(crate) fn told(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|Row { name, unit, told, seed }| {
            let (value, many, (low, high)) = match told {
                Told::Rounds(values) => {
                    let [low, middle, high] = quarters(&values);
                    (middle, values.len(), (low, high))
                }
                Told::Once(value, many, spread) => (value, many, spread),
            };
            let seed = seed.map_or_else(String::new, |seed| format!("\t{seed}"));
            format!("{name}\t{value:.3}\t{unit}\t{many}\t{low:.3} to {high:.3}{seed}")
        })
    }
}

/// The median, and the quarters below and above it; between two values where none stands there.
fn quarters(values: &[f64]) -> [f64; 3] {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| {
        let place = (values.len() - 1) * quarter;
        let (below, above) = (values[place / 4], values[place.div_ceil(4)]);
        below + (above - below) * as_f64(place % 4) / 4.0
    })
}

pub(crate) fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Tokens in a second.
pub(crate) fn rate(tokens: usize, took: Duration) -> f64 {
    as_f64(tokens) / took.as_secs_f64()
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
