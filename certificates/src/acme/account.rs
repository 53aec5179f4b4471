//! Our accounts at authorities: one each, for as long as there is one.

use std::collections::HashMap;
use std::sync::Arc;

use instant_acme::{Account, ExternalAccountKey, Key, NewAccount};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Sql, ToSqlx as _};
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use work::sealed::{self, Place, RootKey};

use super::http::Http;
use super::{Authority, Trouble, again};
use crate::sealed_text;

/// Accounts that were opened, by authority.
pub struct Accounts {
    db: PgPool,
    key: Arc<RootKey>,
    open: Mutex<HashMap<String, Account>>,
}

/// There is no account at an authority, and none could be made.
#[derive(Debug, thiserror::Error)]
#[error("no account at {authority}: {why}")]
pub struct NoAccount {
    /// Its name.
    pub authority: String,
    /// What stands against it.
    pub why: Trouble,
}

struct Stored {
    key: Vec<u8>,
    url: Option<String>,
}

impl Accounts {
    /// None is open yet.
    pub fn new(db: PgPool, key: Arc<RootKey>) -> Self {
        Self { db, key, open: Mutex::default() }
    }

    /// The account at an authority; where there is none, one is made.
    ///
    /// # Errors
    /// The authority, the database, or a root key that is not the one it was sealed under.
    pub async fn at(&self, authority: &Authority, now: Timestamp) -> Result<Account, NoAccount> {
        // Held meanwhile: of many who want it at once, one makes it.
        let mut open = self.open.lock().await;
        if let Some(account) = open.get(&authority.name) {
            return Ok(account.clone());
        }
        let made = self.open(authority, now).await;
        let account = made.map_err(|why| NoAccount { authority: authority.name.clone(), why })?;
        open.insert(authority.name.clone(), account.clone());
        Ok(account)
    }

    async fn open(&self, authority: &Authority, now: Timestamp) -> Result<Account, Trouble> {
        let place =
            Place { tenant: "fleet", table: "certificates.account", field: &authority.name };
        let stored = self.stored(authority, place, now).await?;
        let text = sealed::open(&self.key, place, &stored.key)
            .map_err(|error| Trouble::Ours(error.to_string()))?;
        let der = sealed_text::bytes(&text)?;
        let builder = || -> Result<_, Trouble> {
            let http = Http::new(authority.root.as_deref())?;
            Ok(Account::builder_with_http(Box::new(http)))
        };
        let contact: Vec<&str> = authority.contact.iter().map(String::as_str).collect();
        if let Some(url) = stored.url {
            let key = PrivatePkcs8KeyDer::from(der);
            let directory = authority.directory.clone();
            return Ok(builder()?.from_parts(url, key, directory).await?);
        }
        let Some(binding) = &authority.binding else {
            // Asked again with the same key, the authority tells the account that there is.
            let key = || -> Result<_, Trouble> {
                let der = PrivatePkcs8KeyDer::from(der.clone());
                Ok((Key::from_pkcs8_der(der.clone_key())?, PrivateKeyDer::Pkcs8(der)))
            };
            let directory = &authority.directory;
            let made = again!(builder()?.create_from_key(key()?, directory.clone()));
            let account = made?.0;
            if !contact.is_empty() {
                again!(account.update_contacts(&contact))?;
            }
            self.made(authority, &stored.key, &account).await?;
            return Ok(account);
        };
        let bytes = sealed_text::bytes(&binding.key)?;
        let binding = ExternalAccountKey::new(binding.id.clone(), &bytes);
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = &authority.directory;
        let made = again!(builder()?.create(&new, directory.clone(), Some(&binding)));
        let (account, credentials) = made?;
        let der = credentials.private_key().secret_pkcs8_der();
        let sealed = sealed::seal(&self.key, place, &sealed_text::text(der))
            .map_err(|error| Trouble::Ours(error.to_string()))?;
        if !self.made(authority, &sealed, &account).await? {
            // Another process made one meanwhile: that one counts, from the next time on.
            let why = "an account was made by another process".to_owned();
            return Err(Trouble::Busy { why, after: None });
        }
        Ok(account)
    }

    /// Writes down what the authority calls the account, with its key. False where there is one.
    async fn made(
        &self,
        authority: &Authority,
        key: &[u8],
        account: &Account,
    ) -> Result<bool, Trouble> {
        let done = sqlx::query!(
            "update certificates.account set key = $2, url = $3
             where authority = $1 and url is null",
            authority.name,
            key,
            account.id()
        )
        .execute(&self.db)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The key of the account, made and written down where there is none.
    async fn stored(
        &self,
        authority: &Authority,
        place: Place<'_>,
        now: Timestamp,
    ) -> Result<Stored, Trouble> {
        let (_, der) = Key::generate_pkcs8()?;
        let new: SecretString = sealed_text::text(der.secret_pkcs8_der());
        let sealed = sealed::seal(&self.key, place, &new)
            .map_err(|error| Trouble::Ours(error.to_string()))?;
        sqlx::query!(
            "insert into certificates.account (authority, directory, key, made_at)
             values ($1, $2, $3, $4) on conflict (authority) do nothing",
            authority.name,
            authority.directory,
            sealed,
            now.to_sqlx() as Sql,
        )
        .execute(&self.db)
        .await?;
        let stored = sqlx::query_as!(
            Stored,
            "select key, url from certificates.account where authority = $1",
            authority.name
        );
        Ok(stored.fetch_one(&self.db).await?)
    }

    /// Gives an account another key. The one before is of no use from then on.
    ///
    /// The library makes the new key, and hands it out with the authority's answer: where that is
    /// lost, the account may be too, and another one is made when it is next needed.
    ///
    /// # Errors
    /// The authority or the database. Where the database does not take the new key, this process
    /// goes on with it all the same, and it can be asked again.
    pub async fn change_key(&self, authority: &Authority, now: Timestamp) -> Result<(), NoAccount> {
        let mut account = self.at(authority, now).await?;
        let no_account = |why| NoAccount { authority: authority.name.clone(), why };
        // Nobody opens the account meanwhile, with the key that it had.
        let mut open = self.open.lock().await;
        let changed = again!(account.update_key()).map_err(no_account)?;
        open.insert(authority.name.clone(), account);
        let new: SecretString = sealed_text::text(changed.private_key().secret_pkcs8_der());
        let place =
            Place { tenant: "fleet", table: "certificates.account", field: &authority.name };
        let sealed = sealed::seal(&self.key, place, &new)
            .map_err(|error| no_account(Trouble::Ours(error.to_string())))?;
        let written = sqlx::query!(
            "update certificates.account set key = $2 where authority = $1",
            authority.name,
            sealed
        );
        written.execute(&self.db).await.map_err(|error| no_account(error.into()))?;
        Ok(())
    }

    /// The authority does not know the account any more: the next time it is made anew, with the
    /// same key.
    ///
    /// # Errors
    /// The database.
    pub async fn lost(&self, authority: &str) -> Result<(), Trouble> {
        let mut open = self.open.lock().await;
        sqlx::query!("update certificates.account set url = null where authority = $1", authority)
            .execute(&self.db)
            .await?;
        open.remove(authority);
        Ok(())
    }
}
