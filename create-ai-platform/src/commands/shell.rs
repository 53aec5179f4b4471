//! `completions` and `man`.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Result;
use crate::host::unexpected;
use crate::printer::Printer;

/// Prints completions for a shell.
pub fn completions(shell: clap_complete::Shell, printer: &Printer) {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "create-ai-platform", &mut text);
    printer.data(String::from_utf8_lossy(&text).trim_end());
}

/// Prints the manual page.
pub fn man(printer: &Printer) -> Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|error| unexpected(&format!("render the manual page: {error}")))?;
    printer.data(String::from_utf8_lossy(&text).trim_end());
    Ok(())
}
