use blueprint::Slug;
use blueprint::plan::PlanName;
use proptest::prelude::*;

use super::*;
use crate::ledger::memory::Ledger;
use crate::ledger::{NoJournal, Posted};
use crate::rating::contract::Agreement;
use crate::rating::dated::Dated;
use crate::rating::invoice::{Payer, Tax};
use crate::rating::line::Reason;
use crate::rating::markup::Tiers;
use crate::rating::prices::{PriceList, Sku};
use crate::rating::time::Month;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// So many days after it was issued.
fn day(day: i64) -> Timestamp {
    at("2028-03-01T00:00:00Z") + jiff::SignedDuration::from_hours(24 * day)
}

fn called(name: &str) -> Ref {
    name.parse().unwrap()
}

fn organization() -> Slug {
    "acme".parse().unwrap()
}

fn rail() -> Slug {
    "test".parse().unwrap()
}

fn drafted(code: &str, month: u16, lines: &[(Sku, i64)]) -> Draft {
    let currency = code.parse().unwrap();
    let list = PriceList::new(currency, |plan| Tiers::by_volume(plan, currency));
    let agreement = Agreement::new(Dated::new(list)).unwrap();
    let march = Month::of(day(0));
    let line = |(sku, micros): &(Sku, i64)| {
        let why = vec![Reason::new("x", Amount::new(*micros, currency))];
        Line::of(*sku, sku.to_string(), march.period(), why).unwrap()
    };
    let name = InvoiceName::month(&organization(), march.later(month));
    let payer = Payer { organization: &organization(), agreement: &agreement };
    Draft::new(name, payer, lines.iter().map(line).collect(), day(0)).unwrap()
}

const PLAN: Sku = Sku::Plan(PlanName::Starter);

fn untaxed(month: u16, dollars: i64) -> Invoice {
    drafted("USD", month, &[(PLAN, dollars * 1_000_000)]).issue(Taxes::none(1)).unwrap()
}

fn taxes(kind: TaxKind, code: &str, minor: &[i64]) -> Taxes {
    let tax = |minor: &i64| {
        Some(Tax { what: "VAT".into(), amount: Money::new(*minor, code.parse().unwrap()) })
    };
    Taxes { kind, lines: minor.iter().map(tax).collect() }
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn paid(minor: i64) -> Event {
    Event::Paid { rail: rail(), amount: usd(minor) }
}

fn credited(lines: &[(usize, i64)]) -> Event {
    let lines = lines.iter().map(|(line, minor)| (*line, usd(*minor))).collect();
    Event::Credited { lines, why: "as agreed".into() }
}

fn refunded(payment: &str, minor: i64) -> Event {
    Event::Refunded { payment: called(payment), amount: usd(minor) }
}

fn disputed(payment: &str, minor: i64) -> Event {
    Event::Disputed { payment: called(payment), amount: usd(minor) }
}

fn told(journal: &Journal) -> Vec<String> {
    let entry = |entry: &Entry| format!("{} {}", entry.account, entry.amount);
    journal.entries().iter().map(entry).collect()
}

fn refused(invoice: &mut Invoice, event: Event) -> NoInvoice {
    let before = invoice.clone();
    let why = invoice.happened(called("refused"), event, day(1)).unwrap_err();
    assert_eq!(*invoice, before, "nothing changes");
    why
}

/// What a ledger has that was told all of them.
fn on(account: &str, invoices: &[&Invoice]) -> i64 {
    let (mut ledger, account) = (Ledger::default(), account.parse().unwrap());
    for journal in invoices.iter().flat_map(|invoice| invoice.journals()) {
        ledger.post(journal.clone());
    }
    assert!(ledger.conflicts().is_empty());
    i64::try_from(ledger.balance(&account, Currency::USD) / 10_000).unwrap()
}

#[test]
fn use_in_millionths_is_billed_in_cents_and_what_is_left_over_is_told() {
    let lines = [(PLAN, 99_000_000), (Sku::Ai, 1_234_567)];
    let invoice = drafted("USD", 0, &lines).issue(taxes(TaxKind::Exclusive, "USD", &[1881, 23]));
    let invoice = invoice.unwrap();
    assert_eq!(invoice.total(), usd(9_900 + 123 + 1_881 + 23));
    assert_eq!(
        told(invoice.journal()),
        [
            "organization:acme/receivable 119.27 USD",
            "organization:acme/unbilled -1.234567 USD",
            "factory/revenue -99.00 USD",
            "factory/tax -19.04 USD",
            "factory/rounding 0.004567 USD",
        ]
    );
    assert_eq!(invoice.journal().key(), &EventKey::new("control", "invoice", "acme/2028-03"));
}

#[test]
fn tax_that_is_in_the_price_is_not_earned() {
    let draft = drafted("USD", 0, &[(PLAN, 119_000_000)]);
    let invoice = draft.issue(taxes(TaxKind::Inclusive, "USD", &[1_900])).unwrap();
    assert_eq!((invoice.total(), invoice.left(0)), (usd(11_900), Some((usd(10_000), usd(1_900)))));
    let expected = [
        "organization:acme/receivable 119.00 USD",
        "factory/revenue -100.00 USD",
        "factory/tax -19.00 USD",
    ];
    assert_eq!(told(invoice.journal()), expected);
    // Of use that was earned with the tax in it, the tax is taken out again.
    let used = drafted("USD", 0, &[(Sku::Ai, 119_000_000)]);
    let used = used.issue(taxes(TaxKind::Inclusive, "USD", &[1_900])).unwrap();
    assert_eq!(told(used.journal())[2], "factory/revenue 19.00 USD");
}

#[test]
fn what_rounds_to_nothing_is_left_over_and_nobody_is_asked_for_it() {
    let invoice = drafted("USD", 0, &[(Sku::Ai, 4_999)]).issue(Taxes::none(1)).unwrap();
    assert_eq!((invoice.total(), invoice.fact()), (usd(0), None));
    let expected = ["organization:acme/unbilled -0.004999 USD", "factory/rounding 0.004999 USD"];
    assert_eq!(told(invoice.journal()), expected);
}

#[test]
fn a_payment_settles_and_the_same_told_again_moves_nothing() {
    let mut invoice = untaxed(0, 99);
    let first = invoice.happened(called("pi_1"), paid(9_900), day(2)).unwrap();
    assert_eq!(
        told(&first.journal),
        ["rail:test/cash 99.00 USD", "organization:acme/receivable -99.00 USD"]
    );
    let key = EventKey::new("control", "invoice", "acme/2028-03/payment/pi_1");
    assert_eq!(first.journal.key(), &key);
    assert_eq!(first.fact, Some(Fact::Settled { invoice: invoice.name().clone(), at: day(2) }));
    let before = invoice.clone();
    assert_eq!(invoice.happened(called("pi_1"), paid(9_900), day(2)), Ok(first));
    assert_eq!(invoice, before);
    let conflict = NoInvoice::Conflict(called("pi_1"));
    assert_eq!(invoice.happened(called("pi_1"), paid(9_800), day(2)), Err(conflict.clone()));
    assert_eq!(invoice.happened(called("pi_1"), paid(9_900), day(3)), Err(conflict));
}

#[test]
fn parts_settle_together_at_the_latest_of_their_times_whatever_came_first() {
    let settle = |parts: [(&str, i64, i64); 2]| {
        let mut invoice = untaxed(0, 99);
        let mut facts = parts.map(|(name, minor, on)| {
            invoice.happened(called(name), paid(minor), day(on)).unwrap().fact
        });
        assert_eq!(facts[0], None);
        facts[1].take()
    };
    let (first, second) = (("a", 4_000, 3), ("b", 5_900, 5));
    let settled = settle([first, second]);
    assert_eq!(settled, settle([second, first]));
    let invoice = untaxed(0, 99).name().clone();
    assert_eq!(settled, Some(Fact::Settled { invoice, at: day(5) }));
}

#[test]
fn what_is_paid_too_much_is_owed_and_can_go_back_where_it_came_from() {
    let mut invoice = untaxed(0, 99);
    invoice.happened(called("a"), paid(9_900), day(1)).unwrap();
    let twice = invoice.happened(called("b"), paid(9_900), day(1)).unwrap();
    assert_eq!(told(&twice.journal)[1], "organization:acme/payable -99.00 USD");
    assert_eq!((invoice.open(), invoice.owed_back(), twice.fact), (usd(0), usd(9_900), None));
    let more = refused(&mut invoice, refunded("b", 9_901));
    let of = "what is owed back".to_owned();
    assert_eq!(more, NoInvoice::MoreThanLeft { asked: usd(9_901), left: usd(9_900), of });
    let back = invoice.happened(called("r"), refunded("b", 9_900), day(2)).unwrap();
    let expected = ["rail:test/cash -99.00 USD", "organization:acme/payable 99.00 USD"];
    assert_eq!(told(&back.journal), expected);
    assert_eq!(
        refused(&mut invoice, refunded("x", 1)),
        NoInvoice::MoreThanLeft { asked: usd(1), left: usd(0), of: "what is owed back".into() }
    );
}

#[test]
fn nothing_of_a_payment_goes_back_twice() {
    let mut invoice = untaxed(0, 99);
    invoice.happened(called("a"), paid(9_900), day(1)).unwrap();
    invoice.happened(called("b"), paid(9_900), day(1)).unwrap();
    invoice.happened(called("d"), disputed("a", 9_900), day(2)).unwrap();
    let left =
        |left, of: &str| NoInvoice::MoreThanLeft { asked: usd(1), left: usd(left), of: of.into() };
    assert_eq!(refused(&mut invoice, refunded("a", 1)), left(0, "payment a"));
    assert_eq!(refused(&mut invoice, disputed("a", 1)), left(0, "payment a"));
    assert_eq!(refused(&mut invoice, refunded("c", 1)), NoInvoice::Unknown(called("c")));
    invoice.happened(called("r"), refunded("b", 9_900), day(2)).unwrap();
    assert_eq!(refused(&mut invoice, disputed("b", 1)), left(0, "payment b"));
}

#[test]
fn a_credit_note_takes_less_off_what_is_open_and_the_rest_is_owed() {
    let draft = drafted("USD", 0, &[(PLAN, 100_000_000), (Sku::SERVICES, 50_000_000)]);
    let mut invoice = draft.issue(taxes(TaxKind::Exclusive, "USD", &[1_900, 950])).unwrap();
    invoice.happened(called("a"), paid(15_000), day(1)).unwrap();
    assert_eq!(invoice.open(), usd(2_850));
    let note = invoice.happened(called("n"), credited(&[(1, 5_950)]), day(2)).unwrap();
    assert_eq!(
        told(&note.journal),
        [
            "factory/revenue 50.00 USD",
            "factory/tax 9.50 USD",
            "organization:acme/receivable -28.50 USD",
            "organization:acme/payable -31.00 USD",
        ]
    );
    assert!(matches!(note.fact, Some(Fact::Settled { .. })));
    let more = refused(&mut invoice, credited(&[(0, 1), (1, 1)]));
    let of = "line 1".to_owned();
    assert_eq!(more, NoInvoice::MoreThanLeft { asked: usd(1), left: usd(0), of });
    assert_eq!(refused(&mut invoice, credited(&[(0, 1), (0, 1)])), NoInvoice::LineTwice(0));
    assert_eq!(refused(&mut invoice, credited(&[(2, 1)])), NoInvoice::NoLine(2));
    assert_eq!(refused(&mut invoice, credited(&[(0, 0)])), NoInvoice::NothingMoves);
    assert_eq!(refused(&mut invoice, credited(&[(0, -1)])), NoInvoice::NothingMoves);
    let nothing = refused(&mut invoice, credited(&[]));
    assert_eq!(nothing, NoInvoice::Journal(NoJournal::Entries(0)));
}

#[test]
fn a_dispute_that_is_lost_is_to_be_paid_again_and_one_that_is_won_is_not() {
    for verdict in [Verdict::Won, Verdict::Lost] {
        let mut invoice = untaxed(0, 99);
        invoice.happened(called("a"), paid(9_900), day(1)).unwrap();
        let taken = invoice.happened(called("d"), disputed("a", 9_900), day(5)).unwrap();
        let expected = ["rail:test/cash -99.00 USD", "organization:acme/reserve 99.00 USD"];
        assert_eq!(told(&taken.journal), expected);
        assert_eq!((invoice.open(), taken.fact), (usd(0), None), "nobody knows yet");
        let judged = invoice.happened(called("d"), Event::Judged(verdict), day(40)).unwrap();
        let name = invoice.name().clone();
        let (open, book, fact) = match verdict {
            Verdict::Won => (0, "rail:test/cash", None),
            Verdict::Lost => {
                let reopened = Fact::Reopened { invoice: name, at: day(40) };
                (9_900, "organization:acme/receivable", Some(reopened))
            }
        };
        assert_eq!((invoice.open(), judged.fact), (usd(open), fact));
        let moved =
            ["organization:acme/reserve -99.00 USD".to_owned(), format!("{book} 99.00 USD")];
        assert_eq!(told(&judged.journal), moved);
        let other =
            Event::Judged(if verdict == Verdict::Won { Verdict::Lost } else { Verdict::Won });
        let twice = invoice.happened(called("d"), other, day(41));
        assert_eq!(twice, Err(NoInvoice::Conflict(called("d"))));
        let again = invoice.happened(called("e"), disputed("a", 1), day(41));
        assert_eq!(again.is_ok(), verdict == Verdict::Won);
    }
}

#[test]
fn what_one_invoice_owes_back_pays_another_once() {
    let (mut march, mut april) = (untaxed(0, 99), untaxed(1, 999));
    march.happened(called("a"), paid(9_900), day(1)).unwrap();
    march.happened(called("n"), credited(&[(0, 4_000)]), day(2)).unwrap();
    let applied = apply(&mut march, &mut april, usd(3_000), called("x"), day(31)).unwrap();
    let expected =
        ["organization:acme/payable 30.00 USD", "organization:acme/receivable -30.00 USD"];
    assert_eq!(told(&applied.journal), expected);
    let before = (march.clone(), april.clone());
    assert_eq!(apply(&mut march, &mut april, usd(3_000), called("x"), day(31)), Ok(applied));
    assert_eq!((&march, &april), (&before.0, &before.1));
    assert_eq!((march.owed_back(), april.open()), (usd(1_000), usd(96_900)));
    let more = apply(&mut march, &mut april, usd(1_001), called("y"), day(31)).unwrap_err();
    assert!(matches!(more, NoInvoice::MoreThanLeft { .. }));
    assert_eq!((&march, &april), (&before.0, &before.1));
    assert_eq!(on("organization:acme/payable", &[&march, &april]), -1_000);
    assert_eq!(on("organization:acme/receivable", &[&march, &april]), 96_900);
    // Another one that was told of it under this name never heard of it.
    let conflict = apply(&mut march, &mut untaxed(1, 999), usd(3_000), called("x"), day(31));
    assert_eq!(conflict, Err(NoInvoice::Conflict(called("x"))));
    let mut small = untaxed(2, 1);
    let open = apply(&mut march, &mut small, usd(101), called("z"), day(31)).unwrap_err();
    assert!(matches!(open, NoInvoice::MoreThanLeft { left, .. } if left == usd(100)));
}

#[test]
fn nobody_pays_with_what_somebody_else_is_owed() {
    let (mut march, mut other) = (untaxed(0, 99), untaxed(1, 99));
    march.happened(called("a"), paid(19_900), day(1)).unwrap();
    other.draft.organization = "other".parse().unwrap();
    let theirs = apply(&mut march, &mut other, usd(1), called("x"), day(2));
    assert!(matches!(theirs, Err(NoInvoice::NotTheirs(..))));
}

#[test]
fn what_is_no_invoice_is_refused() {
    let currency = Currency::USD;
    let agreement = Agreement::new(Dated::new(PriceList::factory().unwrap())).unwrap();
    let draft = |amounts: &[Amount]| {
        let month = Month::of(day(0));
        let line = |amount: &Amount| {
            Line::of(PLAN, "x", month.period(), vec![Reason::new("x", *amount)]).unwrap()
        };
        let payer = Payer { organization: &organization(), agreement: &agreement };
        let name = InvoiceName::month(&organization(), month);
        Draft::new(name, payer, amounts.iter().map(line).collect(), day(0))
    };
    let usd = |micros| Amount::new(micros, currency);
    assert_eq!(draft(&[]), Err(NoInvoice::Nothing));
    assert_eq!(draft(&[usd(0)]), Err(NoInvoice::Nothing));
    assert_eq!(draft(&[usd(5), usd(-1)]), Err(NoInvoice::BelowZero(usd(-1))));
    let yen = Amount::new(1, "JPY".parse().unwrap());
    assert!(matches!(draft(&[usd(5), yen]), Err(NoInvoice::Amount(AmountError::Mixed(..)))));
    let drafted = draft(&[usd(i64::MAX)]).unwrap();
    let above = drafted.issue(taxes(TaxKind::Exclusive, "USD", &[i64::MAX]));
    assert_eq!(above, Err(NoInvoice::Amount(AmountError::Overflow)));
    let yen = Event::Paid { rail: rail(), amount: "1 JPY".parse().unwrap() };
    assert!(matches!(refused(&mut untaxed(0, 1), yen), NoInvoice::Mixed(..)));
}

/// Any event of an invoice of three lines, most of which cannot be.
fn events() -> impl Strategy<Value = Vec<(u8, Event)>> {
    let names = || (0..4_u8).prop_map(|name| called(&format!("p{name}")));
    let amount = || (1..20_000_i64).prop_map(usd);
    let event = prop_oneof![
        amount().prop_map(|amount| Event::Paid { rail: rail(), amount }),
        (0..3_usize, amount()).prop_map(|(line, back)| Event::Credited {
            lines: vec![(line, back)],
            why: "x".into()
        }),
        (names(), amount()).prop_map(|(payment, amount)| Event::Refunded { payment, amount }),
        (names(), amount()).prop_map(|(payment, amount)| Event::Disputed { payment, amount }),
        any::<bool>().prop_map(|won| Event::Judged(if won { Verdict::Won } else { Verdict::Lost })),
    ];
    prop::collection::vec((0..4_u8, event), 0..40)
}

fn invoices() -> impl Strategy<Value = Invoice> {
    let lines = prop::collection::vec((1..200_000_000_i64, 0..5_000_i64), 3);
    (lines, any::<bool>()).prop_map(|(lines, is_inclusive)| {
        let skus = [PLAN, Sku::Ai, Sku::SERVICES];
        let micros: Vec<_> =
            skus.into_iter().zip(lines.iter().map(|(micros, _)| *micros)).collect();
        let draft = drafted("USD", 0, &micros);
        let kind = if is_inclusive { TaxKind::Inclusive } else { TaxKind::Exclusive };
        let minor: Vec<_> = draft
            .lines()
            .zip(&lines)
            .map(|((_, price), (_, tax))| (*tax).min(price.amount()))
            .collect();
        draft.issue(taxes(kind, "USD", &minor)).unwrap()
    })
}

proptest! {
    #[test]
    fn whatever_happens_the_ledger_says_what_the_invoice_says(
        mut invoice in invoices(), events in events(),
    ) {
        let mut ledger = Ledger::default();
        ledger.post(invoice.journal().clone());
        for (at, (name, event)) in (1..).zip(events) {
            let name = called(&format!("p{name}"));
            let Ok(moved) = invoice.happened(name.clone(), event.clone(), day(at)) else { continue };
            prop_assert!(matches!(ledger.post(moved.journal.clone()), Posted::New(_)));
            let again = invoice.happened(name, event, day(at)).unwrap();
            prop_assert!(matches!(ledger.post(again.journal), Posted::Again(_)));
            let has = |account: &str| ledger.balance(&account.parse().unwrap(), Currency::USD);
            let minor = |money: Money| i128::from(money.amount()) * 10_000;
            prop_assert_eq!(has("organization:acme/receivable"), minor(invoice.open()));
            prop_assert_eq!(has("organization:acme/payable"), -minor(invoice.owed_back()));
            prop_assert!(has("rail:test/cash") >= 0);
            prop_assert!(has("organization:acme/reserve") >= 0);
            prop_assert!(has("factory/tax") <= 0);
        }
    }

    #[test]
    fn lines_and_taxes_sum_to_the_total_and_credit_notes_give_all_of_it_back(
        invoice in invoices(),
        steps in prop::collection::vec((0..3_usize, 0..=100_i64), 0..20),
    ) {
        let mut invoice = invoice;
        let left = |invoice: &Invoice, line| {
            let (net, tax) = invoice.left(line).unwrap();
            net.amount() + tax.amount()
        };
        let all = |invoice: &Invoice| (0..3).map(|line| left(invoice, line)).sum::<i64>();
        prop_assert_eq!(all(&invoice), invoice.total().amount());
        let last = (0..3).map(|line| (line, 100));
        for (at, (line, part)) in (0..).zip(steps.into_iter().chain(last)) {
            let before = left(&invoice, line);
            let back = before * part / 100;
            if back == 0 {
                continue;
            }
            let note = credited(&[(line, back)]);
            invoice.happened(called(&format!("n{at}")), note, day(at)).unwrap();
            prop_assert_eq!(left(&invoice, line), before - back);
        }
        prop_assert_eq!((all(&invoice), invoice.open()), (0, usd(0)));
        let more = invoice.happened(called("more"), credited(&[(0, 1)]), day(90));
        let is_refused = matches!(more, Err(NoInvoice::MoreThanLeft { .. }));
        prop_assert!(is_refused);
        prop_assert_eq!(on("organization:acme/receivable", &[&invoice]), 0);
        prop_assert_eq!(on("factory/tax", &[&invoice]), 0);
        // What was used and what rounding left stay; both were told before.
        let kept = on("factory/revenue", &[&invoice]);
        let used = -on("organization:acme/unbilled", &[&invoice]);
        prop_assert!((kept - used).abs() <= 1, "{kept} {used}");
    }
}
