//! What a step computes: whose answers get a token, and what is read of prompts between two of
//! them. A bit only, so that a long prompt delays the others' next token by no more; and the more
//! urgent first, by the rank that the queue gives each job token by token.

use inference::meter::of_tenant;

/// Tokens that are computed in one go at most. Reading is about as quick in bits of this size as in
/// larger ones, and whoever comes meanwhile waits for a bit to end.
pub(crate) const MOST: usize = 256;

/// Tokens of prompts between two tokens of answers.
const BESIDE_ANSWERS: usize = 64;

/// While a more urgent prompt is read, an answer gets a token in one of so many steps.
const PAUSE: u64 = 3;

/// What a sequence needs next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need<K> {
    /// Tokens to compute until it can make one.
    pub(crate) rest: usize,
    /// Whether the prompt is still being read.
    pub(crate) reads: bool,
    /// Lower goes first; see [`of_tenant`].
    pub(crate) rank: u64,
    /// Which beginning it reads that others have too, and how much is left of that.
    pub(crate) shared: Option<(K, usize)>,
}

/// Which answers get a token in the step of that number: all, but for those whose tenant is less
/// urgent than that of a prompt, which pause for most of its reading.
pub(crate) fn answers<K>(needs: &[Need<K>], number: u64) -> Vec<usize> {
    let first = most_urgent(needs, true);
    let pauses = |need: &Need<K>| {
        first.is_some_and(|first| first < of_tenant(need.rank)) && !number.is_multiple_of(PAUSE)
    };
    needs.iter().map(|need| usize::from(!need.reads && !pauses(need))).collect()
}

/// The rank of the most urgent tenant of those that read, or of those that answer.
fn most_urgent<K>(needs: &[Need<K>], reads: bool) -> Option<u64> {
    let those = needs.iter().filter(|need| need.reads == reads);
    those.map(|need| of_tenant(need.rank)).min()
}

/// How many tokens of each sequence's prompt are read next: by rank, of equals the shortest first;
/// none while the tenants of all of them are less urgent than that of an answer that is being made.
/// Of several that read the same shared beginning one does it for all, and stops where it ends, to
/// hand it on.
pub(crate) fn plan<K: PartialEq + Copy>(needs: &[Need<K>]) -> Vec<usize> {
    let mut tokens = vec![0; needs.len()];
    if most_urgent(needs, false).is_some_and(|answer| most_urgent(needs, true) > Some(answer)) {
        return tokens;
    }
    let mut left = if needs.iter().all(|need| need.reads) { MOST } else { BESIDE_ANSWERS };

    let mut readers: Vec<usize> = (0..needs.len()).filter(|at| needs[*at].reads).collect();
    readers.sort_by_key(|at| (needs[*at].rank, needs[*at].rest));
    let mut being_read = Vec::new();
    for at in readers {
        let need = &needs[at];
        tokens[at] = match need.shared {
            Some((shared, _)) if being_read.contains(&shared) => 0,
            Some((shared, until)) => {
                being_read.push(shared);
                left.min(until)
            }
            None => left.min(need.rest),
        };
        left -= tokens[at];
    }
    tokens
}

#[cfg(test)]
mod tests {
    use inference::meter::BITS_OF_PEOPLE;

    use super::*;

    const ANSWER: Need<u8> = Need { rest: 1, reads: false, rank: 0, shared: None };

    /// Of a tenant with this rank.
    const fn tenant(rank: u64) -> u64 {
        rank << BITS_OF_PEOPLE
    }

    fn prompt(rest: usize, rank: u64) -> Need<u8> {
        Need { rest, reads: true, rank, shared: None }
    }

    #[test]
    fn beside_answers_a_bit_of_prompts_is_read() {
        assert_eq!(plan(&[ANSWER, prompt(1000, 0), ANSWER]), [0, 64, 0]);
        assert_eq!(plan(&[ANSWER, prompt(20, 0)]), [0, 20]);
    }

    #[test]
    fn a_prompt_waits_for_a_more_urgent_answer_and_is_read_before_a_less_urgent_one() {
        let answer = |rank| Need { rank: tenant(rank), ..ANSWER };
        let prompt = |rest, rank| prompt(rest, tenant(rank));
        let later = [answer(3), prompt(50, 4)];
        assert_eq!((plan(&later), answers(&later, 1)), (vec![0, 0], vec![1, 0]));
        let sooner = [answer(3), prompt(50, 2), answer(1)];
        assert_eq!(plan(&sooner), [0, 0, 0], "of three ranks the lowest goes first");
        let first = [answer(3), prompt(50, 2)];
        assert_eq!(plan(&first), [0, 50]);
        let steps: Vec<_> = (0..4).map(|number| answers(&first, number)[0]).collect();
        assert_eq!(steps, [1, 0, 0, 1]);
    }

    #[test]
    fn people_of_one_tenant_are_answered_and_read_side_by_side() {
        let needs = [Need { rank: 3, ..ANSWER }, prompt(50, 4), Need { rank: 9, ..ANSWER }];
        assert_eq!((plan(&needs), answers(&needs, 1)), (vec![0, 50, 0], vec![1, 0, 1]));
    }

    #[test]
    fn prompts_alone_fill_a_step() {
        assert_eq!(plan(&[prompt(1000, 0)]), [256]);
        assert_eq!(plan(&[prompt(180, 0), prompt(180, 0)]), [180, 76]);
    }

    #[test]
    fn the_most_urgent_prompt_is_read_first_and_of_equals_the_shortest() {
        let needs = [prompt(200, 7), prompt(200, 3), prompt(20, 7)];
        assert_eq!(plan(&needs), [36, 200, 20]);
    }

    #[test]
    fn what_several_share_is_read_by_one_up_to_its_end() {
        let shared = |which, until| Need { shared: Some((which, until)), ..prompt(99, 0) };
        let needs = [shared(1, 90), shared(1, 90), shared(2, 50), prompt(110, 0)];
        assert_eq!(plan(&needs), [90, 0, 50, 110]);
    }

    #[test]
    fn never_is_more_read_in_one_go_than_may_be() {
        assert_eq!(plan(&[prompt(300, 0); 20]).iter().sum::<usize>(), MOST);
        assert!(plan::<u8>(&[]).is_empty());
    }
}
