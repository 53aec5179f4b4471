//! What is asked, and how often.

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One platform, as it is in the cluster.
    Get,
    /// Fifty of all.
    List,
    /// Ten of all.
    TenOfAll,
    /// Those of an organization that has ten.
    AllOfTen,
    /// A blueprint is read, and changed.
    Change,
    /// A platform is made.
    Create,
    /// A page of the audit.
    Audit,
    /// The first page of the console.
    Console,
}

impl Kind {
    /// Every one that comes in the mix.
    pub(crate) const ALL: [Self; 6] =
        [Self::Get, Self::List, Self::Change, Self::Create, Self::Audit, Self::Console];

    /// Of twenty: nine look at a platform, four list, two change, one creates, two read the audit, two
    /// open the console.
    pub(crate) fn of(number: u32) -> Self {
        match number % 20 {
            0 | 2 | 4 | 6 | 8 | 10 | 12 | 14 | 16 => Self::Get,
            1 | 5 | 9 | 13 => Self::List,
            3 | 11 => Self::Change,
            7 => Self::Create,
            15 | 17 => Self::Audit,
            _ => Self::Console,
        }
    }
}
