//! What the queue is told: who asks, what it may cost, how much may wait, what each plan gets.

use web::token::Caller;

/// Who asks. Everything here comes from the verified credential, nothing from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// Tenant and person.
    pub caller: Caller,
    /// The class of service that the tenant's plan buys.
    pub class: ClassId,
    /// Whether this person pays the tenant.
    pub paying: bool,
}

/// What a job may use, as far as that is known before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Tokens to read; an estimate, corrected by what is read.
    pub prompt_tokens: usize,
    /// The most tokens it may make.
    pub max_tokens: usize,
}

/// How many may run and wait. How many run at once, all together, is the engine's to say.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// Jobs of one person running: who asks much leaves room for the others.
    pub running_per_person: usize,
    /// Percent of the engine's places that one tenant has at most while another is about, unless
    /// its plan is worth more; it always has one.
    pub running_per_tenant_percent: u8,
    /// Jobs waiting, all together.
    pub waiting: usize,
    /// Jobs of one tenant waiting.
    pub waiting_per_tenant: usize,
    /// Jobs of one person waiting.
    pub waiting_per_person: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            running_per_person: 2,
            running_per_tenant_percent: 50,
            waiting: 4096,
            waiting_per_tenant: 64,
            waiting_per_person: 4,
        }
    }
}

/// What a token counts when service is compared. Only the ratio matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenWeights {
    /// A token of a prompt that is read.
    pub read: u32,
    /// A token that is made.
    pub made: u32,
}

impl Default for TokenWeights {
    /// On a processor a token is read in about a quarter of the time one is made: llama.cpp on two
    /// cores reads 400 tokens in a second and makes 87.
    fn default() -> Self {
        Self { read: 1, made: 4 }
    }
}

/// A class of service: what a plan gets when not everybody can be served at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The plan's name.
    pub name: String,
    /// What each tenant with work counts, beside those of other classes; at least 1.
    pub weight: u32,
    /// The least share of the service for the whole class while it has work, in hundredths of a
    /// percent, however many tenants other classes have.
    pub guaranteed_bp: u32,
}

/// One of [`Classes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(u16);

/// All classes of service, the best first; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes(Vec<Class>);

/// Why classes cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadClasses {
    /// Without a class nobody has a place.
    #[error("there is no class of service: name one at least")]
    None,
    /// More than anybody sells.
    #[error("more than {} classes of service", Classes::MOST)]
    TooMany,
    /// A weight of 0 would mean never.
    #[error("the class {0} has weight 0: give it 1 at least")]
    Weightless(String),
    /// They promise more than there is.
    #[error("the classes guarantee more than the whole service together")]
    Oversold,
}

impl Classes {
    /// The most classes there can be.
    pub const MOST: usize = 64;

    /// These classes, the best first.
    pub fn new(classes: Vec<Class>) -> Result<Self, BadClasses> {
        if classes.is_empty() {
            return Err(BadClasses::None);
        }
        if classes.len() > Self::MOST {
            return Err(BadClasses::TooMany);
        }
        if let Some(class) = classes.iter().find(|class| class.weight == 0) {
            return Err(BadClasses::Weightless(class.name.clone()));
        }
        if classes.iter().map(|class| u64::from(class.guaranteed_bp)).sum::<u64>() > 10_000 {
            return Err(BadClasses::Oversold);
        }
        Ok(Self(classes))
    }

    /// The class of that name.
    pub fn find(&self, name: &str) -> Option<ClassId> {
        let at = self.0.iter().position(|class| class.name == name)?;
        u16::try_from(at).ok().map(ClassId)
    }

    /// The last one: for whoever has no plan.
    pub fn lowest(&self) -> ClassId {
        ClassId(u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX))
    }

    /// Their names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|class| class.name.as_str())
    }

    /// In their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Class> {
        self.0.iter()
    }

    /// Where in the order; an id of other classes is the lowest of these.
    pub(super) fn at(&self, id: ClassId) -> usize {
        usize::from(id.0).min(self.0.len() - 1)
    }
}

impl Default for Classes {
    /// Enterprise 8, business 4, starter 1; 5 % for each.
    fn default() -> Self {
        let class = |(name, weight): (&str, u32)| Class {
            name: name.to_owned(),
            weight,
            guaranteed_bp: 500,
        };
        Self([("enterprise", 8), ("business", 4), ("starter", 1)].map(class).into())
    }
}

/// Everything the queue is told once.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How many may run and wait.
    pub places: Places,
    /// The classes of service.
    pub classes: Classes,
    /// What tokens count.
    pub tokens: TokenWeights,
    /// How much the paying people of a tenant get together for each part that those get who do
    /// not pay, while both have work: paying first, but never without end. At least 1.
    pub paying_weight: u32,
    /// How much service, in weighted tokens, somebody may catch up who did not use their share:
    /// enough for a long question and its answer, so that who comes rarely is answered as if
    /// alone. 0 is the plain rule, after which who was idle has nothing saved.
    pub credit: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            places: Places::default(),
            classes: Classes::default(),
            tokens: TokenWeights::default(),
            paying_weight: 4,
            credit: 4096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(weight: u32, guaranteed_bp: u32) -> Class {
        Class { name: format!("of {weight}"), weight, guaranteed_bp }
    }

    #[test]
    fn classes_promise_no_more_than_there_is_and_leave_nobody_out() {
        assert_eq!(Classes::new(vec![]), Err(BadClasses::None));
        assert_eq!(Classes::new(vec![class(0, 0)]), Err(BadClasses::Weightless("of 0".to_owned())));
        let oversold = vec![class(2, 6000), class(1, 4001)];
        assert_eq!(Classes::new(oversold), Err(BadClasses::Oversold));
        assert_eq!(Classes::new(vec![class(1, 1); 65]), Err(BadClasses::TooMany));
        let classes = Classes::new(vec![class(2, 6000), class(1, 4000)]).unwrap();
        assert_eq!(classes.find("of 1"), Some(classes.lowest()));
        assert_eq!(classes.find("of 3"), None);
    }
}
