//! Sits where the engine draws each token: draws it, counts it, and ends the answer when it must.
//!
//! The engine calls a logits processor once for each token of each request, so this is the exact
//! place to count, also for answers that are cancelled. Ending means drawing the model's own end
//! token: the engine then finishes the sequence as if the model had been done. That is kinder
//! than closing the response channel, on which some of the engine's error paths panic.
//!
//! A sequence that ends with its very first token is run once more by the engine, which forgets
//! that it ended; so the end is kept here, and what is drawn after it does not count.

use std::mem;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{Device, Tensor};
use inference::Meter;
use inference::chances::{likeliest_of, with_logarithm};
use inference::sampling::{Sampling, likeliest};
use inference::turns::{Reading, Turns};
use mistralrs::CustomLogitsProcessor;
use tokio_util::sync::CancellationToken;

/// Why the answer goes on or ends, as far as the drawing of tokens decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    On,
    /// The model drew its end token.
    Ended,
    /// No token left: those of the job, or those of the model's context.
    Full,
    /// Ended from outside.
    Stopped,
    /// The model gave no usable numbers.
    Unusable,
}

/// How one answer is drawn, counted and ended.
pub(crate) struct Drawing {
    meter: Meter,
    sampling: Sampling,
    limits: Limits,
    stop: CancellationToken,
    turns: Arc<Turns>,
    reading: Mutex<Option<Reading>>,
    prompt: AtomicUsize,
    total: AtomicUsize,
    verdict: AtomicU8,
    chances: Option<Mutex<Vec<Drawn>>>,
    likeliest: usize,
}

/// A token, where it stands, and the likeliest at its place, each with its logarithm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawn {
    position: usize,
    pub(crate) chosen: (u32, f32),
    pub(crate) others: Vec<(u32, f32)>,
}

/// What bounds an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Tokens of the answer.
    pub(crate) max_tokens: usize,
    /// Tokens of prompt and answer.
    pub(crate) context_tokens: usize,
    /// The model's word for the end.
    pub(crate) end_token: u32,
    /// The end of a text, which a shape allows when it is full.
    pub(crate) text_end: Option<u32>,
}

impl Drawing {
    /// `stop` ends the answer at the next token; the turn to read the prompt ends with the first.
    pub(crate) fn new(
        meter: Meter,
        sampling: Sampling,
        limits: Limits,
        stop: CancellationToken,
        reading: Reading,
    ) -> Self {
        Self {
            meter,
            sampling,
            limits,
            stop,
            turns: Arc::clone(reading.turns()),
            reading: Mutex::new(Some(reading)),
            prompt: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
            verdict: AtomicU8::new(Verdict::On as u8),
            chances: None,
            likeliest: 0,
        }
    }

    /// Keeps the chances of each token too, and of so many of the likeliest at its place.
    pub(crate) fn with_chances(self, likeliest: usize) -> Self {
        Self { chances: Some(Mutex::default()), likeliest, ..self }
    }

    /// The chances of what was drawn since this was asked last.
    pub(crate) fn take_chances(&self) -> Vec<Drawn> {
        self.chances.as_ref().map(|kept| mem::take(&mut *lock(kept))).unwrap_or_default()
    }

    /// The engine may draw a token twice; the second counts.
    fn keep_chances(&self, logits: &[f32], position: usize, token: usize) {
        let Some(kept) = &self.chances else { return };
        let drawn = Drawn {
            position,
            chosen: with_logarithm(logits, token),
            others: likeliest_of(logits, self.likeliest),
        };
        let mut kept = lock(kept);
        kept.retain(|drawn| drawn.position != position);
        kept.push(drawn);
    }

    /// The prompt has been read, or never will be.
    pub(crate) fn end_reading(&self) {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether the prompt has been read: from then on the engine can be left between two tokens.
    pub(crate) fn has_begun(&self) -> bool {
        self.prompt.load(Ordering::Acquire) > 0
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let verdicts = [Verdict::Ended, Verdict::Full, Verdict::Stopped, Verdict::Unusable];
        let now = self.verdict.load(Ordering::Acquire);
        verdicts.into_iter().find(|verdict| *verdict as u8 == now).unwrap_or(Verdict::On)
    }

    /// The end token; where a shape does not allow it, whatever it allows.
    fn end(&self, logits: &[f32]) -> usize {
        let end = self.limits.end_token as usize;
        let is_refused = logits.get(end).is_some_and(|logit| *logit == f32::NEG_INFINITY);
        if is_refused { likeliest(logits).map_or(end, |(token, _)| token) } else { end }
    }

    fn is_text_end(&self, token: usize) -> bool {
        self.limits.text_end.is_some_and(|text_end| text_end as usize == token)
    }

    fn draw(&self, logits: &[f32], position: usize) -> (Verdict, usize) {
        let Limits { max_tokens, context_tokens, end_token, .. } = self.limits;
        let end = end_token as usize;
        if self.stop.is_cancelled() {
            return (Verdict::Stopped, self.end(logits));
        }
        let Some(token) = self.sampling.pick(logits, position) else {
            return (Verdict::Unusable, end);
        };
        let drawn = position + 1 - self.prompt.load(Ordering::Acquire);
        if token == end {
            (Verdict::Ended, end)
        } else if self.is_text_end(token) {
            (Verdict::Ended, token)
        } else if drawn >= max_tokens || position + 1 >= context_tokens {
            (Verdict::Full, token)
        } else {
            (Verdict::On, token)
        }
    }
}

impl CustomLogitsProcessor for Drawing {
    /// `context` is the prompt and what was drawn until now. By its length, not by calls: the
    /// engine may draw one token twice.
    fn apply(&self, logits: &Tensor, context: &[u32]) -> candle_core::Result<Tensor> {
        let position = context.len();
        self.end_reading();
        // The first call comes with the prompt alone.
        let is_first =
            self.prompt.compare_exchange(0, position, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if is_first {
            self.meter.read(position);
        }
        let mut numbers = logits.to_vec1::<f32>()?;
        let undamped = self.chances.is_some().then(|| numbers.clone());
        let answer = context.get(self.prompt.load(Ordering::Acquire)..).unwrap_or_default();
        self.sampling.dampen(&mut numbers, answer);
        let is_over =
            self.verdict() != Verdict::On && position >= self.total.load(Ordering::Acquire);
        let token = if is_over {
            self.end(&numbers)
        } else {
            let (verdict, token) = self.draw(&numbers, position);
            let before = self.total.fetch_max(position + 1, Ordering::AcqRel);
            if before <= position {
                self.meter.made(1);
            }
            self.verdict.store(verdict as u8, Ordering::Release);
            if self.is_text_end(token) {
                // The engine would go on after it, so whoever follows lets go of the request; who
                // has to find the verdict then.
                self.stop.cancel();
            }
            if let (Some(logits), Verdict::On | Verdict::Full) = (undamped, verdict) {
                self.keep_chances(&logits, position, token);
            }
            token
        };

        // Here, between two tokens, is where an answer can wait; what is drawn is sent after it, so
        // not with the first.
        if position > self.prompt.load(Ordering::Acquire) && self.verdict() == Verdict::On {
            self.turns.before_next_token();
        }
        let mut chosen = vec![0f32; numbers.len()];
        if let Some(chosen) = chosen.get_mut(token) {
            *chosen = 1.0;
        }
        Tensor::from_vec(chosen, numbers.len(), &Device::Cpu)
    }
}

fn lock(kept: &Mutex<Vec<Drawn>>) -> MutexGuard<'_, Vec<Drawn>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use inference::meter::Charge;

    use super::*;

    fn drawing(max_tokens: usize, context_tokens: usize, stop: &CancellationToken) -> Drawing {
        let sampling = Sampling { temperature: 0.0, top_p: 1.0, seed: 0, repetition: 1.0 };
        let limits = Limits { max_tokens, context_tokens, end_token: 2, text_end: Some(0) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let reading = runtime.block_on(Turns::new().read(1));
        Drawing::new(Meter::default(), sampling, limits, stop.clone(), reading)
    }

    fn drawn(drawing: &Drawing, logits: [f32; 4], position: usize) -> usize {
        let logits = Tensor::new(&logits, &Device::Cpu).unwrap();
        let chosen = drawing.apply(&logits, &vec![9; position]).unwrap().to_vec1::<f32>().unwrap();
        let mut ones = (0..chosen.len()).filter(|at| chosen[*at] > 0.5);
        let token = ones.next().unwrap();
        assert_eq!(ones.next(), None, "one token is chosen");
        token
    }

    const SECOND: [f32; 4] = [0.0, 5.0, 1.0, 2.0];
    const END: [f32; 4] = [0.0, 0.0, 5.0, 0.0];

    #[test]
    fn tokens_are_counted_once_each() {
        let drawing = drawing(100, 100, &CancellationToken::new());
        for position in [10, 11, 11, 12] {
            assert_eq!(drawn(&drawing, SECOND, position), 1);
        }
        let usage = drawing.meter.usage();
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (10, 3));
        assert_eq!(drawing.verdict(), Verdict::On);
        assert_eq!(drawn(&drawing, END, 13), 2);
        assert_eq!(
            (drawing.verdict(), drawing.meter.usage().completion_tokens),
            (Verdict::Ended, 4)
        );
    }

    #[test]
    fn the_chances_of_each_token_are_kept_once_and_those_of_the_end_not() {
        let drawing = drawing(100, 100, &CancellationToken::new()).with_chances(2);
        for position in [10, 11, 11] {
            drawn(&drawing, SECOND, position);
        }
        drawn(&drawing, END, 12);
        let kept = drawing.take_chances();
        assert_eq!(kept.iter().map(|drawn| drawn.position).collect::<Vec<_>>(), [10, 11]);
        assert_eq!(kept[0].chosen, kept[0].others[0]);
        assert_eq!((kept[0].others[0].0, kept[0].others[1].0), (1, 3));
        assert!(drawing.take_chances().is_empty());
    }

    #[test]
    fn after_the_end_nothing_is_drawn_or_counted() {
        for (max_tokens, first, verdict) in [(9, END, Verdict::Ended), (1, SECOND, Verdict::Full)] {
            let drawing = drawing(max_tokens, 100, &CancellationToken::new());
            drawn(&drawing, first, 10);
            assert_eq!(drawn(&drawing, SECOND, 11), 2);
            assert_eq!((drawing.verdict(), drawing.meter.usage().completion_tokens), (verdict, 1));
        }
    }

    #[test]
    fn who_is_told_of_the_end_of_a_text_finds_it_counted() {
        let stop = CancellationToken::new();
        let told = Told { stop: stop.clone(), late: AtomicUsize::new(0) };
        let told = Arc::new(told);
        let mut drawing = drawing(100, 100, &stop);
        drawing.meter = Meter::new(Arc::clone(&told) as _);
        assert_eq!(drawn(&drawing, [5.0, 0.0, 0.0, 0.0], 10), 0);
        assert!(stop.is_cancelled());
        assert_eq!((drawing.verdict(), told.late.load(Ordering::Relaxed)), (Verdict::Ended, 0));
    }

    /// Counts what is counted too late.
    struct Told {
        stop: CancellationToken,
        late: AtomicUsize,
    }

    impl Charge for Told {
        fn read(&self, _: usize) {}

        fn reused(&self, _: usize) {}

        fn made(&self, _: usize) {
            self.late.fetch_add(usize::from(self.stop.is_cancelled()), Ordering::Relaxed);
        }

        fn rank(&self) -> u64 {
            0
        }
    }

    #[test]
    fn an_answer_ends_when_stopped_when_full_and_when_nothing_is_usable() {
        let stop = CancellationToken::new();
        let full = drawing(100, 12, &stop);
        assert_eq!(drawn(&full, SECOND, 11), 1);
        assert_eq!((full.verdict(), drawn(&full, SECOND, 12)), (Verdict::Full, 2));

        let unusable = drawing(100, 100, &stop);
        assert_eq!(drawn(&unusable, [f32::NAN; 4], 10), 2);
        assert_eq!(unusable.verdict(), Verdict::Unusable);

        let stopped = drawing(100, 100, &stop);
        assert_eq!(drawn(&stopped, SECOND, 10), 1);
        stop.cancel();
        assert_eq!((drawn(&stopped, SECOND, 11), stopped.verdict()), (2, Verdict::Stopped));
    }
}
