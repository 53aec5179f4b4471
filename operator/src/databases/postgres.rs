//! Real servers.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use blueprint::BlueprintName;
use database::Admin;
use database::tenant::{self, Error, TenantSchema};
use work::sealed::RootKey;

use super::{Access, DATABASE_DEADLINE, DatabaseError, Databases};

/// Postgres servers of this installation, by name.
pub struct Postgres {
    servers: BTreeMap<String, Admin>,
    schema: TenantSchema,
    key: Arc<RootKey>,
}

impl Postgres {
    /// These servers, with these tables; passwords come from the key.
    pub fn new(servers: BTreeMap<String, Admin>, schema: TenantSchema, key: Arc<RootKey>) -> Self {
        Self { servers, schema, key }
    }

    fn server(&self, server: &str) -> Result<&Admin, DatabaseError> {
        self.servers.get(server).ok_or_else(|| DatabaseError::NoServer(server.to_owned()))
    }
}

#[async_trait]
impl Databases for Postgres {
    fn schema_version(&self) -> i64 {
        self.schema.version.into()
    }

    fn name_of(&self, name: &BlueprintName) -> String {
        tenant::database_name(name)
    }

    fn access(&self, server: &str, name: &BlueprintName) -> Result<Access, DatabaseError> {
        let (app, read) = tenant::access(self.server(server)?, name, &self.key);
        Ok(Access { app, read })
    }

    async fn ensure(&self, server: &str, name: &BlueprintName) -> Result<i64, DatabaseError> {
        let admin = self.server(server)?;
        let made = async {
            let found = tenant::provision(admin, name, &self.schema, &self.key).await?;
            if found.version < self.schema.version {
                tenant::migrate(admin, name, &self.schema).await?;
                return Ok(self.schema.version);
            }
            Ok(found.version)
        };
        timed(server, made).await.map(i64::from)
    }

    async fn purge(&self, server: &str, name: &BlueprintName) -> Result<(), DatabaseError> {
        timed(server, tenant::drop_tenant(self.server(server)?, name)).await
    }
}

async fn timed<T>(
    server: &str,
    done: impl Future<Output = Result<T, Error>>,
) -> Result<T, DatabaseError> {
    let unreachable = |why| DatabaseError::Unreachable { server: server.to_owned(), why };
    match tokio::time::timeout(DATABASE_DEADLINE, done).await {
        Ok(done) => done.map_err(|error| match error {
            Error::Foreign { .. }
            | Error::Unmarked { .. }
            | Error::Missing(_)
            | Error::Newer { .. }
            | Error::Migration { .. } => DatabaseError::NeedsSomebody(error.to_string()),
            Error::Unreachable(_) | Error::Busy { .. } | Error::Step { .. } | Error::Stopped => {
                unreachable(error.to_string())
            }
        }),
        Err(_) => Err(unreachable(format!("not done in {} s", DATABASE_DEADLINE.as_secs()))),
    }
}
