//! Tickets.

use pages::Sample;
use pages::parts::{Action, Field};

use super::super::contexts::{MessageRow, NewTicket, TicketPage, TicketRow, Tickets};
use super::{ODD, WHEN, empty, odd, paged};

fn row() -> TicketRow {
    TicketRow {
        href: "/o/acme/tickets/tkt_1".to_owned(),
        subject: odd(),
        urgency: "A question",
        state: "Waits for Support",
        tone: "primary",
        by: odd(),
        created_at: WHEN,
        changed_at: WHEN,
    }
}

impl Sample for Tickets {
    fn samples() -> Vec<Self> {
        let full = Self {
            new_href: Some("/o/acme/tickets/new".to_owned()),
            rows: vec![row()],
            empty: empty(),
            pages: paged(),
        };
        vec![Self { rows: vec![], new_href: None, ..full.clone() }, full]
    }
}

impl Sample for NewTicket {
    fn samples() -> Vec<Self> {
        let full = Self {
            action: "/o/acme/tickets/new".to_owned(),
            back: "/o/acme/tickets".to_owned(),
            fields: vec![Field::text("subject", "What it is about").error(Some(odd()))],
            refused: Some(odd()),
        };
        vec![Self { refused: None, ..full.clone() }, full]
    }
}

impl Sample for TicketPage {
    fn samples() -> Vec<Self> {
        let asked = MessageRow { by: odd(), is_support: false, at: WHEN, text: odd() };
        let answered = MessageRow { by: "Support".to_owned(), is_support: true, ..asked.clone() };
        let full = Self {
            row: row(),
            platform: Some(Action::secondary("harbour", "/o/acme/platforms/harbour")),
            refused: Some(odd()),
            messages: vec![asked, answered],
            pages: paged(),
            answer: Some(Field::textarea("text", "Your message", 8).value(ODD)),
            close_href: Some("/o/acme/tickets/tkt_1/close".to_owned()),
        };
        let read =
            Self { platform: None, refused: None, answer: None, close_href: None, ..full.clone() };
        vec![Self { close_href: None, ..full.clone() }, read, full]
    }
}
