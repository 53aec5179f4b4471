//! A proxy before a Kubernetes API server: plain HTTP on a free port of 127.0.0.1, and HTTPS
//! behind it. For questions, changes and watches; logs and `exec` do not pass.

mod answer;
mod call;
mod events;
mod fault;
mod lists;
mod socket;
mod upstream;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub use self::call::{Call, Verb};
pub use self::fault::{Event, Fault};
pub use self::upstream::{Unusable, Upstream};

use self::answer::{Body, Cut};
use self::lists::Lists;
use self::socket::Socket;
use crate::listen;
use crate::tally::{Tally, locked};

/// Above what the API server takes.
const MOST_BYTES: usize = 8 << 20;
/// Longer than any caller waits; then the connection is reset.
const HANG: Duration = Duration::from_mins(10);

/// A call that came, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What was asked.
    pub call: Call,
    /// In words; `none` where it passed.
    pub fault: String,
    /// What the API server answered. None where it heard nothing, or not yet, or is gone.
    pub carried_out: Option<u16>,
    /// What the caller was told. None where nothing came, or has not come yet.
    pub answered: Option<u16>,
}

type Script = Box<dyn FnMut(&Call) -> Fault + Send>;

/// The proxy; it ends when this is dropped, and so do its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<Infallible>,
}

struct Shared {
    upstream: Upstream,
    script: Mutex<Script>,
    tally: Tally<Seen>,
    lists: Mutex<Lists>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Starts before this API server; until a script is followed, everything passes.
    pub async fn before(upstream: Upstream) -> io::Result<Self> {
        let listener = TcpListener::bind(crate::ANY_PORT).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            script: Mutex::new(Box::new(crate::script::nothing())),
            tally: Tally::new(),
            lists: Mutex::default(),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            let serve = move |stream| serve(stream, Arc::clone(&shared));
            tokio::spawn(listen::each(listener, serve))
        };
        Ok(Self { address, shared, accepting })
    }

    /// What the program under test is told to be its API server.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next call on, this decides.
    pub fn follow(&self, script: impl FnMut(&Call) -> Fault + Send + 'static) {
        *locked(&self.shared.script) = Box::new(script);
    }

    /// Every call since the start or since all was forgotten, in the order in which they came.
    pub fn calls(&self) -> Vec<Seen> {
        self.shared.tally.all()
    }

    /// How many of them count.
    pub fn count(&self, counts: impl Fn(&Call) -> bool) -> usize {
        self.calls().iter().filter(|seen| counts(&seen.call)).count()
    }

    /// Forgets the calls so far, and the faults.
    pub fn forget(&self) {
        self.shared.tally.forget();
    }

    /// Waits until so many faults have been carried out; those of watches do not count. A call
    /// that hangs has been hit when it begins to hang.
    pub async fn struck(&self, n: usize) {
        self.shared.tally.struck(n).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let (socket, reset) = Socket::new(stream);
    let service = service_fn(|request| {
        let (shared, reset) = (Arc::clone(&shared), reset.clone());
        async move { shared.answer(request).await.inspect_err(|Cut| reset.when_dropped()) }
    });
    // However it ends, the caller notices.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let call = Call::of(request.method(), request.uri());
        let fault = (locked(&self.script))(&call);
        let number = self.tally.add(Seen {
            call: call.clone(),
            fault: format!("{fault:?}"),
            carried_out: None,
            answered: None,
        });
        let answer = self.carry_out(&call, number, request, fault).await?;
        self.tally.change(number, |seen| seen.answered = Some(answer.status().as_u16()));
        Ok(answer)
    }

    async fn carry_out(
        &self,
        call: &Call,
        number: usize,
        request: Request<Incoming>,
        fault: Fault,
    ) -> Result<Response<Body>, Cut> {
        match fault {
            Fault::None => {}
            Fault::ResetBefore => {
                self.tally.strike();
                return Err(Cut);
            }
            Fault::HangBefore => return self.hang().await,
            Fault::Answer { status, retry_after } => {
                self.tally.strike();
                return Ok(answer::refusal(status, retry_after));
            }
            Fault::Stale { back } => {
                if let Some(earlier) = locked(&self.lists).earlier(call, back) {
                    self.tally.strike();
                    return Ok(earlier);
                }
            }
            Fault::Events(decide) => {
                let answer = self.pass_on(number, request).await?;
                return Ok(answer::streamed(answer, |lines| events::broken(lines, decide)));
            }
            Fault::ResetAfter => {
                self.to_its_end(number, request).await?;
                self.tally.strike();
                return Err(Cut);
            }
            Fault::HangAfter => {
                self.to_its_end(number, request).await?;
                return self.hang().await;
            }
            Fault::AnswerAfter { status } => {
                self.to_its_end(number, request).await?;
                self.tally.strike();
                return Ok(answer::refusal(status, None));
            }
        }
        let answer = self.pass_on(number, request).await?;
        if !matches!(call.verb, Verb::Get | Verb::List) {
            return Ok(answer::streamed(answer, |bytes| bytes));
        }
        let whole = answer::Whole::read(answer).await?;
        if whole.status.is_success() {
            locked(&self.lists).keep(call, &whole);
        }
        Ok(whole.into_response())
    }

    async fn hang(&self) -> Result<Response<Body>, Cut> {
        self.tally.strike();
        tokio::time::sleep(HANG).await;
        Err(Cut)
    }

    async fn to_its_end(&self, number: usize, request: Request<Incoming>) -> Result<(), Cut> {
        let answer = self.pass_on(number, request).await?;
        answer::Whole::read(answer).await.map(drop)
    }

    async fn pass_on(
        &self,
        number: usize,
        request: Request<Incoming>,
    ) -> Result<reqwest::Response, Cut> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|_| Cut)?;
        let request = Request::from_parts(head, body.to_bytes());
        let answer = self.upstream.ask(request).await.map_err(|_| Cut)?;
        let status = answer.status().as_u16();
        self.tally.change(number, |seen| seen.carried_out = Some(status));
        Ok(answer)
    }
}

/// What a piece of a stream is.
type Piece = Result<Bytes, Cut>;
