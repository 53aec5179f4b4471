//! The only printer: answers to who asked, on standard output; why there is none, on standard error.

use std::io::{self, Write as _};

/// Prints an answer.
///
/// # Errors
/// Where nobody reads it to its end.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says why there is no answer.
pub fn complain(why: &str) {
    // Who closed it does not want to know.
    let _ = writeln!(io::stderr().lock(), "{why}");
}
