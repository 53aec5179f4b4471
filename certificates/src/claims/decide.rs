//! What follows from a look at the DNS: decided from what is known, and nothing else.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::{Claim, MISSES, State};

/// What is in the DNS about a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What the TXT record was to say.
    pub token_sought: String,
    /// It says so.
    pub token: bool,
    /// Where the name leads.
    pub leads: Leads,
    /// Some question got no answer, so that what was not found may still be there.
    pub is_unsure: bool,
    /// What was found, as people are shown it.
    pub found: Vec<String>,
}

/// Where a name leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leads {
    /// A CNAME record leads to the claim's target.
    ToTarget,
    /// It has addresses, and all of them are the edge's.
    ToEdge,
    /// Anywhere else, or nowhere.
    #[default]
    Elsewhere,
}

/// What is known of a name beside the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody has it.
    Free,
    /// Somebody else has proven it.
    Held,
    /// It was somebody's until lately.
    Quarantined,
}

/// Why a claim is not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Neither record is there.
    NothingThere,
    /// The name leads elsewhere.
    PointsElsewhere,
    /// The DNS did not answer.
    NoAnswer,
    /// Another platform has proven that the name is its own: only the TXT record takes it.
    Held,
    /// It was somebody's until lately: only the TXT record takes it.
    Quarantined,
    /// Another platform's TXT record was newer.
    Displaced,
    /// It was verified, and for three days it has not belonged here.
    Lost,
}

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The name is this platform's.
    Verify,
    /// It is not any more.
    Lose,
    /// It is what it was.
    Stay(Stay),
}

/// A claim whose state stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) misses: u8,
    pub(super) why: Option<Why>,
}

/// Looks that count as misses are so far apart: three of them are days, whatever else looks.
const APART: SignedDuration = SignedDuration::from_hours(12);

pub(super) fn decide(claim: &Claim, look: &Look, standing: Standing, now: Timestamp) -> Decision {
    let stay = |misses, why| Decision::Stay(Stay { misses, why });
    match claim.state {
        State::Released => stay(0, claim.why),
        State::Verified(_) if look.token || look.leads != Leads::Elsewhere => stay(0, None),
        State::Verified(_) if look.is_unsure || is_early(claim, now) => stay(claim.misses, None),
        State::Verified(_) if claim.misses + 1 >= MISSES => Decision::Lose,
        State::Verified(_) => stay(claim.misses + 1, None),
        State::Pending if look.token => Decision::Verify,
        State::Pending => match standing {
            Standing::Free if look.leads == Leads::ToTarget => Decision::Verify,
            Standing::Held => stay(0, Some(Why::Held)),
            Standing::Quarantined if look.leads == Leads::ToTarget => {
                stay(0, Some(Why::Quarantined))
            }
            Standing::Free | Standing::Quarantined => stay(0, Some(missing(claim, look))),
        },
    }
}

fn is_early(claim: &Claim, now: Timestamp) -> bool {
    claim.looked_at.is_some_and(|last| now.duration_since(last) < APART)
}

fn missing(claim: &Claim, look: &Look) -> Why {
    match claim.why {
        // What happened to it says more than that nothing has been done since.
        Some(why @ (Why::Displaced | Why::Lost)) if !look.is_unsure => why,
        _ if look.is_unsure => Why::NoAnswer,
        _ if look.found.is_empty() => Why::NothingThere,
        _ => Why::PointsElsewhere,
    }
}

/// In which time a claim is looked at again. Who has just set a record waits for it; who has not
/// for days is looked at once a day.
pub(super) fn next_look(
    claim: &Claim,
    is_verified: bool,
    look: &Look,
    now: Timestamp,
) -> SignedDuration {
    let seconds = SignedDuration::from_secs;
    if is_verified {
        return if look.is_unsure { seconds(3_600) } else { spread(claim, seconds(86_400)) };
    }
    let age = now.duration_since(claim.claimed_at);
    let pause = [(600, 5), (3_600, 30), (86_400, 300), (14 * 86_400, 3_600)]
        .into_iter()
        .find(|(until, _)| age < seconds(*until))
        .map_or(86_400, |(_, pause)| pause);
    spread(claim, seconds(pause))
}

/// Up to a tenth less, always the same for one claim: what began at once does not stay at once.
fn spread(claim: &Claim, pause: SignedDuration) -> SignedDuration {
    let part = i32::from(claim.id.as_bytes()[15]);
    pause - pause / 10 / 256 * part
}

const WORDS: [(Why, &str); 7] = [
    (Why::NothingThere, "nothing-there"),
    (Why::PointsElsewhere, "points-elsewhere"),
    (Why::NoAnswer, "no-answer"),
    (Why::Held, "held"),
    (Why::Quarantined, "quarantined"),
    (Why::Displaced, "displaced"),
    (Why::Lost, "lost"),
];

impl Why {
    /// The word it is stored as.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(why, _)| *why == self).map_or("", |(_, word)| word)
    }
}

impl FromStr for Why {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        WORDS.iter().find(|(_, each)| *each == word).map(|(why, _)| *why).ok_or(())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingThere => "neither the CNAME nor the TXT record is there yet",
            Self::PointsElsewhere => "the name leads elsewhere",
            Self::NoAnswer => "the DNS servers of this name did not answer",
            Self::Held => {
                "another platform has proven that this name is its own; if it is yours now, set the \
                 TXT record"
            }
            Self::Quarantined => {
                "this name was another platform's until lately; if it is yours now, set the TXT record"
            }
            Self::Displaced => {
                "another platform proved with a newer TXT record that the name is its own; to have \
                 it back, set the new TXT record"
            }
            Self::Lost => {
                "for three days in a row neither record was there, so the name is not served any \
                 more; set one of them again"
            }
        })
    }
}
