//! Writes what the API is into `generated/openapi.json`.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    fs::create_dir_all(&folder)?;
    let text = control_plane::router::document().to_pretty_json().map_err(io::Error::other)?;
    fs::write(folder.join("openapi.json"), text + "\n")
}
