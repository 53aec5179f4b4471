//! Which texts are computed together: those of like length, so that little is filled up.

use std::ops::Range;

/// Tokens of a batch, filled up. A batch is what others wait for, and what cannot be interrupted:
/// some 0.2 s on two cores.
const TOKENS: usize = 1024;

/// The texts of one request, the shortest first, and where each stood.
pub(crate) struct Batches {
    texts: Vec<(usize, Vec<u32>)>,
    done: usize,
}

impl Batches {
    pub(crate) fn of(texts: Vec<Vec<u32>>) -> Self {
        let mut texts: Vec<_> = texts.into_iter().enumerate().collect();
        texts.sort_by_key(|(_, tokens)| tokens.len());
        Self { texts, done: 0 }
    }

    /// The next texts to compute, each with its place; none when all are done.
    pub(crate) fn next(&mut self) -> Option<&[(usize, Vec<u32>)]> {
        let Range { start, end } = next(&self.texts, self.done);
        self.done = end;
        (start < end).then(|| &self.texts[start..end])
    }
}

/// As many as fit, and of at most a quarter more than the shortest's length.
fn next(texts: &[(usize, Vec<u32>)], start: usize) -> Range<usize> {
    let Some((_, shortest)) = texts.get(start) else { return start..start };
    let longest = shortest.len() + shortest.len() / 4;
    let fits = |&end: &usize| {
        let length = texts[end].1.len();
        end == start || (length <= longest && (end + 1 - start) * length <= TOKENS)
    };
    let end = (start..texts.len()).take_while(fits).last().unwrap_or(start);
    start..end + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(texts: &[usize]) -> Vec<Vec<(usize, usize)>> {
        let mut batches = Batches::of(texts.iter().map(|&length| vec![7; length]).collect());
        let mut all = Vec::new();
        while let Some(batch) = batches.next() {
            all.push(batch.iter().map(|(place, tokens)| (*place, tokens.len())).collect());
        }
        all
    }

    #[test]
    fn texts_of_like_length_go_together_and_each_once() {
        assert_eq!(
            lengths(&[100, 8, 110, 9, 200]),
            [vec![(1, 8), (3, 9)], vec![(0, 100), (2, 110)], vec![(4, 200)]]
        );
        assert_eq!(lengths(&[]), Vec::<Vec<_>>::new());
    }

    #[test]
    fn a_batch_holds_no_more_than_it_may() {
        let many = lengths(&[100; 25]);
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
        // Longer than a batch: alone.
        assert_eq!(lengths(&[5000, 5000]).len(), 2);
    }
}
