//! How many listen at once: so many streams of each person or key, so many of an organization.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use crate::domain::id::OrganizationId;
use crate::rates;

/// After a change all who listen look at once whether they still may: so many of them hold a connection
/// to the database, and the others wait.
const LOOKS: usize = 2;

/// Streams that are open.
pub(crate) struct Streams {
    open: Arc<Mutex<Counts>>,
    looks: Semaphore,
}

type Counts = HashMap<OrganizationId, HashMap<Uuid, usize>>;

/// One that is open: until this is dropped it counts.
pub(crate) struct Stream {
    open: Arc<Mutex<Counts>>,
    organization: OrganizationId,
    who: Uuid,
}

impl Default for Streams {
    fn default() -> Self {
        Self { open: Arc::default(), looks: Semaphore::new(LOOKS) }
    }
}

impl Streams {
    /// One more of this person or key; `None` where there are as many as there can be.
    pub(crate) fn open(
        &self,
        (organization, who): (OrganizationId, Uuid),
        most: rates::Streams,
    ) -> Option<Stream> {
        let mut open = lock(&self.open);
        let of_organization = open.entry(organization).or_default();
        let together: usize = of_organization.values().sum();
        let each = of_organization.get(&who).copied().unwrap_or(0);
        // Where nothing is counted yet there is room: no empty entry stays behind.
        if each >= most.each || together >= most.together {
            return None;
        }
        of_organization.insert(who, each + 1);
        Some(Stream { open: self.open.clone(), organization, who })
    }

    /// A place among those who look something up for a stream.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.looks.acquire().await.ok()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        let Some(of_organization) = open.get_mut(&self.organization) else { return };
        if let Some(count) = of_organization.get_mut(&self.who) {
            *count = count.saturating_sub(1);
        }
        of_organization.retain(|_, count| *count > 0);
        if of_organization.is_empty() {
            open.remove(&self.organization);
        }
    }
}

fn lock(open: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_and_all_together_have_so_many_until_one_ends() {
        let (streams, most) = (Streams::default(), rates::Streams { each: 2, together: 5 });
        let [one, other] = [1, 2].map(|id| OrganizationId(Uuid::from_u128(id)));
        let listen = |organization, who| streams.open((organization, Uuid::from_u128(who)), most);
        let mut open: Vec<_> = (0..2).map(|_| listen(one, 0).unwrap()).collect();
        assert!(listen(one, 0).is_none(), "of one person or key");
        open.pop();
        open.extend([0, 1, 1, 2].map(|who| listen(one, who).unwrap()));
        assert!(listen(one, 3).is_none(), "of an organization");
        assert!(listen(other, 0).is_some(), "others have as many");
        drop(open);
        assert!(lock(&streams.open).is_empty(), "of what has ended nothing is kept");
        assert!(listen(one, 3).is_some());
    }
}
