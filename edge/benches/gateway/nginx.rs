//! nginx, as the backend of both and as what the edge is held against.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) struct Nginx {
    pub(crate) at: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Files of two sizes, on the visitors' core.
    pub(crate) fn backend() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, size) in [("1k", 1 << 10), ("64k", 64 << 10)] {
            std::fs::write(folder.path().join(name), "x".repeat(size)).unwrap();
        }
        let files = folder.path().display().to_string();
        Self::start("1", folder, |at| {
            format!("sendfile on; server {{ listen {at}; root {files}; }}")
        })
    }

    /// TLS before a backend, on the first core.
    pub(crate) fn before(backend: SocketAddr, (chain, key): &(String, String)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [chain_file, key_file] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
        std::fs::write(&chain_file, chain).unwrap();
        std::fs::write(&key_file, key).unwrap();
        let (chain, key) = (chain_file.display().to_string(), key_file.display().to_string());
        Self::start("0", folder, |at| {
            format!(
                "upstream backend {{ server {backend}; keepalive 64; keepalive_requests 1000000; }}
                 server {{
                     listen {at} ssl;
                     ssl_certificate {chain}; ssl_certificate_key {key};
                     ssl_protocols TLSv1.3;
                     location / {{
                         proxy_pass http://backend;
                         proxy_http_version 1.1;
                         proxy_set_header Connection \"\";
                         proxy_set_header Host $host;
                         proxy_set_header X-Forwarded-For $remote_addr;
                     }}
                 }}"
            )
        })
    }

    fn start(core: &str, folder: TempDir, site: impl FnOnce(SocketAddr) -> String) -> Self {
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let here = folder.path().display();
        let settings = format!(
            "daemon off; worker_processes 1; user root; pid {here}/pid; error_log stderr crit;
             events {{ worker_connections 8192; }}
             http {{
                 access_log off; tcp_nodelay on; keepalive_requests 1000000;
                 client_body_temp_path {here}/body; proxy_temp_path {here}/proxy;
                 fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
                 {}
             }}",
            site(at)
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, settings).unwrap();
        let child = Command::new("taskset")
            .args(["-c", core, "nginx", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nginx does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { at, child, _folder: folder }
    }

    /// The process that serves.
    pub(crate) fn worker(&self) -> u32 {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it only where it is told to.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
