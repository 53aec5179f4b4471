//! TLS: with one set of settings for everybody, or chosen by the name that a visitor asks for.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::{Acceptor, ClientHello};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::BUFFER;

/// What a visitor says before anything is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name, in lower case.
    pub name: Option<Arc<str>>,
    /// The protocols it would speak.
    pub protocols: Vec<Vec<u8>>,
}

/// Chooses how TLS is spoken.
pub trait ByName: Send + Sync {
    /// The settings for this visitor. Whom no name here is meant by gets some without a
    /// certificate, and is told so by TLS itself.
    fn settings<'a>(
        &'a self,
        asked: &'a Asked,
    ) -> Pin<Box<dyn Future<Output = Arc<ServerConfig>> + Send + 'a>>;
}

/// Who does the handshake.
#[derive(Clone)]
pub enum Secured {
    /// All with the same settings.
    One(TlsAcceptor),
    /// Each with its own.
    ByName(Arc<dyn ByName>),
}

impl Secured {
    pub(super) async fn accept<S>(self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut secured = match self {
            Self::One(acceptor) => acceptor.accept(stream).await?,
            Self::ByName(names) => {
                let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
                let asked = Asked::of(&begun.client_hello());
                let settings = names.settings(&asked).await;
                begun.into_stream(settings).await?
            }
        };
        secured.get_mut().1.set_buffer_limit(Some(BUFFER));
        Ok(secured)
    }
}

impl Asked {
    fn of(hello: &ClientHello<'_>) -> Self {
        let name = hello.server_name().map(|name| name.to_ascii_lowercase().into());
        let protocols = hello.alpn().into_iter().flatten().map(<[u8]>::to_vec).collect();
        Self { name, protocols }
    }
}
