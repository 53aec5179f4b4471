//! The thread that computes. Requests take turns, one batch each, so that a small one waits for no
//! large one; what nobody waits for any more is dropped before its next batch.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use inference::embedding::EmbedError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::batches::Batches;

/// Requests at once, waiting ones included; further ones are told to come back.
const REQUESTS: usize = 64;

/// Makes vectors of texts, given as tokens.
pub(crate) type Compute = dyn Fn(&[&[u32]]) -> Result<Vec<Vec<f32>>, String> + Send;

/// The thread's outside.
pub(crate) struct Worker {
    /// Bounded by the places.
    requests: UnboundedSender<Request>,
    places: Arc<Semaphore>,
}

/// A place among the requests, kept until it is dropped.
pub(crate) type Place = OwnedSemaphorePermit;

struct Request {
    batches: Batches,
    vectors: Vec<Vec<f32>>,
    answer: oneshot::Sender<Result<Vec<Vec<f32>>, EmbedError>>,
    place: Place,
}

impl Worker {
    pub(crate) fn start(compute: Box<Compute>) -> std::io::Result<Self> {
        let (requests, received) = unbounded_channel();
        thread::Builder::new()
            .name("embeddings".to_owned())
            .spawn(move || run(received, &*compute))?;
        Ok(Self { requests, places: Arc::new(Semaphore::new(REQUESTS)) })
    }

    /// A place, if there is one.
    pub(crate) fn place(&self) -> Result<Place, EmbedError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| EmbedError::Busy)
    }

    /// The vectors of the texts, in their order. Dropping the future drops what is not computed.
    pub(crate) async fn vectors(
        &self,
        place: Place,
        texts: Vec<Vec<u32>>,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let (answer, answered) = oneshot::channel();
        let vectors = vec![Vec::new(); texts.len()];
        let request = Request { batches: Batches::of(texts), vectors, answer, place };
        let gone = || EmbedError::Broken("the thread that computes is gone".to_owned());
        self.requests.send(request).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Ends when the worker's outside is dropped and everything is answered.
fn run(mut received: UnboundedReceiver<Request>, compute: &Compute) {
    let mut turns = VecDeque::new();
    loop {
        if turns.is_empty() {
            match received.blocking_recv() {
                Some(request) => turns.push_back(request),
                None => return,
            }
        }
        while let Ok(request) = received.try_recv() {
            turns.push_back(request);
        }
        if let Some(request) = turns.pop_front().and_then(|request| step(request, compute)) {
            turns.push_back(request);
        }
    }
}

/// Computes one batch of a request; gives it back if there is more to do.
fn step(mut request: Request, compute: &Compute) -> Option<Request> {
    if request.answer.is_closed() {
        return None;
    }
    let Some(batch) = request.batches.next() else {
        answer(request, None);
        return None;
    };
    let texts: Vec<&[u32]> = batch.iter().map(|(_, tokens)| tokens.as_slice()).collect();
    // One request that breaks the network must not end the thread for all others.
    let made = catch_unwind(AssertUnwindSafe(|| compute(&texts)))
        .unwrap_or_else(|_| Err("it panicked".to_owned()));
    match made {
        Ok(vectors) => {
            for ((place, _), vector) in batch.iter().zip(vectors) {
                request.vectors[*place] = vector;
            }
            Some(request)
        }
        Err(error) => {
            answer(request, Some(EmbedError::Broken(error)));
            None
        }
    }
}

/// The end of a request. Its place is free before the answer is heard.
fn answer(request: Request, error: Option<EmbedError>) {
    let Request { vectors, answer, place, .. } = request;
    drop(place);
    // Nobody is there to hear it, at worst.
    let _ = answer.send(error.map_or(Ok(vectors), Err));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    /// The first tokens of each batch's texts.
    type Done = Arc<Mutex<Vec<Vec<u32>>>>;

    /// A worker whose vectors are the texts' first tokens, and which waits for a word before each
    /// batch; what it computed is told.
    fn worker() -> (Worker, Sender<()>, Done) {
        let (go, wait): (_, Receiver<()>) = channel();
        let done = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&done);
        let compute = move |texts: &[&[u32]]| {
            wait.recv().map_err(|error| error.to_string())?;
            let first: Vec<u32> = texts.iter().map(|text| text[0]).collect();
            assert_ne!(first, [13], "as it was told to");
            told.lock().unwrap().push(first);
            Ok(texts.iter().map(|text| vec![f32::from(u16::try_from(text[0]).unwrap())]).collect())
        };
        (Worker::start(Box::new(compute)).unwrap(), go, done)
    }

    /// A text that fills a batch of its own.
    fn large(first: u32) -> Vec<u32> {
        vec![first; 900]
    }

    #[tokio::test]
    async fn vectors_come_back_in_the_texts_order() {
        let (worker, go, _) = worker();
        (0..3).for_each(|_| go.send(()).unwrap());
        let texts = vec![large(3), vec![1], large(2)];
        let vectors = worker.vectors(worker.place().unwrap(), texts).await.unwrap();
        assert_eq!(vectors, [[3.0], [1.0], [2.0]]);
    }

    #[tokio::test]
    async fn a_small_request_waits_for_one_batch_of_a_large_one() {
        let (worker, go, done) = worker();
        let place = || worker.place().unwrap();
        let many = worker.vectors(place(), vec![large(1), large(2), large(3)]);
        let small = worker.vectors(place(), vec![vec![9]]);
        let both = async { tokio::join!(many, small) };
        (0..4).for_each(|_| go.send(()).unwrap());
        both.await.1.unwrap();
        // It came second, before the large one's third batch at the latest.
        let place = done.lock().unwrap().iter().position(|batch| *batch == [9]).unwrap();
        assert!(place <= 2, "{done:?}");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_computed() {
        let (worker, go, done) = worker();
        let left = worker.vectors(worker.place().unwrap(), (1..=5).map(large).collect());
        let left = tokio::time::timeout(Duration::from_millis(1), left).await;
        assert!(left.is_err());
        (0..6).for_each(|_| go.send(()).unwrap());
        worker.vectors(worker.place().unwrap(), vec![vec![9]]).await.unwrap();
        assert!(done.lock().unwrap().len() <= 2, "{done:?}");
        assert_eq!(worker.places.available_permits(), REQUESTS);
    }

    #[tokio::test]
    async fn one_request_too_many_is_told_to_come_back() {
        let (worker, ..) = worker();
        let places: Vec<_> = (0..REQUESTS).map(|_| worker.place().unwrap()).collect();
        assert_eq!(worker.place().err(), Some(EmbedError::Busy));
        drop(places);
        drop(worker.place().unwrap());
    }

    #[tokio::test]
    async fn a_request_that_breaks_the_network_harms_no_other() {
        let (worker, go, _) = worker();
        (0..2).for_each(|_| go.send(()).unwrap());
        let broken = worker.vectors(worker.place().unwrap(), vec![vec![13]]).await;
        assert!(matches!(broken, Err(EmbedError::Broken(_))), "{broken:?}");
        worker.vectors(worker.place().unwrap(), vec![vec![9]]).await.unwrap();
    }
}
