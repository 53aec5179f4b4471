//! The program, started for a test as operators start it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use inference::models::Store;
use secrecy::SecretString;
use serde_json::{Value, json};
use web::token::{Caller, Credential};

/// The one tenant's.
pub(crate) const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Where tenants ask.
    pub(crate) tenants: String,
    /// Where operators ask.
    pub(crate) operators: String,
    pub(crate) client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts one that is told `more`, as [`begin`] says.
    pub(crate) fn start(more: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, addresses) = begin(folder.path(), SECRET, more);
        let told: Value = serde_json::from_str(&addresses).unwrap_or_else(|_| {
            panic!("it said {addresses:?} and ended as {:?}", child.wait());
        });
        let address = |name: &str| format!("http://{}", told[name].as_str().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (tenants, operators) = (address("tenants"), address("operators"));
        Self { child, tenants, operators, client, _folder: folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A token of one of the tenant's people, good from now on.
pub(crate) fn token() -> SecretString {
    let caller = Caller::new("acme", "u", "a");
    web::token::sign(&Credential::new(SECRET), &caller, now()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the program has the system's clock too")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Starts it with `more`, at least its models, besides the ports, a tenant with this secret and
/// prices; and reads the first line of what it says.
pub(crate) fn begin(folder: &Path, secret: &str, more: Value) -> (Child, String) {
    let (file, secret_file) = (folder.join("server.yaml"), folder.join("secret"));
    std::fs::write(&secret_file, secret).unwrap();
    let cache = Store::of_this_person().unwrap();
    let mut config = json!({
        "listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "usage": folder.join("usage"),
        "prices": {"smollm2-135m": free(), "all-minilm-l6-v2": free(), "no-such-model": free()},
        "cache": cache.folder(), "tenants": [{"name": "acme", "secretFile": secret_file, "class": "business"}],
    });
    let Value::Object(more) = more else { panic!("a configuration is an object, not {more}") };
    config.as_object_mut().unwrap().extend(more);
    // JSON is YAML.
    std::fs::write(&file, config.to_string()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_model-server"))
        .arg("--config")
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

fn free() -> Value {
    json!({"currency": "USD", "prompt": 0, "cachedPrompt": 0, "completion": 0})
}
