//! How many tests passed, failed and were skipped, read from what test programs print.

/// Tests by how they ended.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Adds what a line of Rust's test program reports, if it reports:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    pub(crate) fn read_rust(&mut self, line: &str) {
        let Some(parts) = line.strip_prefix("test result: ") else { return };
        let number = |name: &str| {
            let words: Vec<_> = parts.split([' ', ';', '.']).filter(|w| !w.is_empty()).collect();
            words.windows(2).find(|pair| pair[1] == name).and_then(|pair| pair[0].parse().ok())
        };
        self.passed += number("passed").unwrap_or(0);
        self.failed += number("failed").unwrap_or(0);
        self.skipped += number("ignored").unwrap_or(0);
    }

    /// Adds what a line of Node's test program reports, if it reports: `ℹ pass 3`.
    pub(crate) fn read_node(&mut self, line: &str) {
        let Some((name, number)) = line.strip_prefix("ℹ ").and_then(|rest| rest.split_once(' '))
        else {
            return;
        };
        let Ok(number) = number.parse::<u32>() else { return };
        match name {
            "pass" => self.passed += number,
            "fail" | "cancelled" => self.failed += number,
            "skipped" | "todo" => self.skipped += number,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_results_are_summed() {
        let mut counts = Counts::default();
        counts.read_rust("running 4 tests");
        counts.read_rust("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        counts.read_rust(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 5 filtered out",
        );
        assert_eq!(counts, Counts { passed: 4, failed: 2, skipped: 1 });
    }

    #[test]
    fn node_results_are_read() {
        let mut counts = Counts::default();
        for line in ["ℹ tests 5", "ℹ pass 3", "ℹ fail 1", "ℹ cancelled 1", "ℹ skipped 0"]
        {
            counts.read_node(line);
        }
        assert_eq!(counts, Counts { passed: 3, failed: 2, skipped: 0 });
    }
}
