//! The pretend engine: what it does in a step, and how long that takes.

use std::time::Duration;

use super::nanos;
use crate::admission::{Charge, Place};
use crate::meter::of_tenant;

/// An engine that batches.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Jobs at once.
    pub slots: usize,
    /// Tokens of prompts read in a step at most.
    pub chunk: usize,
    /// One in so many steps makes tokens of answers that are less urgent than the prompt that is
    /// read; in the others they pause.
    pub pause: u64,
    /// What a step takes besides.
    pub step: Duration,
    /// What each answer under way adds.
    pub made: Duration,
    /// What each token of a prompt adds.
    pub read: Duration,
}

impl Default for Machine {
    /// llama.cpp with SmolLM2 135M on two cores: it reads 400 tokens in a second, makes 87 for one
    /// answer and 166 for eight together.
    fn default() -> Self {
        Self {
            slots: 8,
            chunk: 64,
            pause: 3,
            step: Duration::from_micros(6_252),
            made: Duration::from_micros(5_242),
            read: Duration::from_micros(2_500),
        }
    }
}

/// A job in the engine.
pub(super) struct Running {
    pub(super) place: Place,
    pub(super) source: usize,
    pub(super) arrived: u64,
    charge: Charge,
    unread: usize,
    unmade: usize,
}

/// What a job gets in a step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    pub(super) read: usize,
    pub(super) made: usize,
}

/// A step: what each job gets, in their order.
pub(super) struct Plan {
    pub(super) work: Vec<Work>,
    pub(super) nanos: u64,
}

impl Machine {
    /// What is done in the step of that number.
    pub(super) fn plan(&self, running: &[Running], number: u64) -> Plan {
        let ranks: Vec<u64> = running.iter().map(|job| job.charge.rank()).collect();
        let of = |reads: bool| {
            let jobs = running.iter().zip(&ranks).enumerate();
            jobs.filter(move |(_, (job, _))| (job.unread > 0) == reads)
        };
        // The most urgent first; of equals the shortest, which is done soonest.
        let mut readers: Vec<_> =
            of(true).map(|(at, (job, rank))| (rank, job.unread, at)).collect();
        readers.sort_unstable();
        let urgent = of(false).map(|(_, (_, rank))| of_tenant(*rank)).min();
        let first = readers.first().map(|(rank, _, _)| of_tenant(**rank));
        let is_behind = first > urgent && urgent.is_some();
        let chunk = if is_behind { 0 } else { self.chunk };
        let mut work = vec![Work::default(); running.len()];
        let mut answers = 0;
        for (at, (_, rank)) in of(false) {
            let pauses = first.is_some_and(|first| first < of_tenant(*rank))
                && !number.is_multiple_of(self.pause);
            work[at].made = usize::from(!pauses);
            answers += u64::from(!pauses);
        }
        let mut left = chunk;
        for (_, unread, at) in readers {
            let read = unread.min(left);
            left -= read;
            // The last token read tells the first one made.
            work[at] = Work { read, made: usize::from(read == unread) };
        }
        let read = (chunk - left) as u64;
        let nanos = nanos(self.step) + nanos(self.made) * answers + nanos(self.read) * read;
        Plan { work, nanos }
    }
}

impl Running {
    pub(super) fn new(
        place: Place,
        source: usize,
        arrived: u64,
        prompt: usize,
        answer: usize,
    ) -> Self {
        let charge = place.charge();
        Self { place, source, arrived, charge, unread: prompt, unmade: answer }
    }

    /// Counts it, and says whether this was the first token.
    pub(super) fn did(&mut self, work: Work) -> bool {
        if work.read > 0 {
            self.charge.read(work.read);
            self.unread -= work.read;
        }
        if work.made > 0 {
            self.charge.made(work.made);
            self.unmade = self.unmade.saturating_sub(work.made);
        }
        work.read > 0 && work.made > 0
    }

    pub(super) fn is_done(&self) -> bool {
        self.unread == 0 && self.unmade == 0
    }
}
