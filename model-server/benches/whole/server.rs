//! The program, as operators run it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use inference::models::Store;
use serde_json::{Value, json};

use crate::person::{Person, SECRET};
use crate::{Error, MODEL};

/// How long a model may take to be ready.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    tenants: String,
    operators: String,
    client: reqwest::Client,
}

impl Server {
    /// Starts it with an engine and some tenants of the class `business`, keeping what was used and
    /// its log in `folder`, and returns when the model is ready.
    pub(crate) async fn start(
        folder: &Path,
        engine: &str,
        tenants: &[&str],
    ) -> Result<Self, Error> {
        let (file, secret) = (folder.join("server.yaml"), folder.join("secret"));
        std::fs::write(&secret, SECRET)?;
        let tenants: Vec<_> = tenants
            .iter()
            .map(|name| json!({"name": name, "secretFile": secret, "class": "business"}))
            .collect();
        let config = json!({
            "listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "models": [MODEL],
            "engine": engine, "usage": folder.join("usage"), "cache": store()?.folder(),
            "prices": {MODEL: {"currency": "USD", "prompt": 0, "cachedPrompt": 0, "completion": 0}},
            "tenants": tenants,
        });
        // JSON is YAML.
        std::fs::write(&file, config.to_string())?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_model-server"))
            .arg("--config")
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(log(folder))?)
            .spawn()?;
        let mut line = String::new();
        let said = child.stdout.take().ok_or("its words are lost")?;
        BufReader::new(said).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line)?;
        let address = |name: &str| format!("http://{}", told[name].as_str().unwrap_or_default());
        let client = reqwest::Client::builder().no_proxy().build()?;
        let (tenants, operators) = (address("tenants"), address("operators"));
        let server = Self { child, tenants, operators, client };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&self) -> Result<(), Error> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let answer = self.client.get(format!("{}/ready", self.operators)).send().await?;
            if answer.status().is_success() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("the model was not ready in time".into())
    }

    /// Somebody who asks it.
    pub(crate) fn person(&self, tenant: &str, user: &str) -> Person {
        Person::new(self.client.clone(), &self.tenants, tenant, user)
    }

    /// The address for tenants, without `http://`.
    pub(crate) fn address(&self) -> &str {
        self.tenants.trim_start_matches("http://")
    }

    /// What it tells operators in numbers.
    pub(crate) async fn numbers(&self) -> Result<String, Error> {
        let answer = self.client.get(format!("{}/metrics", self.operators)).send().await?;
        Ok(answer.text().await?)
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<(), Error> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a server writes its log.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// Where models are.
pub(crate) fn store() -> Result<Store, Error> {
    Ok(Store::of_this_person().ok_or("there is no folder for models")?)
}

/// The copy of the model that an engine has made: `q8_0` of llama.cpp, `f16` of mistral.rs.
pub(crate) async fn copy(encoding: &str) -> Result<PathBuf, Error> {
    let file = store()?.ensure(&inference::models::find(MODEL)?, &|_| {}).await?;
    let copy = file.with_extension(format!("{encoding}.gguf"));
    if copy.is_file() { Ok(copy) } else { Err(format!("no copy in {encoding}").into()) }
}
