//! What an organization asks of who runs its platforms holds in them, and of nobody else.

use blueprint::status::Staff;
use jiff::SignedDuration;
use tenant_runtime::Site;

use crate::{Simulator, TestPlatform};

/// From now on this is asked of who runs it.
fn ask(platform: &TestPlatform, staff: Staff) {
    let site = Site::clone(&platform.app.site());
    platform.app.apply(site.run_by(staff));
}

#[tokio::test]
async fn who_runs_a_platform_comes_in_from_the_networks_of_its_organization_alone() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let ada = platform.person("ada").await;
    olive.get("/admin").await.expect(200);
    let elsewhere = vec!["192.0.2.0/24".parse().unwrap()];
    ask(&platform, Staff { allowed_addresses: elsewhere, ..Staff::default() });
    // Those who only use it come from everywhere.
    ada.get("/account").await.expect(200);
    platform.visitor().sign_in("ada").await.expect(303);
    assert_eq!(olive.get("/admin").await.expect(303).location(), "/signin?next=%2Fadmin");
    olive.get("/account").await.expect(303);
    let refused = olive.sign_in("olive").await.expect(403);
    refused.with("comes in from its organization").with("ask its organization");
    olive.get("/admin").await.expect(303);
    // Nor does a page that is not there greet them; and a right password is no failure, however often.
    olive.get("/no-such-page").await.expect(404).without("/signout");
    for _ in 0..8 {
        platform.visitor().sign_in("olive").await.expect(403);
    }
    // Whether the password is right is told to nobody else.
    let wrong = platform.visitor();
    let sent = [("email", "olive@example.com"), ("password", "not-it-at-all-1")];
    wrong.post("/signin", &sent).await.expect(422).without("its organization");

    let here = vec!["0.0.0.0/0".parse().unwrap()];
    ask(&platform, Staff { allowed_addresses: here, ..Staff::default() });
    olive.get("/admin").await.expect(200);
    platform.visitor().sign_in("olive").await.expect(303);
}

#[tokio::test]
async fn who_runs_a_platform_signs_in_again_after_as_long_as_its_organization_says() {
    let platform = TestPlatform::new(Simulator::echo()).await;
    let olive = platform.owned().await;
    let ada = platform.person("ada").await;
    ask(&platform, Staff { longest_session_hours: Some(8), ..Staff::default() });
    platform.clock.advance(SignedDuration::from_mins(8 * 60 - 1));
    olive.get("/admin").await.expect(200);
    platform.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(olive.get("/admin").await.expect(303).location(), "/signin?next=%2Fadmin");
    ada.get("/account").await.expect(200);
    olive.sign_in("olive").await.expect(303);
    olive.get("/admin").await.expect(200);
    // No clock goes so far.
    ask(&platform, Staff { longest_session_hours: Some(u32::MAX), ..Staff::default() });
    olive.get("/admin").await.expect(200);
}
