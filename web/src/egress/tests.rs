//! Whatever is named: nobody inside is called.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::header;
use axum::response::Redirect;
use axum::routing::post;
use tokio::net::TcpListener;

use super::*;

/// Names, and what they lead to; whatever else is asked for is as the machine knows it.
fn names(known: &'static [(&'static str, &'static [&'static str])]) -> Lookup {
    Arc::new(move |name| {
        Box::pin(async move {
            match known.iter().find(|(it, _)| *it == name) {
                Some((_, found)) => Ok(found.iter().map(|it| it.parse().unwrap()).collect()),
                None => looked_up(name).await,
            }
        })
    })
}

/// Somebody inside, who counts who comes.
async fn canary(at: &str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((at, 0)).await.unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (port, count)
}

async fn posted(egress: &Egress, url: &str) -> Result<Answer, CallError> {
    let url = url.parse().map_err(|_| Refused::Url("no URL"))?;
    egress.post(&url, HeaderMap::new(), Bytes::from_static(b"{}")).await
}

/// Names that some machines know, and others do not.
const UNKNOWN: [&str; 4] = ["localhost", "LOCALHOST.", "ip6-localhost", "a.localhost"];

/// Spellings of addresses that are inside, and names of them.
fn hosts() -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    let inside = [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "10.0.0.1",
        "10.96.0.1",
        "169.254.169.254",
        "172.17.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ];
    for text in inside {
        let address: Ipv4Addr = text.parse().unwrap();
        let ([a, b, c, d], whole) = (address.octets(), address.to_bits());
        hosts.extend([
            text.to_owned(),
            format!("{text}."),
            format!("{whole}"),
            format!("{whole:#x}"),
            format!("{whole:#o}").replace("0o", "0"),
            format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
            format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
            format!("{a}.{}", whole & 0x00ff_ffff),
            format!("{a}.{b}.{}", whole & 0xffff),
            text.replace('.', "%2e"),
            text.replace('.', "。"),
            text.replace('1', "１"),
            format!("[::ffff:{text}]"),
            format!("[::{text}]"),
            format!("[64:ff9b::{text}]"),
            format!("[64:ff9b:1::{text}]"),
            format!("[2002:{:x}:{:x}::1]", whole >> 16, whole & 0xffff),
            format!("[2001:0:{:x}:{:x}::1]", whole >> 16, whole & 0xffff),
        ]);
    }
    let names = [
        "localhost",
        "LOCALHOST.",
        "ip6-localhost",
        "a.localhost",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "inside.test",
        "mixed.test",
        "mapped.test",
        "nat64.test",
    ];
    hosts.extend(names.map(str::to_owned));
    hosts
}

#[tokio::test]
async fn of_two_thousand_ways_to_name_somebody_inside_none_leads_there() {
    let (port, came) = canary("127.0.0.1").await;
    let (port6, came6) = match TcpListener::bind("[::1]:0").await {
        Ok(free) => {
            drop(free);
            canary("::1").await
        }
        // A machine without IPv6 has nobody there.
        Err(_) => (port, came.clone()),
    };
    let lookup = names(&[
        ("inside.test", &["10.0.0.1"]),
        ("mixed.test", &["1.1.1.1", "127.0.0.1"]),
        ("mapped.test", &["::ffff:127.0.0.1"]),
        ("nat64.test", &["64:ff9b::7f00:1"]),
    ]);
    let egress = Egress::resolving(Arc::new([]), lookup).unwrap();
    let mut tried = 0;
    for host in hosts() {
        for port in [port, port6] {
            for url in [
                format!("https://{host}:{port}/"),
                format!("http://{host}:{port}/"),
                format!("https://1.1.1.1@{host}:{port}/"),
                format!("https://{host}:{port}/?u=https://example.com"),
                format!("https:\\\\{host}:{port}\\hook"),
                format!("gopher://{host}:{port}/"),
                format!("ftp://{host}:{port}/"),
            ] {
                let refused = posted(&egress, &url).await.unwrap_err();
                // What nobody knows the address of ends there.
                let is_unknown = UNKNOWN.contains(&host.as_str());
                let is_refused = matches!(refused, CallError::Refused(_));
                assert!(is_refused || is_unknown, "{url}: {refused}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 2_000, "{tried}");
    assert_eq!((came.load(Ordering::Relaxed), came6.load(Ordering::Relaxed)), (0, 0));
}

#[tokio::test]
async fn who_is_refused_is_told_why_before_anything_is_sent() {
    let egress = Egress::new().unwrap();
    for (url, why) in [
        ("http://example.com/", "begins with https://"),
        ("https://10.0.0.1/", "not on the internet"),
        ("https://[::1]/", "not on the internet"),
        ("https://me:secret@example.com/", "name and password"),
        ("https://example.com/#x", "before a #"),
        ("file:///etc/passwd", "names a host"),
    ] {
        let refused = egress.check(&url.parse().unwrap()).unwrap_err().to_string();
        assert!(refused.contains(why), "{url}: {refused}");
        assert!(!refused.contains("secret"));
    }
    egress.check(&"https://example.com/hook?a=b".parse().unwrap()).unwrap();
}

#[tokio::test]
async fn what_was_checked_is_what_is_called_and_nothing_is_followed() {
    let (port, came) = canary("127.0.0.1").await;
    let to_canary = format!("http://127.0.0.1:{port}/");
    let routes = Router::new()
        .route("/", post(async |body: Bytes| ([(header::SERVER, "test")], body)))
        .route("/away", post(async move || Redirect::temporary(&to_canary)));
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let own = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });

    // A name that is outside when it is looked at, and inside a moment later.
    let asked = Arc::new(Mutex::new(0));
    let counted = asked.clone();
    let rebinding: Lookup = Arc::new(move |_| {
        let mut asked = counted.lock().unwrap();
        *asked += 1;
        let found = if *asked == 1 { "127.0.0.2" } else { "127.0.0.1" };
        Box::pin(async move { Ok(vec![found.parse().unwrap()]) })
    });
    let allowed: Arc<[IpNet]> = Arc::new(["127.0.0.2/32".parse().unwrap()]);
    let egress = Egress::resolving(allowed, rebinding).unwrap();
    let answer = posted(&egress, &format!("http://{own}/")).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"{}"[..]));
    let answer = posted(&egress, &format!("http://{own}/away")).await.unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    let away = format!("https://rebinding.test:{}/", own.port());
    // The first time it is called where it was seen, where nobody speaks TLS.
    assert!(matches!(posted(&egress, &away).await, Err(CallError::NoAnswer(_))));
    assert_eq!(*asked.lock().unwrap(), 1);
    assert!(matches!(posted(&egress, &away).await, Err(CallError::Refused(Refused::Inside(_)))));
    assert_eq!((*asked.lock().unwrap(), came.load(Ordering::Relaxed)), (2, 0));
}

#[tokio::test]
async fn an_answer_without_end_is_read_no_further() {
    let endless = || async {
        let part = Ok::<_, io::Error>(Bytes::from(vec![b'x'; 16 << 10]));
        axum::body::Body::from_stream(futures::stream::repeat_with(move || {
            Ok::<_, io::Error>(part.as_ref().unwrap().clone())
        }))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let routes = Router::new().route("/", post(endless));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let egress = Egress::allowing(["127.0.0.1/32".parse().unwrap()]).unwrap();
    let answer = posted(&egress, &format!("http://{at}/")).await.unwrap();
    assert_eq!(answer.body.len(), MOST);
}
