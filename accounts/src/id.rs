//! Row ids: UUID v7, made from the time that was handed in.
use std::sync::Mutex;

use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

/// Counts within a millisecond, so that what one process makes sorts in the order it was made.
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new id; later ones sort after earlier ones.
pub(crate) fn new_id(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(&ORDER, seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_they_were_made() {
        let now: Timestamp = "2026-08-01T10:00:00Z".parse().unwrap();
        let ids: Vec<_> = (0..100).map(|_| new_id(now)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
