//! Ends an answer before a stop sequence, without showing half of one.

/// Looks for stop sequences in text that arrives in bits. Text that may be the start of one is
/// held back until that is decided.
#[derive(Debug)]
pub struct StopFilter {
    stops: Vec<String>,
    held: String,
}

/// What may be shown after a bit of text.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// This text, and more may come.
    More(String),
    /// This text, and then the answer is over.
    Last(String),
}

impl StopFilter {
    /// A filter for these sequences; empty ones are ignored.
    pub fn new(stops: Vec<String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { stops, held: String::new() }
    }

    /// Takes the next bit and says what may be shown.
    pub fn push(&mut self, text: &str) -> Shown {
        self.held.push_str(text);
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = found {
            self.held.truncate(at);
            return Shown::Last(std::mem::take(&mut self.held));
        }
        let keep = self.held[self.first_doubt()..].to_owned();
        let mut show = std::mem::replace(&mut self.held, keep);
        show.truncate(show.len() - self.held.len());
        Shown::More(show)
    }

    /// What was held back, once no more text can come.
    pub fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Where the longest ending that could become a stop sequence begins.
    fn first_doubt(&self) -> usize {
        self.held
            .char_indices()
            .map(|(at, _)| at)
            .find(|&at| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..])))
            .unwrap_or(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn more(text: &str) -> Shown {
        Shown::More(text.to_owned())
    }

    #[test]
    fn text_without_stops_passes_as_it_is() {
        let mut filter = StopFilter::new(vec![String::new()]);
        assert_eq!(filter.push("any text"), more("any text"));
        assert_eq!(filter.rest(), "");
    }

    #[test]
    fn a_stop_cut_in_two_is_never_shown() {
        let mut filter = StopFilter::new(vec!["END".to_owned(), "\n\n".to_owned()]);
        assert_eq!(filter.push("one E"), more("one "));
        assert_eq!(filter.push("N"), more(""));
        assert_eq!(filter.push("D two"), Shown::Last(String::new()));
    }

    #[test]
    fn what_only_looked_like_a_stop_comes_after_all() {
        let mut filter = StopFilter::new(vec!["END".to_owned()]);
        assert_eq!(filter.push("EN"), more(""));
        assert_eq!(filter.push("EMY E"), more("ENEMY "));
        assert_eq!(filter.rest(), "E");
    }

    #[test]
    fn the_first_of_several_stops_wins_beside_wide_characters() {
        let mut filter = StopFilter::new(vec!["b".to_owned(), "ü".to_owned()]);
        assert_eq!(filter.push("aäüb"), Shown::Last("aä".to_owned()));
    }
}
