//! Who waits, and in which order they start. Round robin twice: round the tenants, and for each
//! tenant round its people; a person's own jobs in the order they came. Never holds an empty
//! tenant or person.

use std::collections::VecDeque;

use tokio::sync::watch;
use web::token::Caller;

pub(super) type TicketId = u64;

#[derive(Debug, Default)]
pub(super) struct Queue {
    tenants: VecDeque<Lane<Lane<Ticket>>>,
    len: usize,
}

/// One tenant with its people, or one person with their jobs.
#[derive(Debug, Clone)]
struct Lane<T> {
    name: String,
    waiting: VecDeque<T>,
}

#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) id: TicketId,
    pub(super) tell: watch::Sender<usize>,
    pub(super) caller: Caller,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, id: TicketId, caller: &Caller, tell: watch::Sender<usize>) {
        let tenant = lane(&mut self.tenants, &caller.tenant);
        let person = lane(&mut tenant.waiting, &caller.user);
        person.waiting.push_back(Ticket { id, tell, caller: caller.clone() });
        self.len += 1;
    }

    /// Takes out whoever starts next of those who may run; their tenant and person go to the back.
    pub(super) fn pop(&mut self, may_run: impl Fn(&Caller) -> bool) -> Option<Ticket> {
        let at = |people: &VecDeque<Lane<Ticket>>| {
            people.iter().position(|person| {
                person.waiting.front().is_some_and(|ticket| may_run(&ticket.caller))
            })
        };
        let (tenant_at, person_at) = self
            .tenants
            .iter()
            .enumerate()
            .find_map(|(tenant_at, tenant)| Some((tenant_at, at(&tenant.waiting)?)))?;
        let mut tenant = self.tenants.remove(tenant_at)?;
        let ticket = next(&mut tenant.waiting, person_at);
        if !tenant.waiting.is_empty() {
            self.tenants.push_back(tenant);
        }
        self.len -= usize::from(ticket.is_some());
        ticket
    }

    /// Takes out one who left.
    pub(super) fn remove(&mut self, id: TicketId) {
        for tenant in &mut self.tenants {
            for person in &mut tenant.waiting {
                let before = person.waiting.len();
                person.waiting.retain(|ticket| ticket.id != id);
                self.len -= before - person.waiting.len();
            }
            tenant.waiting.retain(|person| !person.waiting.is_empty());
        }
        self.tenants.retain(|tenant| !tenant.waiting.is_empty());
    }

    /// Tells everybody how many start before them, themselves included.
    pub(super) fn tell_positions(&self) {
        for (at, ticket) in self.in_order().into_iter().enumerate() {
            let position = at + 1;
            ticket.tell.send_if_modified(|old| std::mem::replace(old, position) != position);
        }
    }

    /// The position of the first job of those meant, if `limit` of them or more wait.
    pub(super) fn first_of_if_full(
        &self,
        meant: impl Fn(&Caller) -> bool,
        limit: usize,
    ) -> Option<usize> {
        let order = self.in_order();
        let mine = order.iter().filter(|ticket| meant(&ticket.caller)).count();
        if mine < limit {
            return None;
        }
        order.iter().position(|ticket| meant(&ticket.caller)).map(|at| at + 1)
    }

    /// Everybody in the order they would start if nobody else came and all may run.
    fn in_order(&self) -> Vec<&Ticket> {
        let mut tenants: VecDeque<VecDeque<VecDeque<&Ticket>>> = self
            .tenants
            .iter()
            .map(|tenant| tenant.waiting.iter().map(|p| p.waiting.iter().collect()).collect())
            .collect();
        let mut order = Vec::with_capacity(self.len);
        while let Some(mut people) = tenants.pop_front() {
            if let Some(mut person) = people.pop_front() {
                order.extend(person.pop_front());
                if !person.is_empty() {
                    people.push_back(person);
                }
            }
            if !people.is_empty() {
                tenants.push_back(people);
            }
        }
        order
    }
}

/// The lane of that name, new at the back if there is none.
fn lane<'a, T>(lanes: &'a mut VecDeque<Lane<T>>, name: &str) -> &'a mut Lane<T> {
    let at = lanes.iter().position(|lane| lane.name == name).unwrap_or_else(|| {
        lanes.push_back(Lane { name: name.to_owned(), waiting: VecDeque::new() });
        lanes.len() - 1
    });
    &mut lanes[at]
}

/// The first job of that person, who goes to the back.
fn next(people: &mut VecDeque<Lane<Ticket>>, at: usize) -> Option<Ticket> {
    let mut person = people.remove(at)?;
    let ticket = person.waiting.pop_front();
    if !person.waiting.is_empty() {
        people.push_back(person);
    }
    ticket
}
