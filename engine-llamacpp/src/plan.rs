//! What one step computes: a token of every answer that is being made, and beside them bits of
//! prompts, so that a long prompt delays the others' next token by one bit only.

/// Tokens that one step computes at most.
pub(crate) const MOST: usize = 512;

/// Tokens of prompts in a step that also makes tokens of answers. Reading is as quick in bits of
/// this size as in one piece, and such a step takes a third of a second on two old cores.
const BESIDE_ANSWERS: usize = 128;

/// What a sequence needs next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need<K> {
    /// Tokens to compute until it can make one; 1 for those that are making their answer.
    pub(crate) rest: usize,
    /// Whether the prompt is still being read.
    pub(crate) reads: bool,
    /// Lower goes first.
    pub(crate) rank: u64,
    /// Which beginning it reads that others have too, and how much is left of that.
    pub(crate) shared: Option<(K, usize)>,
}

/// How many tokens of each sequence the next step computes. Answers come first; then prompts by
/// rank, of equals the shortest. Of several that read the same shared beginning one does it for
/// all, and stops where it ends, to hand it on.
pub(crate) fn plan<K: PartialEq + Copy>(needs: &[Need<K>]) -> Vec<usize> {
    let mut tokens: Vec<usize> = needs.iter().map(|need| usize::from(!need.reads)).collect();
    let answers: usize = tokens.iter().sum();
    let most = MOST.saturating_sub(answers);
    let mut left = if answers == 0 { most } else { most.min(BESIDE_ANSWERS) };

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
    use super::*;

    const ANSWER: Need<u8> = Need { rest: 1, reads: false, rank: 0, shared: None };

    fn prompt(rest: usize, rank: u64) -> Need<u8> {
        Need { rest, reads: true, rank, shared: None }
    }

    #[test]
    fn every_answer_gets_its_token_and_a_prompt_beside_them_a_bit() {
        assert_eq!(plan(&[ANSWER, prompt(1000, 0), ANSWER]), [1, 128, 1]);
        assert_eq!(plan(&[ANSWER, prompt(20, 0)]), [1, 20]);
    }

    #[test]
    fn prompts_alone_fill_a_step() {
        assert_eq!(plan(&[prompt(1000, 0)]), [512]);
        assert_eq!(plan(&[prompt(300, 0), prompt(300, 0)]), [300, 212]);
    }

    #[test]
    fn the_most_urgent_prompt_is_read_first_and_of_equals_the_shortest() {
        let needs = [prompt(400, 7), prompt(400, 3), prompt(100, 7)];
        assert_eq!(plan(&needs), [12, 400, 100]);
    }

    #[test]
    fn what_several_share_is_read_by_one_up_to_its_end() {
        let shared = |which, until| Need { shared: Some((which, until)), ..prompt(200, 0) };
        let needs = [shared(1, 90), shared(1, 90), shared(2, 50), prompt(300, 0)];
        assert_eq!(plan(&needs), [90, 0, 50, 300]);
    }

    #[test]
    fn a_step_is_never_longer_than_it_may_be() {
        let many = [vec![ANSWER; 500], vec![prompt(900, 0); 20]].concat();
        assert_eq!(plan(&many).iter().sum::<usize>(), MOST);
    }
}
