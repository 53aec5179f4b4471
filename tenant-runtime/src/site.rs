//! What a blueprint makes of a platform: brand, entitlements, pages. Replaced whole when the
//! blueprint changes.

use std::net::IpAddr;

use accounts::sessions::SignedIn;
use accounts::{Permission, Role};
use blueprint::plan::{Entitlements, PlanName};
use blueprint::status::Staff;
use blueprint::templates::SeedPage;
use blueprint::{PlatformBlueprint, templates};
use jiff::{SignedDuration, Timestamp};
use pages::{Brand, BrandInput};
use sha2::{Digest, Sha256};

/// A blueprint in effect.
#[derive(Debug, Clone)]
pub struct Site {
    /// The blueprint itself.
    pub blueprint: PlatformBlueprint,
    /// Its look.
    pub brand: Brand,
    /// What its plan gives.
    pub entitlements: Entitlements,
    /// What is asked of who runs it.
    pub staff: Staff,
    /// Pages to read: about, terms, privacy.
    pub pages: Vec<SeedPage>,
    /// The mark, as SVG or PNG.
    pub logo: Option<Picture>,
}

/// A picture of the brand.
#[derive(Debug, Clone)]
pub struct Picture {
    /// `image/svg+xml` or `image/png`.
    pub content_type: &'static str,
    /// The file.
    pub bytes: std::sync::Arc<[u8]>,
}

impl Picture {
    /// Its address, which changes with its content: it is cached for ever.
    pub fn href(&self) -> String {
        format!("/brand/logo?{}", hex::encode(&Sha256::digest(&self.bytes)[..8]))
    }
}

impl Site {
    /// What a checked blueprint means; `picture` reads a brand file by its path.
    pub fn new(blueprint: PlatformBlueprint, picture: impl Fn(&str) -> Option<Picture>) -> Self {
        let brand = Brand::mended(brand_input(&blueprint));
        let plan = blueprint.spec.plan.unwrap_or(PlanName::Starter);
        let template = blueprint.spec.template.as_ref().and_then(|t| templates::get(&t.name));
        let pages = template.map(|t| t.seed.pages.clone()).unwrap_or_default();
        let logo = blueprint.spec.identity.branding.logo.as_deref().and_then(picture);
        let (entitlements, staff) = (plan.entitlements(), Staff::default());
        Self { blueprint, brand, entitlements, staff, pages, logo }
    }

    /// The same with what was confirmed: a plan in a blueprint is a wish.
    pub fn entitled_to(self, entitlements: Entitlements) -> Self {
        Self { entitlements, ..self }
    }

    /// The same, where this is asked of who runs it.
    pub fn run_by(self, staff: Staff) -> Self {
        Self { staff, ..self }
    }

    /// Whether a session counts now, from there: of who runs the platform it has to be as its organization
    /// asks.
    pub fn lets_in(&self, who: &SignedIn, from: IpAddr, now: Timestamp) -> bool {
        let longest = self
            .staff
            .longest_session_hours
            .map(|hours| SignedDuration::from_hours(i64::from(hours)));
        // Longer than there is time is never over.
        let ends = longest.and_then(|it| who.begun_at.checked_add(it).ok());
        let is_over = runs(who.person.role) && ends.is_some_and(|end| end <= now);
        self.lets_in_from(who.person.role, from) && !is_over
    }

    /// Whether somebody of this role comes in from there.
    pub fn lets_in_from(&self, role: Role, from: IpAddr) -> bool {
        !runs(role) || self.staff.lets_in_from(from)
    }

    /// The name people know it by.
    pub fn display_name(&self) -> &str {
        &self.blueprint.spec.identity.display_name
    }

    /// Whether children and their parents may be here.
    pub fn has_families(&self) -> bool {
        let spec = &self.blueprint.spec;
        let consent = spec.ai.age_rules.is_some_and(|rules| rules.parent_consent_under.is_some());
        consent || spec.features.parent_dashboard
    }

    /// The language of its pages.
    pub fn language(&self) -> &str {
        self.blueprint.spec.identity.languages.first().map_or("en", String::as_str)
    }
}

/// Whether people of this role run the platform, or see what is other people's.
fn runs(role: Role) -> bool {
    [Permission::ManagePlatform, Permission::ManagePeople, Permission::Moderate]
        .into_iter()
        .any(|permission| role.may(permission))
}

/// The blueprint's branding as the page engine takes it.
pub fn brand_input(blueprint: &PlatformBlueprint) -> BrandInput {
    let identity = &blueprint.spec.identity;
    crate::view::brand::input(&identity.display_name, &identity.branding)
}
