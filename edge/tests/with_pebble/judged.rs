//! What programs that we did not write make of an edge.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::rig::Rig;

/// The longest that one of them takes.
const WITHIN: Duration = Duration::from_mins(5);

#[expect(clippy::disallowed_methods, reason = "the suite says where they are")]
fn program(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable}: cargo xtask test --suite domains"))
}

/// Whom to trust, as a file.
fn roots(rig: &Rig) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, rig.roots.concat()).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (folder, path)
}

async fn output(command: &mut Command) -> Output {
    let ended = command.kill_on_drop(true).output();
    tokio::time::timeout(WITHIN, ended).await.unwrap().unwrap()
}

/// What curl is answered under a name, or with what it ends.
pub(crate) async fn curl(rig: &Rig, name: &str) -> Result<String, i32> {
    let (_folder, roots) = roots(rig);
    let port = rig.edge.https.port();
    let mut curl = Command::new(program("SOULFRA_TEST_CURL"));
    curl.args(["--silent", "--max-time", "20", "--cacert", &roots])
        .args(["--resolve", &format!("{name}:{port}:127.0.0.1")])
        .arg(format!("https://{name}:{port}/"));
    let ended = output(&mut curl).await;
    if ended.status.success() {
        Ok(String::from_utf8(ended.stdout).unwrap())
    } else {
        Err(ended.status.code().unwrap())
    }
}

/// A browser to whom these roots are known, as its own list has them.
pub(crate) struct Browser {
    home: TempDir,
}

impl Browser {
    pub(crate) async fn trusting(rig: &Rig) -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = home.path().join(".pki/nssdb");
        std::fs::create_dir_all(&store).unwrap();
        let store = format!("sql:{}", store.display());
        let certutil = async |arguments: &[&str]| {
            let mut certutil = Command::new(program("SOULFRA_TEST_CERTUTIL"));
            let ended = output(certutil.args(["-d", &store]).args(arguments)).await;
            assert!(ended.status.success(), "{ended:?}");
        };
        certutil(&["-N", "--empty-password"]).await;
        for (n, root) in rig.roots.iter().enumerate() {
            let file = home.path().join(format!("{n}.pem"));
            std::fs::write(&file, root).unwrap();
            let (name, file) = (format!("root {n}"), file.to_str().unwrap());
            certutil(&["-A", "-t", "C,,", "-n", &name, "-i", file]).await;
        }
        Self { home }
    }

    /// The page that it shows under a name, or what it says is wrong.
    pub(crate) async fn shows(&self, rig: &Rig, name: &str) -> Result<String, String> {
        let mut chromium = Command::new(program("SOULFRA_TEST_CHROMIUM"));
        chromium
            .env("HOME", self.home.path())
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .arg(format!("--host-resolver-rules=MAP {name} 127.0.0.1"))
            .arg("--dump-dom")
            .arg(format!("https://{name}:{}/", rig.edge.https.port()));
        let ended = output(&mut chromium).await;
        let [shown, said] =
            [&ended.stdout, &ended.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        if shown.is_empty() { Err(said) } else { Ok(shown) }
    }
}

/// What testssl.sh finds that is worse than LOW, as `what: how bad, why`. What it says of a test
/// authority's certificates (how long they are good, how they are revoked) is left out, but not whether they are
/// for the name and to be trusted.
pub(crate) async fn found_by_testssl(rig: &Rig, name: &str) -> Vec<String> {
    const OF_THE_AUTHORITY: [&str; 8] = [
        "cert_crl",
        "cert_expirationStatus",
        "cert_extlifeSpan",
        "cert_notAfter",
        "cert_ocsp",
        "cert_revocation",
        "DNS_CAA",
        "OCSP",
    ];
    // `WARN` is what it could not look at: its own OpenSSL speaks less than is asked for.
    const FINE: [&str; 5] = ["OK", "INFO", "LOW", "DEBUG", "WARN"];
    let (folder, roots) = roots(rig);
    let file = folder.path().join("found.json");
    let mut testssl = Command::new(program("SOULFRA_TEST_TESTSSL"));
    testssl
        .args(["--quiet", "--warnings", "off", "--color", "0", "--add-ca", &roots])
        .args(["--ip", "127.0.0.1", "--jsonfile", file.to_str().unwrap()])
        .arg(format!("{name}:{}", rig.edge.https.port()));
    let ended = output(&mut testssl).await;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let found: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let of = |it: &Value, what: &str| it[what].as_str().unwrap_or_default().to_owned();
    assert!(
        found.iter().any(|it| of(it, "id") == "TLS1_3" && of(it, "severity") == "OK"),
        "{said}"
    );
    let is_bad = |it: &&Value| {
        let is_of_the_authority =
            OF_THE_AUTHORITY.iter().any(|word| of(it, "id").starts_with(word));
        let severity = of(it, "severity");
        !is_of_the_authority && !FINE.contains(&severity.as_str())
    };
    let tell =
        |it: &Value| format!("{}: {}, {}", of(it, "id"), of(it, "severity"), of(it, "finding"));
    found.iter().filter(is_bad).map(tell).collect()
}
