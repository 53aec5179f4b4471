//! The thread that computes: one batch after the other, in the order in which they come. Whose turn
//! it is was decided before; what nobody waits for any more is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use inference::embedding::EmbedError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Batches that wait; whoever has a further one waits before that.
const WAITING: usize = 16;

/// Makes vectors of texts, given as tokens.
pub(crate) type Compute = dyn Fn(&[&[u32]]) -> Result<Vec<Vec<f32>>, String> + Send;

/// The thread's outside.
pub(crate) struct Worker {
    batches: Sender<Batch>,
}

struct Batch {
    texts: Vec<Vec<u32>>,
    answer: oneshot::Sender<Result<Vec<Vec<f32>>, EmbedError>>,
}

impl Worker {
    pub(crate) fn start(compute: Box<Compute>) -> std::io::Result<Self> {
        let (batches, received) = channel(WAITING);
        thread::Builder::new()
            .name("embeddings".to_owned())
            .spawn(move || run(received, &*compute))?;
        Ok(Self { batches })
    }

    /// The vectors of the texts of one batch, in their order. A batch whose future is dropped is
    /// not computed, unless it has begun.
    pub(crate) async fn vectors(&self, texts: Vec<Vec<u32>>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let (answer, answered) = oneshot::channel();
        let gone = || EmbedError::Broken("the thread that computes is gone".to_owned());
        self.batches.send(Batch { texts, answer }).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Ends when the worker's outside is dropped and everything is answered.
fn run(mut batches: Receiver<Batch>, compute: &Compute) {
    while let Some(Batch { texts, answer }) = batches.blocking_recv() {
        if answer.is_closed() {
            continue;
        }
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        // One batch that breaks the network must not end the thread for all others.
        let made = catch_unwind(AssertUnwindSafe(|| compute(&texts)))
            .unwrap_or_else(|_| Err("it panicked".to_owned()));
        // Nobody is there to hear it, at worst.
        let _ = answer.send(made.map_err(EmbedError::Broken));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Mutex};
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

    #[tokio::test]
    async fn vectors_come_back_in_the_texts_order() {
        let (worker, go, _) = worker();
        go.send(()).unwrap();
        let vectors = worker.vectors(vec![vec![3, 3], vec![1], vec![2]]).await.unwrap();
        assert_eq!(vectors, [[3.0], [1.0], [2.0]]);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_computed() {
        let (worker, go, done) = worker();
        for first in 1..=5 {
            let left = worker.vectors(vec![vec![first]]);
            assert!(tokio::time::timeout(Duration::from_millis(1), left).await.is_err());
        }
        (0..6).for_each(|_| go.send(()).unwrap());
        worker.vectors(vec![vec![9]]).await.unwrap();
        // The first had begun.
        assert!(done.lock().unwrap().len() <= 2, "{done:?}");
    }

    #[tokio::test]
    async fn a_batch_that_breaks_the_network_harms_no_other() {
        let (worker, go, _) = worker();
        (0..2).for_each(|_| go.send(()).unwrap());
        let broken = worker.vectors(vec![vec![13]]).await;
        assert!(matches!(broken, Err(EmbedError::Broken(_))), "{broken:?}");
        worker.vectors(vec![vec![9]]).await.unwrap();
    }
}
