//! The certificates and keys of a cluster, made by `openssl`: these tasks stay light, and the
//! library that the product makes certificates with is not.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::layout::{FIRST_SERVICE, Layout, NODE};
use crate::process;

/// Signs the server's certificate, and every client's.
pub(crate) const AUTHORITY: &str = "authority.pem";
/// The API server's certificate; its key beside it.
pub(crate) const SERVER: (&str, &str) = ("server.pem", "server.key");
/// With which the API server comes to kubelet, for logs and `exec`.
pub(crate) const TO_KUBELET: (&str, &str) = ("to-kubelet.pem", "to-kubelet.key");
/// Signs the tokens of service accounts; its public half beside it.
pub(crate) const ACCOUNTS: (&str, &str) = ("accounts.pub", "accounts.key");

const AUTHORITY_KEY: &str = "authority.key";
const SETTINGS: &str = "openssl.cnf";
/// Longer than any test cluster lives.
const DAYS: &str = "30";

/// Makes all of them in the cluster's folder.
pub(crate) fn make(layout: &Layout) -> Result<()> {
    fs::write(layout.path(SETTINGS), settings(layout)).context("write openssl.cnf")?;
    let name = format!("/CN={}", layout.name.on_machine());
    certificate(layout, (AUTHORITY, AUTHORITY_KEY), "authority", &name)?;
    certificate(layout, SERVER, "server", "/CN=kube-apiserver")?;
    certificate(layout, TO_KUBELET, "client", "/O=system:masters/CN=kube-apiserver")?;
    let (public, key) = ACCOUNTS;
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    openssl(layout, &[&["genpkey"], &curve[..], &["-out", key]].concat())?;
    openssl(layout, &["pkey", "-in", key, "-pubout", "-out", public])
}

fn certificate(
    layout: &Layout,
    (file, key): (&str, &str),
    extensions: &str,
    subject: &str,
) -> Result<()> {
    let mut arguments = vec!["req", "-x509", "-config", SETTINGS, "-noenc", "-days", DAYS];
    arguments.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    arguments.extend(["-extensions", extensions, "-subj", subject, "-out", file, "-keyout", key]);
    if file != AUTHORITY {
        arguments.extend(["-CA", AUTHORITY, "-CAkey", AUTHORITY_KEY]);
    }
    openssl(layout, &arguments)
}

fn openssl(layout: &Layout, arguments: &[&str]) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args(arguments).current_dir(&layout.folder).stdin(Stdio::null());
    let output = openssl.output().context("run openssl")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed (it takes OpenSSL 3): {}", process::shown(&openssl), why.trim());
    }
    Ok(())
}

fn settings(layout: &Layout) -> String {
    let names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        .into_iter()
        .chain(["kubernetes.default.svc.cluster.local", "localhost", NODE])
        .map(|name| format!("DNS:{name}"));
    let addresses = [layout.address.to_string(), FIRST_SERVICE.to_string(), "127.0.0.1".into()]
        .map(|address| format!("IP:{address}"));
    let answers_to = names.chain(addresses).collect::<Vec<_>>().join(", ");
    format!(
        "[req]\n\
         distinguished_name = subject\n\
         [subject]\n\
         [authority]\n\
         basicConstraints = critical, CA:TRUE\n\
         keyUsage = critical, keyCertSign, cRLSign\n\
         subjectKeyIdentifier = hash\n\
         [server]\n\
         basicConstraints = critical, CA:FALSE\n\
         keyUsage = critical, digitalSignature\n\
         extendedKeyUsage = serverAuth\n\
         subjectAltName = {answers_to}\n\
         [client]\n\
         basicConstraints = critical, CA:FALSE\n\
         keyUsage = critical, digitalSignature\n\
         extendedKeyUsage = clientAuth\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::layout;

    #[test]
    fn the_server_answers_to_every_name_that_it_is_called_by() {
        let settings = settings(&layout::example());
        for name in ["IP:198.18.7.2", "IP:10.96.0.1", "DNS:kubernetes.default.svc,"] {
            assert!(settings.contains(name), "{settings}");
        }
    }

    #[test]
    fn certificates_are_signed_by_the_authority() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout { folder: folder.path().to_owned(), ..layout::example() };
        make(&layout).unwrap();
        for (purpose, (file, _)) in [("sslserver", SERVER), ("sslclient", TO_KUBELET)] {
            openssl(&layout, &["verify", "-purpose", purpose, "-CAfile", AUTHORITY, file]).unwrap();
        }
        assert!(openssl(&layout, &["verify", "-CAfile", SERVER.0, TO_KUBELET.0]).is_err());
    }
}
