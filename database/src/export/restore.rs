//! A tenant from an export: its database made, filled, and nobody else's until all is in place.

use std::path::Path;

use blueprint::BlueprintName;
use sqlx::PgConnection;
use work::sealed::RootKey;

use super::{Error, Manifest, archive, import};
use crate::Admin;
use crate::tenant::{self, Steps, TenantSchema};

/// A database that was made from an export. Until this is dropped nobody else provisions,
/// restores or drops the tenant.
#[derive(Debug)]
#[must_use = "dropped at once, it lets others in before the rest is in place"]
pub struct Restored {
    /// What the export held.
    pub manifest: Manifest,
    name: BlueprintName,
    held: PgConnection,
}

/// Makes the tenant's database from an export; [`Error::Taken`] where there is one. The rows of
/// the tables in `without` (schema, name) stay behind: what must not live twice, nor again.
/// If it fails, the database made here goes again, and only that.
pub async fn restore(
    admin: &Admin,
    name: &BlueprintName,
    schema: &TenantSchema,
    key: &RootKey,
    file: &Path,
    without: &[(&str, &str)],
) -> Result<Restored, Error> {
    let unpacked = archive::unpack(file).await?;
    let mut held = admin.connect().await?;
    tenant::hold(&mut held, &format!("the database of {name}")).await?;
    // Asked while nobody else can make one: what is dropped below was made here.
    if tenant::stands(&mut held, name).await? {
        return Err(Error::Taken(name.clone()));
    }
    let steps = &mut Steps::all();
    let filled = async {
        tenant::provision_held(steps, admin, &mut held, name, schema, key, 0).await?;
        import::fill_held(admin, name, schema, file, &unpacked, without).await
    };
    let filled = filled.await;
    let restored = Restored { manifest: unpacked.manifest, name: name.clone(), held };
    match filled {
        Ok(()) => Ok(restored),
        Err(error) => {
            if let Err(left) = restored.undo().await {
                tracing::error!("remove the database of a failed restore: {left}");
            }
            Err(error)
        }
    }
}

impl Restored {
    /// Drops it again, because something else of the platform could not be put in place.
    pub async fn undo(mut self) -> Result<(), tenant::Error> {
        tenant::drop_held(&mut Steps::all(), &mut self.held, &self.name).await
    }
}
