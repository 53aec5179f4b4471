//! Images without a registry: one static program in one layer, given to containerd by hand.
//!
//! Their names begin like a host's (`registry.test/...`), or they would be taken for those of a
//! public registry; pods that use them say `imagePullPolicy: Never`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::go;
use crate::process::{self, Deadline};
use crate::project::Project;

/// What holds a pod's network while its containers come and go.
pub(crate) const PAUSE: &str = "registry.test/pause:1";

/// It waits until it is asked to end.
const PAUSE_SOURCE: &str = r#"package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
"#;

/// Whoever a container runs as that does not say: nobody in particular, and not root.
const USER: &str = "65532:65532";

/// Builds the program of the pause image, once per user.
pub(crate) fn pause(project: &Project, deadline: Deadline) -> Result<PathBuf> {
    let folder = project.cache.join("tools/pause-1");
    let program = folder.join("pause");
    if !program.exists() {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("main.go"), PAUSE_SOURCE)?;
        fs::write(folder.join("go.mod"), "module soulfra.test/pause\n\ngo 1.25.0\n")?;
        go::build(project, &folder, ".", "-s -w", &program, deadline)?;
    }
    Ok(program)
}

/// Makes an image of a program and gives it to the containerd that listens on `socket`. What is
/// made on the way goes into `folder` and stays there until the cluster goes.
pub(crate) fn give(socket: &str, folder: &Path, image: &str, program: &Path) -> Result<()> {
    let archive = pack(folder, image, program).with_context(|| format!("make {image}"))?;
    let mut ctr = Command::new("ctr");
    ctr.args(["--address", socket, "--namespace", "k8s.io", "images", "import"]).arg(&archive);
    output(&mut ctr)?;
    fs::remove_file(archive)?;
    Ok(())
}

/// An archive in the layout of the Open Container Initiative.
fn pack(folder: &Path, image: &str, program: &Path) -> Result<PathBuf> {
    let name = program.file_name().context("a program without a name")?;
    let layout = folder.join("image");
    if layout.exists() {
        fs::remove_dir_all(&layout)?;
    }
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;

    let layer = folder.join("layer.tar");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--owner=0", "--group=0", "--mode=0755", "--file"]).arg(&layer);
    tar.arg("--directory").arg(program.parent().context("a program without a folder")?).arg(name);
    output(&mut tar)?;
    let layer = Blob::take(&blobs, &layer)?;

    let config = configuration(&name.to_string_lossy(), &layer);
    let config = Blob::write(&blobs, &config)?;
    let manifest = Blob::write(&blobs, &manifest(&config, &layer))?;
    fs::write(layout.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    fs::write(layout.join("index.json"), index(image, &manifest).to_string())?;

    let archive = folder.join("image.tar");
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--file").arg(&archive).arg("--directory").arg(&layout).arg(".");
    output(&mut tar)?;
    fs::remove_dir_all(&layout)?;
    Ok(archive)
}

/// Something that is known by its SHA-256.
struct Blob {
    digest: String,
    size: u64,
}

impl Blob {
    fn write(blobs: &Path, value: &Value) -> Result<Self> {
        let file = blobs.join("new");
        fs::write(&file, value.to_string())?;
        Self::take(blobs, &file)
    }

    /// Moves a file to where its digest says that it is.
    fn take(blobs: &Path, file: &Path) -> Result<Self> {
        let told = output(Command::new("sha256sum").arg(file))?;
        let sum = told.split(' ').next().context("sha256sum told nothing")?;
        let size = file.metadata()?.len();
        fs::rename(file, blobs.join(sum))?;
        Ok(Self { digest: format!("sha256:{sum}"), size })
    }

    fn described_as(&self, kind: &str) -> Value {
        json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": self.digest,
            "size": self.size,
        })
    }
}

fn configuration(program: &str, layer: &Blob) -> Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Entrypoint": [format!("/{program}")], "User": USER },
        "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
    })
}

fn manifest(config: &Blob, layer: &Blob) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.described_as("config.v1+json"),
        "layers": [layer.described_as("layer.v1.tar")],
    })
}

fn index(image: &str, manifest: &Blob) -> Value {
    let mut described = manifest.described_as("manifest.v1+json");
    described["annotations"] = json!({ "io.containerd.image.name": image });
    json!({ "schemaVersion": 2, "manifests": [described] })
}

fn output(command: &mut Command) -> Result<String> {
    let shown = process::shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_leads_from_its_name_to_its_program() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("hello");
        fs::write(&program, "a program").unwrap();
        let archive = pack(folder.path(), "registry.test/hello:1", &program).unwrap();

        let read = |file: &str| -> Value {
            let mut tar = Command::new("tar");
            tar.args(["--extract", "--to-stdout", "--file"]).arg(&archive).arg(file);
            serde_json::from_str(&output(&mut tar).unwrap()).unwrap()
        };
        let blob = |described: &Value| {
            let digest = described["digest"].as_str().unwrap();
            format!("./blobs/{}", digest.replace(':', "/"))
        };
        let index = read("./index.json");
        let described = &index["manifests"][0];
        assert_eq!(described["annotations"]["io.containerd.image.name"], "registry.test/hello:1");
        let manifest = read(&blob(described));
        let config = read(&blob(&manifest["config"]));
        assert_eq!(config["config"]["Entrypoint"], json!(["/hello"]));
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
    }
}
