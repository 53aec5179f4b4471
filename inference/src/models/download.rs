//! A plain download that goes on where it stopped, also after the process did.

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use url::Url;

use super::error::SourceError;

/// A client for large files from strangers: patient with size, not with silence.
pub(super) fn client() -> Result<Client, SourceError> {
    Client::builder()
        .connect_timeout(Duration::from_secs(15))
        .read_timeout(Duration::from_mins(1))
        .user_agent(concat!("soulfra/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(SourceError::from)
}

/// Downloads `url` into `part`, after what is there already. `told` hears how many bytes are
/// there, again and again. More than `limit` bytes are refused.
pub(super) async fn download(
    client: &Client,
    url: Url,
    part: &Path,
    limit: u64,
    told: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), SourceError> {
    let mut file = OpenOptions::new().create(true).append(true).open(part).await?;
    let mut have = file.metadata().await?.len();
    if have > limit {
        have = start_over(&mut file).await?;
    }
    let mut response = get(client, &url, have).await?;
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        // Whole already, or not the same file any more; the hash tells.
        if have == limit {
            return Ok(());
        }
        have = start_over(&mut file).await?;
        response = get(client, &url, have).await?;
    }
    let response = response.error_for_status()?;
    if have > 0 && !continues(&response, have) {
        have = start_over(&mut file).await?;
    }
    told(have);
    let received = receive(response, &mut file, have, limit, told).await;
    // Also after a failure: the next try counts what is there.
    file.flush().await?;
    received?;
    file.sync_all().await?;
    Ok(())
}

/// Writes the body to `file`, which has `have` bytes.
async fn receive(
    response: Response,
    file: &mut File,
    mut have: u64,
    limit: u64,
    told: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), SourceError> {
    let mut bytes = response.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        have += chunk.len() as u64;
        if have > limit {
            return Err(SourceError::TooLarge { limit });
        }
        file.write_all(&chunk).await?;
        told(have);
    }
    Ok(())
}

async fn get(client: &Client, url: &Url, have: u64) -> Result<Response, reqwest::Error> {
    let mut request = client.get(url.clone());
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
    }
    request.send().await
}

/// Whether this is the rest of the file from byte `have` on.
fn continues(response: &Response, have: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

async fn start_over(file: &mut File) -> std::io::Result<u64> {
    file.set_len(0).await?;
    file.seek(SeekFrom::Start(0)).await
}
