//! Tables as comma-separated values (RFC 4180), such that no program that opens them runs what is in them.

use jiff::Timestamp;

use crate::amount::Amount;

/// What is in one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Whatever somebody wrote.
    Text(String),
    /// An amount, without its currency.
    Amount(Amount),
    /// A time.
    Time(Timestamp),
}

/// A table with these names of columns.
pub fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    let mut text = String::new();
    line(&mut text, columns.iter().map(|name| field(name)));
    for row in rows {
        line(&mut text, row.iter().map(Cell::written));
    }
    text
}

impl Cell {
    /// This text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn written(&self) -> String {
        match self {
            Self::Text(text) => field(text),
            // Digits, one point, and a sign: `-7.00` is a number wherever it is opened.
            Self::Amount(amount) => {
                let text = amount.to_string();
                text.split(' ').next().unwrap_or_default().to_owned()
            }
            Self::Time(at) => at.to_string(),
        }
    }
}

fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    for (place, field) in fields.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&field);
    }
    text.push_str("\r\n");
}

/// What spreadsheets take for the beginning of a formula, their wide forms too.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

fn field(text: &str) -> String {
    // Spreadsheets look behind spaces and line ends too.
    let is_formula = text.starts_with(FORMULA)
        || text.trim_start().starts_with(FORMULA)
        || text.starts_with('\n');
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    let is_plain = !text.contains([',', ';', '"', '\r', '\n', '\t']) && text.trim() == text;
    if is_plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_somebody_wrote_is_a_text_and_an_amount_a_number() {
        let amount = |micros| Cell::Amount(Amount::new(micros, blueprint::Currency::USD));
        let rows = vec![
            vec![Cell::text("plain"), amount(-7_000_000)],
            vec![Cell::text("a, \"b\"\nc"), amount(5)],
            vec![Cell::text("=1+1"), amount(0)],
            vec![Cell::text("  @SUM(A1)"), Cell::Time(Timestamp::UNIX_EPOCH)],
            vec![Cell::text("＝cmd"), Cell::text("")],
        ];
        let told = "what,how much\r\nplain,-7.00\r\n\"a, \"\"b\"\"\nc\",0.000005\r\n'=1+1,0.00\r\n\
                    '  @SUM(A1),1970-01-01T00:00:00Z\r\n'＝cmd,\r\n";
        assert_eq!(table(&["what", "how much"], rows), told);
    }

    /// As RFC 4180 is read.
    fn read(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
        let (mut quoted, mut letters) = (false, text.chars().peekable());
        while let Some(letter) = letters.next() {
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut field)),
                '\r' if !quoted => {}
                '\n' if !quoted => {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                letter => field.push(letter),
            }
        }
        rows
    }

    proptest! {
        #[test]
        fn any_texts_are_read_as_they_were_and_none_begins_a_formula(
            texts in prop::collection::vec("[ -~\t\r\n=＝,;\"äé]{0,12}", 3),
        ) {
            let row = texts.iter().map(Cell::text).collect();
            let back = read(&table(&["a", "b", "c"], [row]));
            prop_assert_eq!(back.len(), 2);
            for (text, field) in texts.iter().zip(&back[1]) {
                prop_assert!(field == text || *field == format!("'{text}"), "{text:?} {field:?}");
                prop_assert!(!field.trim_start().starts_with(FORMULA), "{field:?}");
            }
        }
    }
}
