//! How the service is divided between classes that have work.

use super::fair::WHOLE;

/// A class now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// Tenants with work, times what each counts; 0 takes no part.
    pub(super) weight: u64,
    /// The least share while it takes part, in hundredths of a percent.
    pub(super) guaranteed_bp: u32,
}

/// What each gets of [`WHOLE`]: by weight, but nobody who takes part less than guaranteed. Who
/// would get less gets exactly that, and the others divide the rest.
pub(super) fn shares(claims: &[Claim]) -> Vec<u64> {
    // A fiftieth more than promised, since a share is met to within a job only.
    let guaranteed = |claim: &Claim| u64::from(claim.guaranteed_bp) * WHOLE * 51 / 500_000;
    let mut shares = vec![0; claims.len()];
    let mut open: Vec<usize> = (0..claims.len()).filter(|&at| claims[at].weight > 0).collect();
    let mut rest = WHOLE;
    loop {
        let weights: u64 = open.iter().map(|&at| claims[at].weight).sum();
        for &at in &open {
            shares[at] = rest * claims[at].weight / weights;
        }
        let (low, enough): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|&&at| shares[at] < guaranteed(&claims[at]));
        for &at in &low {
            shares[at] = guaranteed(&claims[at]);
            rest = rest.saturating_sub(shares[at]);
        }
        if low.is_empty() || enough.is_empty() {
            break;
        }
        open = enough;
    }
    // Rounded to nothing would mean never.
    for (share, claim) in shares.iter_mut().zip(claims) {
        *share = (*share).max(u64::from(claim.weight > 0));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(claims: &[(u64, u32)]) -> Vec<u64> {
        let claim = |&(weight, guaranteed_bp): &(u64, u32)| Claim { weight, guaranteed_bp };
        let claims: Vec<Claim> = claims.iter().map(claim).collect();
        shares(&claims).iter().map(|share| (share * 100 + WHOLE / 2) / WHOLE).collect()
    }

    #[test]
    fn shares_follow_the_weights_of_those_with_work() {
        assert_eq!(percent(&[(8, 500), (4, 500), (4, 500)]), [50, 25, 25]);
        assert_eq!(percent(&[(8, 500), (0, 500), (8, 500)]), [50, 0, 50]);
        assert_eq!(percent(&[(0, 500), (0, 500)]), [0, 0]);
    }

    #[test]
    fn nobody_with_work_gets_less_than_guaranteed_whatever_the_others_are() {
        assert_eq!(percent(&[(80_000, 500), (4, 500), (1, 500)]), [90, 5, 5]);
        // The second falls below what it is guaranteed only once the third is lifted.
        assert_eq!(percent(&[(890, 0), (105, 1020), (5, 1000)]), [79, 10, 10]);
        assert!(
            shares(
                &[(1 << 40, 0), (1, 0)]
                    .map(|(weight, guaranteed_bp)| Claim { weight, guaranteed_bp })
            )[1] > 0
        );
    }
}
