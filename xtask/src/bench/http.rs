//! As much of an HTTP client as the measurements need: HTTP/1.0, so that an answer comes without
//! chunks and ends with its connection.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long an exchange may take, a streamed answer included.
const PATIENCE: Duration = Duration::from_mins(3);
/// The largest page we read.
const LARGEST: u64 = 8 * 1024 * 1024;

/// A site on this machine.
pub(super) struct Site {
    host: String,
    port: u16,
}

/// An answer whose head has come.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: BufReader<TcpStream>,
    until: Instant,
}

impl Site {
    /// Not known yet; nothing answers there.
    pub(super) fn unknown() -> Self {
        Self { host: String::new(), port: 0 }
    }

    /// The site at `http://NAME:PORT`, which is reached on the loopback address whatever its name.
    pub(super) fn at(address: &str) -> Result<Self> {
        let host = address.strip_prefix("http://").context("an address without http://")?;
        let port = host.rsplit(':').next().and_then(|port| port.parse().ok());
        Ok(Self { port: port.context("an address without a port")?, host: host.to_owned() })
    }

    pub(super) fn get(&self, path: &str, cookie: Option<&str>) -> Result<Answer> {
        self.exchange("GET", path, cookie, "")
    }

    pub(super) fn post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        cookie: Option<&str>,
    ) -> Result<Answer> {
        let fields: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        self.exchange("POST", path, cookie, &fields.join("&"))
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        cookie: Option<&str>,
        body: &str,
    ) -> Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\n", self.host);
        if let Some(cookie) = cookie {
            write!(head, "Cookie: {cookie}\r\n")?;
        }
        if !body.is_empty() {
            let length = body.len();
            write!(head, "Content-Type: application/x-www-form-urlencoded\r\n")?;
            write!(head, "Content-Length: {length}\r\n")?;
        }
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .with_context(|| format!("reach {}", self.host))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
        Answer::read(stream).with_context(|| format!("{method} {path}"))
    }
}

impl Answer {
    fn read(stream: TcpStream) -> Result<Self> {
        let body = BufReader::new(stream);
        let until = Instant::now() + PATIENCE;
        let mut answer = Self { status: 0, headers: Vec::new(), body, until };
        let first = answer.line()?.context("no answer")?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        answer.status = status.with_context(|| format!("not an answer: {first}"))?;
        while let Some(line) = answer.line()?.filter(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':') {
                answer.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Ok(answer)
    }

    /// A header, by its name in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The rest of it.
    pub(super) fn text(self) -> Result<String> {
        let mut text = String::new();
        self.body.take(LARGEST).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Its next line, when it comes; `None` at its end.
    pub(super) fn line(&mut self) -> Result<Option<String>> {
        if Instant::now() > self.until {
            bail!("the answer takes too long");
        }
        let mut line = String::new();
        let read = self.body.by_ref().take(LARGEST).read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end().to_owned()))
    }
}

fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_form_is_sent_and_the_answer_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 4096];
            let mut length = 0;
            while !request[..length].ends_with(b"text=a%20%26%C3%A4") {
                length += stream.read(&mut request[length..]).unwrap();
            }
            stream.write_all(b"HTTP/1.0 303 See Other\r\nLocation: /next\r\n\r\none\ntwo").unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        let site = Site::at(&format!("http://a.localhost:{port}")).unwrap();
        let mut answer = site.post("/talk", &[("text", "a &ä")], Some("session=s")).unwrap();
        assert_eq!((answer.status, answer.header("location")), (303, Some("/next")));
        assert_eq!(answer.line().unwrap().as_deref(), Some("one"));
        assert_eq!(answer.text().unwrap(), "two");
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /talk HTTP/1.0\r\n"), "{request}");
        assert!(request.contains(&format!("\r\nHost: a.localhost:{port}\r\n")), "{request}");
        assert!(request.contains("\r\nCookie: session=s\r\n"), "{request}");
    }
}
