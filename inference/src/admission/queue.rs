//! Who waits and who runs, as a tree: classes, their tenants, those of each tenant who pay and
//! those who do not, their people, and each person's jobs in the order they came. Only what has
//! work is in it.

use std::collections::{VecDeque, vec_deque};
use std::sync::Arc;

use tokio::sync::watch;

use super::fair::{Change, Fair, Terms, WHOLE};
use super::policy::{Classes, Policy};
use super::shares::{Claim, shares};
use super::walk::Work;
use crate::meter::BITS_OF_PEOPLE;

/// Of those bits of a rank that tell people of a tenant apart; the others tell their bands.
const BITS_OF_A_PERSON: u32 = 14;

pub(super) type TicketId = u64;
pub(super) type Name = Arc<str>;

/// Where in the tree somebody is.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) class: usize,
    pub(super) tenant: Name,
    pub(super) band: Band,
    pub(super) person: Name,
}

/// Whether a person pays their tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Band {
    Paying,
    Free,
}

/// A job that waits.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) id: TicketId,
    pub(super) path: Arc<Path>,
    /// What it probably costs in all.
    pub(super) likely: u64,
    pub(super) tell: watch::Sender<Spot>,
}

/// Where a job stands that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// Jobs that start before it, itself included; 0 once it may run.
    pub(super) position: usize,
    /// The same, of its tenant only.
    pub(super) of_tenant: usize,
}

#[derive(Debug)]
pub(super) struct Queue {
    tree: Fair<usize, Class>,
    /// Tenants with work of each class.
    tenants: Vec<usize>,
    classes: Classes,
    paying_weight: u64,
    terms: Terms,
    waiting: usize,
}

type Class = Fair<Name, Tenant>;

#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) running: usize,
    pub(super) waiting: usize,
    bands: Fair<Band, Fair<Name, Person>>,
}

#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) running: usize,
    pub(super) waiting: VecDeque<Ticket>,
}

/// How many members without work a level remembers.
const CLASSES_AND_TENANTS: usize = 4096;
const PEOPLE: usize = 64;

impl Queue {
    pub(super) fn new(policy: &Policy) -> Self {
        let terms = Terms { credit: policy.credit, remembered: CLASSES_AND_TENANTS };
        Self {
            tree: Fair::new(terms),
            tenants: vec![0; policy.classes.iter().count()],
            classes: policy.classes.clone(),
            paying_weight: u64::from(policy.paying_weight.max(1)),
            terms,
            waiting: 0,
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many tenants have work.
    pub(super) fn busy_tenants(&self) -> usize {
        self.tenants.iter().sum()
    }

    pub(super) fn push(&mut self, ticket: Ticket) {
        let Path { class, tenant, band, person } = &*ticket.path;
        let is_new = self.tenant(&ticket.path).is_none_or(|tenant| tenant.bands.busy_len() == 0);
        self.tenants[*class] += usize::from(is_new);
        let weight = self.share().get(*class).copied().unwrap_or(WHOLE);
        let terms = self.terms;
        let of_people = Terms { remembered: PEOPLE, ..terms };
        let class = self.tree.join(class, weight, || Fair::new(terms));
        let tenant = class.join(tenant, WHOLE, || Tenant {
            running: 0,
            waiting: 0,
            bands: Fair::new(of_people),
        });
        tenant.waiting += 1;
        let weight = match band {
            Band::Paying => WHOLE * self.paying_weight,
            Band::Free => WHOLE,
        };
        let people = tenant.bands.join(band, weight, || Fair::new(of_people));
        people.join(person, WHOLE, Person::default).waiting.push_back(ticket);
        self.waiting += 1;
    }

    /// Takes out whoever starts next of those who may. `may_start` is told the class of a tenant
    /// and how many jobs of it run.
    ///
    /// Whoever is passed by has something running, so only as many are as run.
    pub(super) fn pop(
        &mut self,
        may_start: impl Fn(usize, usize) -> bool,
        per_person: usize,
    ) -> Option<Ticket> {
        let path = self.next(may_start, per_person)?;
        let tenant = self.tree.pick(&path.class)?.pick(&path.tenant)?;
        tenant.running += 1;
        tenant.waiting -= 1;
        self.waiting -= 1;
        let person = tenant.bands.pick(&path.band)?.pick(&path.person)?;
        person.running += 1;
        person.waiting.pop_front()
    }

    fn next(
        &self,
        may_start: impl Fn(usize, usize) -> bool,
        per_person: usize,
    ) -> Option<Arc<Path>> {
        let tenants = self
            .tree
            .busy()
            .flat_map(|(class, tenants)| tenants.busy().map(move |(_, tenant)| (*class, tenant)));
        tenants
            .filter(|(class, tenant)| tenant.waiting > 0 && may_start(*class, tenant.running))
            .flat_map(|(_, tenant)| tenant.bands.busy().flat_map(|(_, people)| people.busy()))
            .filter(|(_, person)| person.running < per_person)
            .find_map(|(_, person)| person.waiting.front().map(|ticket| ticket.path.clone()))
    }

    /// Takes out one who left without having started. Whether their tenant has no work left.
    pub(super) fn remove(&mut self, path: &Path, id: TicketId) -> bool {
        let Some(tenant) = self.tenant_mut(path) else { return false };
        let Some(person) = tenant.person_mut(path) else { return false };
        let Some(at) = person.waiting.iter().position(|ticket| ticket.id == id) else {
            return false;
        };
        person.waiting.remove(at);
        tenant.waiting -= 1;
        self.waiting -= 1;
        self.settle(path)
    }

    /// One who ran has ended. Whether their tenant has no work left.
    pub(super) fn finish(&mut self, path: &Path) -> bool {
        let Some(tenant) = self.tenant_mut(path) else { return false };
        tenant.running -= 1;
        if let Some(person) = tenant.person_mut(path) {
            person.running -= 1;
        }
        self.settle(path)
    }

    /// Counts what somebody got.
    pub(super) fn count(&mut self, path: &Path, change: Change) {
        let class = self.tree.count(&path.class, change);
        let tenant = class.and_then(|class| class.count(&path.tenant, change));
        let people = tenant.and_then(|tenant| tenant.bands.count(&path.band, change));
        let _ = people.and_then(|people| people.count(&path.person, change));
    }

    /// Who has least at the highest level at which two differ is lower.
    pub(super) fn rank(&self, path: &Path) -> u64 {
        let class = self.tree.get(&path.class);
        let tenant = class.and_then(|class| class.get(&path.tenant));
        let people = tenant.and_then(|tenant| tenant.bands.get(&path.band));
        let leads = [
            (20, 4, self.tree.lead(&path.class)),
            (20, 1, class.map_or(0, |class| class.lead(&path.tenant))),
            (
                BITS_OF_PEOPLE - BITS_OF_A_PERSON,
                64,
                tenant.map_or(0, |tenant| tenant.bands.lead(&path.band)),
            ),
            (BITS_OF_A_PERSON, 4, people.map_or(0, |people| people.lead(&path.person))),
        ];
        leads.into_iter().fold(0, |rank, (bits, unit, lead)| {
            let half = 1_i64 << (bits - 1);
            let part = (lead / unit).clamp(-half, half - 1) + half;
            (rank << bits) | part.cast_unsigned()
        })
    }

    /// Everybody who waits, in the order they would start if nobody else came and all may run.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Ticket> {
        self.tree.walk()
    }

    pub(super) fn tenant(&self, path: &Path) -> Option<&Tenant> {
        self.tree.get(&path.class)?.get(&path.tenant)
    }

    /// Which part of [`WHOLE`] a tenant of each class gets when so many more have work.
    pub(super) fn share_of_each(&self, more: &[usize]) -> Vec<u64> {
        let all: Vec<usize> =
            self.tenants.iter().zip(more).map(|(some, more)| some + more).collect();
        let shares = shares(&self.claims(&all));
        shares.iter().zip(&all).map(|(share, all)| share / (*all as u64).max(1)).collect()
    }

    fn tenant_mut(&mut self, path: &Path) -> Option<&mut Tenant> {
        self.tree.get_mut(&path.class)?.get_mut(&path.tenant)
    }

    /// Takes out of the tree what has no work left.
    fn settle(&mut self, path: &Path) -> bool {
        let Some(class) = self.tree.get_mut(&path.class) else { return false };
        let Some(tenant) = class.get_mut(&path.tenant) else { return false };
        let Some(people) = tenant.bands.get_mut(&path.band) else { return false };
        let Some(person) = people.get(&path.person) else { return false };
        if person.running > 0 || !person.waiting.is_empty() {
            return false;
        }
        people.leave(&path.person);
        if people.busy_len() > 0 {
            return false;
        }
        tenant.bands.leave(&path.band);
        if tenant.bands.busy_len() > 0 {
            return false;
        }
        class.leave(&path.tenant);
        if class.busy_len() == 0 {
            self.tree.leave(&path.class);
        }
        self.tenants[path.class] -= 1;
        self.share();
        true
    }

    /// Divides the service anew between the classes.
    fn share(&mut self) -> Vec<u64> {
        let shares = shares(&self.claims(&self.tenants));
        for (class, share) in shares.iter().enumerate() {
            self.tree.set_weight(&class, *share);
        }
        shares
    }

    fn claims(&self, tenants: &[usize]) -> Vec<Claim> {
        let claims = self.classes.iter().zip(tenants).map(|(class, tenants)| Claim {
            weight: u64::from(class.weight) * (*tenants as u64),
            guaranteed_bp: class.guaranteed_bp,
        });
        claims.collect()
    }
}

impl Tenant {
    /// The one of its jobs that starts first.
    pub(super) fn first(&self) -> Option<&Ticket> {
        self.bands.walk().next()
    }

    pub(super) fn person(&self, path: &Path) -> Option<&Person> {
        self.bands.get(&path.band)?.get(&path.person)
    }

    fn person_mut(&mut self, path: &Path) -> Option<&mut Person> {
        self.bands.get_mut(&path.band)?.get_mut(&path.person)
    }
}

impl Work for Tenant {
    type Walk<'a> = <Fair<Band, Fair<Name, Person>> as Work>::Walk<'a>;

    fn walk(&self) -> Self::Walk<'_> {
        self.bands.walk()
    }
}

impl Work for Person {
    type Walk<'a> = vec_deque::Iter<'a, Ticket>;

    fn walk(&self) -> Self::Walk<'_> {
        self.waiting.iter()
    }
}
