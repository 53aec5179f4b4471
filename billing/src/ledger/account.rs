//! Accounts: who, and which of their books.

use std::fmt;
use std::str::FromStr;

use blueprint::{BlueprintName, Slug};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where amounts are kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Account {
    /// Whose it is.
    pub party: Party,
    /// Which of theirs.
    pub book: Book,
}

/// Whose an account is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Party {
    /// Ourselves.
    Factory,
    /// Who moves money, such as `stripe`.
    Rail(Slug),
    /// Who pays us for platforms.
    Organization(Slug),
    /// A platform, as a business.
    Tenant(BlueprintName),
    /// Somebody who sells on a platform.
    Creator(BlueprintName, Uuid),
    /// Somebody who buys on a platform.
    Customer(BlueprintName, Uuid),
}

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Book {
    /// Money that a rail holds.
    Cash,
    /// Money that is owed to us.
    Receivable,
    /// What was used and is in no invoice yet.
    Unbilled,
    /// Money that we owe.
    Payable,
    /// Of what we owe, what is kept back for refunds and disputes.
    Reserve,
    /// Tax that was taken for those it belongs to.
    Tax,
    /// What was earned.
    Revenue,
    /// What it cost, rails' fees among it.
    Cost,
    /// What rounding to minor units left over.
    Rounding,
}

/// A text that names no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no account such as `tenant:acme/payable`")]
pub struct NoAccount(String);

impl Account {
    /// This book of theirs.
    pub const fn new(party: Party, book: Book) -> Self {
        Self { party, book }
    }
}

impl Book {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Cash,
        Self::Receivable,
        Self::Unbilled,
        Self::Payable,
        Self::Reserve,
        Self::Tax,
        Self::Revenue,
        Self::Cost,
        Self::Rounding,
    ];

    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Receivable => "receivable",
            Self::Unbilled => "unbilled",
            Self::Payable => "payable",
            Self::Reserve => "reserve",
            Self::Tax => "tax",
            Self::Revenue => "revenue",
            Self::Cost => "cost",
            Self::Rounding => "rounding",
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.party, self.book.as_str())
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factory => f.write_str("factory"),
            Self::Rail(name) => write!(f, "rail:{name}"),
            Self::Organization(name) => write!(f, "organization:{name}"),
            Self::Tenant(name) => write!(f, "tenant:{name}"),
            Self::Creator(tenant, id) => write!(f, "creator:{tenant}:{id}"),
            Self::Customer(tenant, id) => write!(f, "customer:{tenant}:{id}"),
        }
    }
}

impl FromStr for Account {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let no = || NoAccount(text.to_owned());
        let (party, book) = text.rsplit_once('/').ok_or_else(no)?;
        let book = Book::ALL.into_iter().find(|known| known.as_str() == book).ok_or_else(no)?;
        let party = party.parse().map_err(|NoAccount(_)| no())?;
        Ok(Self { party, book })
    }
}

impl FromStr for Party {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let no = || NoAccount(text.to_owned());
        let mut parts = text.split(':');
        let kind = parts.next().ok_or_else(no)?;
        let (name, id) = (parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(no());
        }
        let slug = |name: &str| name.parse::<Slug>().map_err(|_| no());
        let tenant = |name: &str| name.parse::<BlueprintName>().map_err(|_| no());
        // One way to write each: two texts are never one account.
        let id_of = |id: &str| {
            Uuid::try_parse(id).ok().filter(|read| read.to_string() == id).ok_or_else(no)
        };
        match (kind, name, id) {
            ("factory", None, None) => Ok(Self::Factory),
            ("rail", Some(name), None) => Ok(Self::Rail(slug(name)?)),
            ("organization", Some(name), None) => Ok(Self::Organization(slug(name)?)),
            ("tenant", Some(name), None) => Ok(Self::Tenant(tenant(name)?)),
            ("creator", Some(name), Some(id)) => Ok(Self::Creator(tenant(name)?, id_of(id)?)),
            ("customer", Some(name), Some(id)) => Ok(Self::Customer(tenant(name)?, id_of(id)?)),
            _ => Err(no()),
        }
    }
}

impl TryFrom<String> for Account {
    type Error = NoAccount;

    fn try_from(text: String) -> Result<Self, NoAccount> {
        text.parse()
    }
}

impl TryFrom<String> for Party {
    type Error = NoAccount;

    fn try_from(text: String) -> Result<Self, NoAccount> {
        text.parse()
    }
}

impl From<Party> for String {
    fn from(party: Party) -> Self {
        party.to_string()
    }
}

impl From<Account> for String {
    fn from(account: Account) -> Self {
        account.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_it_is_written_and_in_no_other_way() {
        let id = "0198c5d0-7a3c-7000-8000-00000000002a";
        for party in [
            "factory".to_owned(),
            "rail:stripe".to_owned(),
            "organization:acme".to_owned(),
            "tenant:harbour".to_owned(),
            format!("creator:harbour:{id}"),
            format!("customer:harbour:{id}"),
        ] {
            for book in Book::ALL {
                let text = format!("{party}/{}", book.as_str());
                assert_eq!(text.parse::<Account>().unwrap().to_string(), text);
            }
        }
        for bad in [
            "",
            "factory",
            "factory/",
            "factory/money",
            "factory:acme/cash",
            "tenant/cash",
            "tenant:/cash",
            "tenant:Harbour/cash",
            "tenant:harbour:x/cash",
            "creator:harbour/payable",
            "creator:harbour:42/payable",
            "creator:harbour:0198C5D0-7A3C-7000-8000-00000000002A/payable",
            "creator:harbour:0198c5d0-7a3c-7000-8000-00000000002a:x/payable",
            " factory/cash",
        ] {
            assert_eq!(bad.parse::<Account>(), Err(NoAccount(bad.to_owned())), "{bad:?}");
        }
    }
}
