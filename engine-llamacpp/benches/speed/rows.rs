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
            // Between two values where none stands at that place.
            let at = |quarter: usize| {
                let place = (values.len() - 1) * quarter;
                let (below, above) = (values[place / 4], values[place.div_ceil(4)]);
                let share = f64::from(u32::try_from(place % 4).unwrap_or_default()) / 4.0;
                below + (above - below) * share
            };
            let (low, middle, high) = (at(1), at(2), at(3));
            let rounds = values.len();
            format!("{name}\t{middle:.3}\t{unit}\t{rounds}\t{low:.3} to {high:.3}")
        })
    }
}
