//! Renews `generated/parameters.json` from Stripe's description of its API, which is the argument.

use std::fs;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let description = std::env::args().nth(1);
    let description = description.ok_or_else(|| anyhow::anyhow!("name the file spec3.json"))?;
    let description = serde_json::from_slice(&fs::read(description)?)?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated/parameters.json");
    fs::write(file, stripe_sim::excerpt(&description)?)?;
    Ok(())
}
