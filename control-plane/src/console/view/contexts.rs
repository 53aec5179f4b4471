//! The contexts, by what they are about.

mod account;
mod audit;
mod confirm;
mod factors;
mod history;
mod keys;
mod organizations;
mod passkeys;
mod people;
mod platforms;
mod policy;
mod tickets;
mod webhooks;

pub use account::{Account, EventRow, FactorRow, SessionRow};
pub use audit::{Audit, AuditRow};
pub use confirm::Confirm;
pub use factors::{RecoveryCodes, SetUp};
pub use history::{OperationRow, Operations, RevisionPage, RevisionRow, Revisions};
pub use keys::{KeyRow, Keys};
#[cfg(test)]
pub use organizations::OrganizationRow;
pub use organizations::Organizations;
pub use passkeys::{Device, PasskeyRow};
#[cfg(test)]
pub use people::RoleChoice;
pub use people::{InvitationRow, MemberRow, People};
pub use platforms::{
    DeletedRow, Fleet, New, PlatformPage, PlatformRow, TemplateRow, UsageTold, domains,
};
#[cfg(test)]
pub use platforms::{DomainRow, UsageRow};
pub use policy::{Policy, Provider};
pub use tickets::{MessageRow, NewTicket, TicketPage, TicketRow, Tickets, urgency};
pub use webhooks::{DeliveryRow, WebhookPage, WebhookRow, Webhooks};
