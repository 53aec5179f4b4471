//! Letters that look like others.

use unicode_security::RestrictionLevelDetection as _;
use unicode_security::confusable_detection::skeleton;
use unicode_security::restriction_level::RestrictionLevel;

/// Whether a label can be taken for another one: it mixes scripts that do not belong together, or
/// none of its letters is Latin and all look as if they were.
pub(super) fn misleads(label: &str) -> bool {
    if label.is_ascii() {
        return false;
    }
    let mixes = label.detect_restriction_level() > RestrictionLevel::HighlyRestrictive;
    mixes || skeleton(label).all(|letter| letter.is_ascii())
}
