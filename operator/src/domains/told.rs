//! How far a name is, in the words of whoever owns it.

use std::time::Duration;

use blueprint::status::{DnsRecord, DomainState, DomainStatus};
use certificates::BadName;
use certificates::claims::{self, Claim, State, Why, Zones};
use certificates::served::Progress;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Named, Stands};

/// A name that is on its way is looked at again after a quarter of the time that it has been,
/// between these.
pub(super) const SOONEST: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_mins(10);

/// Whoever is told of a longer wait is told until when.
const A_WHILE: SignedDuration = SignedDuration::from_secs(90);

/// How far a claim is.
pub(super) fn of(
    typed: &str,
    claim: &Claim,
    zones: &Zones,
    progress: Option<&Progress>,
    now: Timestamp,
) -> Named {
    let begun = match claim.state {
        State::Verified(since) => since,
        _ => claim.claimed_at,
    };
    let until = progress.and_then(|progress| progress.until).filter(|until| *until > now);
    let (state, record, stands) = match (claim.state, until) {
        (State::Verified(_), Some(_)) => (DomainState::Serving, None, None),
        (State::Verified(_), None) => {
            (DomainState::Verified, Some(leads(claim, zones)), Some(ordering(progress, now)))
        }
        _ => waiting(claim, zones),
    };
    let is_served = state == DomainState::Serving;
    let status = DomainStatus {
        name: typed.to_owned(),
        state,
        record,
        found: claim.found.clone(),
        expires_at: until.filter(|_| is_served).map(Time),
    };
    Named { status, stands, again: (!is_served).then(|| again(begun, now)) }
}

/// A name that nobody can have.
pub(super) fn bad(typed: &str, why: BadName) -> Named {
    failed(typed, "BadName", why.to_string())
}

/// A name that was not claimed, as its platform has claimed so many of late.
pub(super) fn too_many(typed: &str) -> Named {
    let named = failed(typed, "TooMany", claims::Error::TooMany.to_string());
    Named { again: Some(LATEST), ..named }
}

fn failed(typed: &str, reason: &'static str, message: String) -> Named {
    let status = DomainStatus {
        name: typed.to_owned(),
        state: DomainState::Failed,
        record: None,
        found: Vec::new(),
        expires_at: None,
    };
    let stands = Stands { reason, message };
    Named { status, stands: Some(stands), again: None }
}

fn again(begun: Timestamp, now: Timestamp) -> Duration {
    let age = Duration::try_from(now.duration_since(begun)).unwrap_or_default();
    (age / 4).clamp(SOONEST, LATEST)
}

/// The certificate is not there yet.
fn ordering(progress: Option<&Progress>, now: Timestamp) -> Stands {
    let Some(trouble) = progress.and_then(|progress| progress.trouble.as_deref()) else {
        let message = "its certificate is being ordered".to_owned();
        return Stands { reason: "Ordering", message };
    };
    let next = progress.and_then(|progress| progress.next_try);
    let next = next.filter(|next| next.duration_since(now) > A_WHILE);
    let next = next.map_or_else(
        || "it is tried again by itself".to_owned(),
        |next| format!("it is tried again at {}", next.strftime("%Y-%m-%d %H:%M UTC")),
    );
    Stands { reason: "NotIssued", message: format!("no certificate yet: {trouble}; {next}") }
}

/// The name is not proven.
fn waiting(claim: &Claim, zones: &Zones) -> (DomainState, Option<DnsRecord>, Option<Stands>) {
    let (state, reason, why, is_text) = match claim.why {
        None | Some(Why::NothingThere) => {
            (DomainState::WaitingForRecord, "WaitingForRecord", "", false)
        }
        Some(Why::PointsElsewhere) => {
            (DomainState::WaitingForRecord, "WaitingForRecord", "it leads elsewhere: ", false)
        }
        Some(Why::NoAnswer) => {
            let why = "the DNS gave no answer about it, and is asked again; should it be missing, ";
            (DomainState::WaitingForRecord, "NoAnswer", why, false)
        }
        Some(Why::Quarantined) => {
            let why = "it was another platform's until lately, so a new record has to prove it: ";
            (DomainState::WaitingForRecord, "WaitingForRecord", why, true)
        }
        Some(Why::Held) => {
            let why = "another platform has proven that it is its own; if it is yours, ";
            (DomainState::Claimed, "Claimed", why, true)
        }
        Some(Why::Displaced) => {
            let why = "another platform has proven since that it is its own; if it is yours, ";
            (DomainState::Claimed, "Claimed", why, true)
        }
        Some(Why::Lost) => {
            let why = "it has not led here for three days and is not served any more: ";
            (DomainState::Failed, "Lost", why, true)
        }
    };
    // Beside other records, as at the top of a domain, the DNS allows no CNAME.
    let record = if is_text || claim.name.is_apex() { text(claim) } else { leads(claim, zones) };
    let DnsRecord { kind, name, value } = &record;
    let message = format!("{why}set the {kind} record {name} to {value}");
    (state, Some(record), Some(Stands { reason, message }))
}

fn text(claim: &Claim) -> DnsRecord {
    DnsRecord { kind: "TXT".to_owned(), name: claim.challenge(), value: claim.token.clone() }
}

/// What leads visitors of a name here.
fn leads(claim: &Claim, zones: &Zones) -> DnsRecord {
    let record = |kind: &str, value| DnsRecord {
        kind: kind.to_owned(),
        name: claim.name.as_str().to_owned(),
        value,
    };
    let address = zones.addresses.first().filter(|_| claim.name.is_apex());
    match address {
        Some(address) => record(if address.is_ipv4() { "A" } else { "AAAA" }, address.to_string()),
        None => record("CNAME", claim.points_at(zones)),
    }
}

#[cfg(test)]
mod tests {
    use certificates::claims::Tenant;
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zones() -> Zones {
        Zones {
            own: vec!["platforms.test".to_owned()],
            targets: "edge.platforms.test".to_owned(),
            addresses: vec!["192.0.2.80".parse().unwrap()],
        }
    }

    fn claim(name: &str, state: State, why: Option<Why>) -> Claim {
        Claim {
            id: Uuid::nil(),
            name: name.parse().unwrap(),
            tenant: Tenant { name: "acme".to_owned(), uid: Uuid::nil() },
            token: "word".to_owned(),
            target: "target".to_owned(),
            state,
            claimed_at: at("2026-03-01T00:00:00Z"),
            looked_at: None,
            misses: 0,
            why,
            found: vec!["A 192.0.2.1".to_owned()],
        }
    }

    fn told(claim: &Claim, progress: Option<&Progress>) -> (DomainState, String, String) {
        let now = at("2026-03-01T00:01:00Z");
        let Named { status, stands, .. } = of(claim.name.as_str(), claim, &zones(), progress, now);
        let record = status.record.map(|it| format!("{} {} {}", it.kind, it.name, it.value));
        let message = stands.map(|stands| format!("{}: {}", stands.reason, stands.message));
        (status.state, record.unwrap_or_default(), message.unwrap_or_default())
    }

    #[test]
    fn who_waits_for_a_record_is_told_which_one_to_set() {
        let shop = told(&claim("shop.example.com", State::Pending, None), None);
        assert_eq!(
            shop,
            (
                DomainState::WaitingForRecord,
                "CNAME shop.example.com target.edge.platforms.test".to_owned(),
                "WaitingForRecord: set the CNAME record shop.example.com to \
             target.edge.platforms.test"
                    .to_owned(),
            )
        );
        // The DNS allows no CNAME there.
        let (_, record, _) = told(&claim("example.com", State::Pending, None), None);
        assert_eq!(record, "TXT _platform-challenge.example.com word");
        // A CNAME may have been left behind: it proves nothing of a name that was another's.
        for why in [Why::Held, Why::Displaced, Why::Quarantined, Why::Lost] {
            let (_, record, message) =
                told(&claim("shop.example.com", State::Pending, Some(why)), None);
            assert_eq!(record, "TXT _platform-challenge.shop.example.com word", "{why:?}");
            assert!(
                message
                    .ends_with("set the TXT record _platform-challenge.shop.example.com to word")
            );
        }
    }

    #[test]
    fn who_waits_for_a_certificate_is_told_what_stands_against_it_and_until_when() {
        let verified = claim("shop.example.com", State::Verified(at("2026-03-01T00:00:30Z")), None);
        let mut progress = Progress {
            name: "shop.example.com".to_owned(),
            until: None,
            trouble: None,
            next_try: None,
        };
        let (state, _, message) = told(&verified, Some(&progress));
        assert_eq!(
            (state, &*message),
            (DomainState::Verified, "Ordering: its certificate is being ordered",)
        );
        progress.trouble = Some("the authority allows no more orders".to_owned());
        progress.next_try = Some(at("2026-03-01T02:30:00Z"));
        let (_, _, message) = told(&verified, Some(&progress));
        assert_eq!(
            message,
            "NotIssued: no certificate yet: the authority allows no more orders; it is tried again \
             at 2026-03-01 02:30 UTC"
        );
        progress.until = Some(at("2026-03-01T00:00:59Z"));
        assert_eq!(told(&verified, Some(&progress)).0, DomainState::Verified, "it has ended");
        progress.until = Some(at("2026-05-30T00:00:00Z"));
        let (state, record, message) = told(&verified, Some(&progress));
        assert_eq!((state, &*record, &*message), (DomainState::Serving, "", ""));
    }

    #[test]
    fn a_name_on_its_way_is_looked_at_less_often_the_longer_it_takes() {
        let begun = at("2026-03-01T00:00:00Z");
        let after = |minutes| again(begun, begun + SignedDuration::from_mins(minutes));
        assert_eq!([0, 4, 8, 400].map(after).map(|it| it.as_secs()), [2, 60, 120, 600]);
    }
}
