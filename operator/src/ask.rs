//! Commands that only look: why a value is what it is, and what a change would do. They read
//! blueprints from the API server or from files, and write nothing anywhere.

mod explain;
mod known;
mod preview;
mod under;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plan::Installation;

pub use known::{AskError, Known};

/// What can be asked.
#[derive(Clone, Debug, Subcommand)]
pub enum Ask {
    /// Says which field of the blueprint, default, plan or setting made a value of an object.
    Explain {
        /// Among which platforms.
        #[command(flatten)]
        of: Of,
        /// The platform's name.
        platform: String,
        /// One of its objects, such as `deployment/runtime`.
        object: String,
        /// The field, such as `spec.replicas`; all of them where it is left out.
        #[arg(default_value = "")]
        field: String,
    },
    /// Says what would change, what would start again and what data would be at risk.
    Preview {
        /// Among which platforms.
        #[command(flatten)]
        of: Of,
        /// Blueprints as they are to be.
        #[arg(required_unless_present = "fleet", conflicts_with = "fleet")]
        files: Vec<PathBuf>,
        /// All platforms, under another image.
        #[arg(long, requires = "image")]
        fleet: bool,
        /// The image that platforms would run, such as `registry.example/runtime:1.5.0`; its
        /// version alone where only that changes.
        #[arg(long, requires = "fleet")]
        image: Option<String>,
    },
}

/// Which platforms there are.
#[derive(Clone, Debug, Args)]
pub struct Of {
    /// Blueprints as they are, from these files, and not from the API server: as a person wrote
    /// them, or a list of them as `kubectl get pb -o yaml` prints it.
    #[arg(long = "from", value_name = "FILE")]
    from: Vec<PathBuf>,
}

impl Ask {
    /// Finds it out, in lines for a person.
    ///
    /// # Errors
    /// Where a blueprint cannot be had, or what is asked for is not there.
    pub async fn answer(&self, installation: Installation) -> Result<String, AskError> {
        let (Self::Explain { of, .. } | Self::Preview { of, .. }) = self;
        let known = if of.from.is_empty() {
            let client = api_server::connect().await?;
            Known::of_cluster(&client, installation).await?
        } else {
            Known::of_files(&of.from, installation)?
        };
        match self {
            Self::Explain { platform, object, field, .. } => known.explain(platform, object, field),
            Self::Preview { image: Some(image), .. } => known.preview_under(image),
            Self::Preview { files, .. } => known.preview(files),
        }
    }
}

#[cfg(test)]
mod tests;
