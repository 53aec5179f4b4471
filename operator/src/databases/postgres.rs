//! Real servers.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use blueprint::BlueprintName;
use database::Admin;
use database::fence::{Fence, Fenced};
use database::tenant::{self, Error, Steps, TenantSchema};
use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::{ConnectOptions as _, Connection as _};
use tenant_runtime::admin_link;
use work::outbox;
use work::sealed::RootKey;

use super::{Access, AdminLink, DATABASE_DEADLINE, DatabaseError, Databases, Made, Server, Tables};
use crate::lease::Epoch;

/// Postgres servers of this installation, by name.
pub struct Postgres {
    servers: BTreeMap<String, Admin>,
    schema: TenantSchema,
    key: Arc<RootKey>,
    fence: String,
    charge: Mutex<Charge>,
}

/// Who is in charge, and of which servers that is known there.
#[derive(Default)]
struct Charge {
    epoch: Option<Epoch>,
    known: BTreeSet<String>,
}

impl Postgres {
    /// These servers, with these tables; passwords come from the key. Under the name `fence`
    /// operators keep each other away from servers: see [`Fence::new`].
    pub fn new(
        servers: BTreeMap<String, Admin>,
        schema: TenantSchema,
        key: Arc<RootKey>,
        fence: &str,
    ) -> Self {
        Self { servers, schema, key, fence: fence.to_owned(), charge: Mutex::default() }
    }

    fn server(&self, server: &str) -> Result<&Admin, DatabaseError> {
        self.servers.get(server).ok_or_else(|| DatabaseError::NoServer(server.to_owned()))
    }

    /// A server's name, and its administrator.
    fn admin(&self, server: &Server) -> Result<(String, Admin), DatabaseError> {
        match server {
            Server::Shared(name) => Ok((name.clone(), self.server(name)?.clone())),
            Server::Own(own) => {
                let admin = Admin::at(&own.host, own.port, &own.user, &own.password);
                Ok((own.host.clone(), admin))
            }
        }
    }

    /// The same to work on, for as long as this process is in charge.
    async fn in_charge_of(&self, server: &str, admin: &Admin) -> Result<Admin, Error> {
        let (epoch, is_known) = {
            let charge = self.lock();
            (charge.epoch, charge.known.contains(server))
        };
        let Some(fence) = epoch.and_then(|epoch| Fence::new(&self.fence, epoch).ok()) else {
            return Ok(admin.clone());
        };
        let admin = admin.clone().behind(fence);
        if !is_known {
            admin.take_charge().await?;
            for database in admin.close_to_tenants().await? {
                tracing::warn!(
                    server,
                    database,
                    "is open to every login, those of platforms too: REVOKE ALL ON DATABASE ... \
                     FROM PUBLIC"
                );
            }
            let mut charge = self.lock();
            if charge.epoch == epoch {
                charge.known.insert(server.to_owned());
            }
        }
        Ok(admin)
    }

    fn lock(&self) -> MutexGuard<'_, Charge> {
        self.charge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Databases for Postgres {
    async fn take_charge(&self, epoch: Epoch) {
        *self.lock() = Charge { epoch: Some(epoch), known: BTreeSet::new() };
        // One that cannot be reached now is told before it is worked on.
        for (server, admin) in &self.servers {
            if let Err(error) = timed(server, self.in_charge_of(server, admin)).await {
                tracing::warn!(server, %error, "was not told who is in charge");
            }
        }
    }

    fn schema_version(&self) -> i64 {
        self.schema.version.into()
    }

    fn name_of(&self, name: &BlueprintName) -> String {
        tenant::database_name(name)
    }

    fn access(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<Access, DatabaseError> {
        let (_, admin) = self.admin(server)?;
        let (app, read) = tenant::access(&admin, name, &self.key, number);
        Ok(Access { app, read })
    }

    async fn ensure(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
        tables: Tables,
    ) -> Result<Made, DatabaseError> {
        let (server, admin) = self.admin(server)?;
        let made = async {
            let admin = self.in_charge_of(&server, &admin).await?;
            let (steps, schema) = (&mut Steps::all(), &self.schema);
            let found =
                tenant::provision_by(steps, &admin, name, schema, &self.key, number).await?;
            let mut version = found.version;
            if version < schema.version && tables == Tables::UpToDate {
                tenant::migrate(&admin, name, schema).await?;
                version = schema.version;
            }
            Ok(Made { version: version.into(), number: found.number })
        };
        timed(&server, made).await
    }

    async fn close_old(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<(), DatabaseError> {
        let (server, admin) = self.admin(server)?;
        let closed = async {
            let admin = self.in_charge_of(&server, &admin).await?;
            tenant::close_old(&admin, name, number).await
        };
        timed(&server, closed).await
    }

    async fn is_on(&self, server: &str, name: &BlueprintName) -> Result<bool, DatabaseError> {
        timed(server, tenant::exists(self.server(server)?, name)).await
    }

    async fn admin_link(
        &self,
        server: &Server,
        name: &BlueprintName,
        link: AdminLink,
    ) -> Result<Option<SecretString>, DatabaseError> {
        let AdminLink { bits, whom, until, now, number } = link;
        let failed =
            |error: sqlx::Error| Error::Step { step: "make the admin link", source: error };
        // As the runtime itself: nothing here needs more rights than it has.
        let Access { app, .. } = self.access(server, name, number)?;
        let offered = async {
            let options = tenant::connect_options(&app).map_err(failed)?;
            let mut db = options.connect().await.map_err(failed)?;
            let path = admin_link::offer(&mut db, &bits, whom, until, now).await.map_err(failed)?;
            db.close().await.map_err(failed)?;
            Ok(path)
        };
        let (server, _) = self.admin(server)?;
        timed(&server, offered).await
    }

    async fn next_due(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        let failed =
            |error: sqlx::Error| Error::Step { step: "ask when work is due", source: error };
        let Access { app, .. } = self.access(server, name, number)?;
        let asked = async {
            let options = tenant::connect_options(&app).map_err(failed)?;
            let mut db = options.connect().await.map_err(failed)?;
            let due = outbox::next_due(&mut db).await.map_err(failed)?;
            db.close().await.map_err(failed)?;
            Ok(due)
        };
        let (server, _) = self.admin(server)?;
        timed(&server, asked).await
    }

    async fn purge(&self, server: &str, name: &BlueprintName) -> Result<(), DatabaseError> {
        let admin = self.server(server)?;
        let dropped = async {
            let admin = self.in_charge_of(server, admin).await?;
            tenant::drop_tenant(&admin, name).await
        };
        timed(server, dropped).await
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
            Error::Unreachable(error) => match error.fenced() {
                Some(Fenced { mine, newest }) => DatabaseError::Fenced { mine, newest },
                None => unreachable(error.to_string()),
            },
            Error::Busy { .. } | Error::Step { .. } | Error::Stopped => {
                unreachable(error.to_string())
            }
        }),
        Err(_) => Err(unreachable(format!("not done in {} s", DATABASE_DEADLINE.as_secs()))),
    }
}
