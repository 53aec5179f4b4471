//! What was measured, and how it is told.

/// Every measure's values, in the order of their first.
#[derive(Default)]
pub(crate) struct Rows(Vec<Row>);

struct Row {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Rows {
    /// Notes one value of a measure.
    pub(crate) fn note(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.0.iter_mut().find(|row| row.name == name) {
            Some(row) => row.values.push(value),
            None => self.0.push(Row { name: name.to_owned(), unit, values: vec![value] }),
        }
    }

    /// A line for each measure.
    pub(crate) fn told(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|Row { name, unit, mut values }| {
            values.sort_by(f64::total_cmp);
            let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
            let (low, middle, high) = (at(1), at(2), at(3));
            let rounds = values.len();
            format!("{name}\t{middle:.3}\t{unit}\t{rounds}\t{low:.3} to {high:.3}")
        })
    }
}
