//! How a platform's own database server is administered, as `CloudNativePG` says it.

use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

/// What `CloudNativePG` writes the superuser's login into; our cluster is called `database`.
pub const OWN_DATABASE_SECRET: &str = "database-superuser";

/// The login of the administrator of a database server of a platform's own.
#[derive(Clone, Debug)]
pub struct OwnDatabase {
    /// Where it is, as seen from any namespace.
    pub host: String,
    /// The port it listens on.
    pub port: u16,
    /// The superuser.
    pub user: String,
    /// Their password.
    pub password: SecretString,
}

impl OwnDatabase {
    /// From the Secret in the platform's namespace; none where it does not say everything.
    pub(super) fn of(secret: &Secret, namespace: &str) -> Option<Self> {
        let text = |key: &str| {
            let value = secret.data.as_ref()?.get(key)?;
            Some(String::from_utf8(value.0.clone()).ok()?.trim().to_owned())
        };
        let host = text("host").filter(|host| !host.is_empty())?;
        Some(Self {
            // The name of a Service, which means something in its own namespace only.
            host: if host.contains('.') { host } else { format!("{host}.{namespace}.svc") },
            port: text("port")?.parse().ok()?,
            user: text("username")?,
            password: text("password")?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(fields: serde_json::Value) -> Secret {
        // Base64 is what the API server has; texts are what people write.
        let texts: std::collections::BTreeMap<String, String> =
            serde_json::from_value(fields).unwrap();
        let bytes = |text: String| k8s_openapi::ByteString(text.into_bytes());
        let data = texts.into_iter().map(|(key, text)| (key, bytes(text))).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn it_is_read_as_cloudnativepg_writes_it() {
        let written = secret(json!({
            "username": "postgres", "user": "postgres", "password": "p", "dbname": "*",
            "host": "database-rw", "port": "5432", "pgpass": "database-rw:5432:*:postgres:p\n",
            "uri": "postgresql://postgres:p@database-rw:5432/*",
        }));
        let own = OwnDatabase::of(&written, "tenant-a").unwrap();
        assert_eq!((own.host.as_str(), own.port), ("database-rw.tenant-a.svc", 5432));
        assert!(!format!("{own:?}").contains("\"p\""), "{own:?}");
        let half = secret(json!({"username": "postgres", "password": "p"}));
        assert!(OwnDatabase::of(&half, "tenant-a").is_none());
    }
}
