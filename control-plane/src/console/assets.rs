//! Style sheets, scripts, the brand's colours and icon: by names that carry their hash.

use axum::extract::{Path, State};
use axum::response::Response;
use web::for_ever;

use super::gallery;
use crate::app::App;
use crate::error::{Error, Result};

/// A style sheet, a script.
pub async fn asset(Path(file): Path<String>) -> Result<Response> {
    let path = format!("/assets/{file}");
    let asset =
        pages::assets().iter().find(|asset| asset.path == path).ok_or(Error::Nothing("file"))?;
    Ok(for_ever(asset.content_type, asset.bytes.to_vec()))
}

/// The brand's colours and icon; pictures of templates.
pub async fn brand(State(app): State<App>, Path(file): Path<String>) -> Result<Response> {
    let (brand, hash) = (app.brand(), app.brand().hash());
    if file == format!("{hash}.css") {
        Ok(for_ever("text/css; charset=utf-8", brand.css().to_owned()))
    } else if file == format!("{hash}.svg") {
        Ok(for_ever("image/svg+xml", brand.icon()))
    } else if let Some(picture) = gallery::pictures().iter().find(|it| it.file == file) {
        Ok(for_ever("image/svg+xml", picture.svg.clone()))
    } else {
        Err(Error::Nothing("file"))
    }
}
