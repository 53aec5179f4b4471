//! Writes what is generated from the types and the rules into `generated/`.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("crd.yaml"), blueprint::crd_yaml())?;
    fs::write(folder.join("blueprint.schema.json"), blueprint::json_schema_text())
}
