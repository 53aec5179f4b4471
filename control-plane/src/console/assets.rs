//! Style sheets, scripts, the brand's colours and icon: by names that carry their hash.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::app::App;
use crate::error::{Error, Result};

/// What a name with its content's hash leads to never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A style sheet, a script.
pub async fn asset(Path(file): Path<String>) -> Result<Response> {
    let path = format!("/assets/{file}");
    let asset =
        pages::assets().iter().find(|asset| asset.path == path).ok_or(Error::Nothing("file"))?;
    Ok(for_ever(asset.content_type, asset.bytes.to_vec()))
}

/// The brand's colours and icon.
pub async fn brand(State(app): State<App>, Path(file): Path<String>) -> Result<Response> {
    let (brand, hash) = (app.brand(), app.brand().hash());
    if file == format!("{hash}.css") {
        Ok(for_ever("text/css; charset=utf-8", brand.css().to_owned()))
    } else if file == format!("{hash}.svg") {
        Ok(for_ever("image/svg+xml", brand.icon()))
    } else {
        Err(Error::Nothing("file"))
    }
}

fn for_ever(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, FOR_EVER);
    response
}
