//! What counts from some time on.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::time::Period;

/// A value that others follow, each from its time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated<T> {
    first: T,
    later: BTreeMap<Timestamp, T>,
}

/// Something else counts from that time on already; what counted once is never rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("something else counts from {0} on; let yours begin at another time")]
pub struct Taken(pub Timestamp);

impl<T: PartialEq> Dated<T> {
    /// What counts from the beginning of time.
    pub const fn new(first: T) -> Self {
        Self { first, later: BTreeMap::new() }
    }

    /// From then on this counts, until what follows it. To say the same again changes nothing.
    ///
    /// # Errors
    /// [`Taken`]
    pub fn set(&mut self, from: Timestamp, value: T) -> Result<(), Taken> {
        match self.later.get(&from) {
            Some(known) if *known != value => Err(Taken(from)),
            _ => {
                self.later.insert(from, value);
                Ok(())
            }
        }
    }

    /// What counts at that time.
    pub fn at(&self, time: Timestamp) -> &T {
        self.later.range(..=time).next_back().map_or(&self.first, |(_, value)| value)
    }

    /// All there ever was, the first first.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(self.later.values())
    }

    /// Each that follows the first, with the time from which it counts.
    pub fn changes(&self) -> impl Iterator<Item = (Timestamp, &T)> {
        self.later.iter().map(|(from, value)| (*from, value))
    }

    /// What counted when in this time: stretches that follow each other from its beginning to its end.
    pub fn during(&self, period: Period) -> Vec<(Period, &T)> {
        let inside = self.later.keys().filter(|from| period.from() < **from && period.has(**from));
        let begins: Vec<_> = std::iter::once(period.from()).chain(inside.copied()).collect();
        let ends = begins.iter().skip(1).copied().chain([period.until()]);
        let stretch = |(from, until)| (Period::new(from, until), self.at(from));
        begins.iter().copied().zip(ends).map(stretch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn each_counts_from_its_time_until_what_follows_it() {
        let mut dated = Dated::new('a');
        dated.set(at(20), 'c').unwrap();
        dated.set(at(10), 'b').unwrap();
        assert_eq!([9, 10, 19, 20].map(|time| *dated.at(at(time))), ['a', 'b', 'b', 'c']);
        assert_eq!(dated.set(at(20), 'c'), Ok(()));
        assert_eq!(dated.set(at(20), 'd'), Err(Taken(at(20))));
        let during = |from, until| -> Vec<_> {
            let told = dated.during(Period::new(at(from), at(until))).into_iter();
            told.map(|(period, value)| (period.from().as_second(), period.seconds(), *value))
                .collect()
        };
        assert_eq!(during(5, 25), [(5, 5, 'a'), (10, 10, 'b'), (20, 5, 'c')]);
        assert_eq!(during(10, 20), [(10, 10, 'b')]);
        assert_eq!(during(30, 40), [(30, 10, 'c')]);
        assert_eq!(dated.all().collect::<String>(), "abc");
        assert_eq!(dated.changes().map(|(from, _)| from).collect::<Vec<_>>(), [at(10), at(20)]);
    }
}
