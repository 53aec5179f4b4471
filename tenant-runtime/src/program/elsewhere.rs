//! The blueprint of a platform on Kubernetes is not this program's to write.

use async_trait::async_trait;
use blueprint::PlatformBlueprint;

use crate::app::{BlueprintOwner, ChangeRefused};

/// Says what would have to be changed, and where.
pub(super) struct Elsewhere;

#[async_trait]
impl BlueprintOwner for Elsewhere {
    async fn change(
        &self,
        base: &PlatformBlueprint,
        wanted: &PlatformBlueprint,
    ) -> Result<(), ChangeRefused> {
        ChangeRefused::where_rules_break(wanted)?;
        let changes = blueprint::changes(base, wanted);
        Err(ChangeRefused::KeptElsewhere(changes.iter().map(ToString::to_string).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wish_is_refused_with_what_it_would_have_changed() {
        let template = blueprint::templates::get("creator").unwrap();
        let named = blueprint::Overrides::named("acme".parse().unwrap());
        let base = blueprint::from_template(template, &named).unwrap();
        let mut wanted = base.clone();
        wanted.spec.identity.display_name = "Acme & Daughters".to_owned();
        let told = Elsewhere.change(&base, &wanted).await.unwrap_err().to_string();
        assert!(told.contains("identity.displayName"), "{told}");
        assert!(told.contains("Acme & Daughters") && told.contains("kubectl"), "{told}");
    }
}
