use super::*;

/// Says what each seed gave, so that a failure can be repeated.
fn each_seed(measure: impl Fn(u64) -> Measured, holds: impl Fn(f64) -> bool) {
    let measured = [1, 2, 3].map(|seed| (seed, measure(seed)));
    println!("(seed, (value, N)): {measured:?}");
    assert!(measured.iter().all(|(_, (value, _))| holds(*value)), "{measured:?}");
}

#[test]
fn a_tenfold_flood_delays_the_first_tokens_of_another_tenant_by_half_at_most() {
    let (machine, policy) = (Machine::default(), Policy::default());
    each_seed(|seed| flooded(machine, &policy, 800, HOUR, seed), |times| times <= 1.5);
}

#[test]
fn equal_tenants_that_are_always_busy_get_the_same_in_every_half_minute() {
    let (machine, policy) = (Machine::default(), Policy::default());
    each_seed(|seed| equals(machine, &policy, HOUR, seed), |percent| percent <= 5.0);
}

#[test]
fn a_hundred_tenants_get_what_their_classes_weigh() {
    let (machine, policy) = (Machine::default(), Policy::default());
    each_seed(|seed| jain_of_classes(machine, &policy, HOUR, seed), |index| index >= 0.99);
}

#[test]
fn a_starter_gets_what_is_guaranteed_however_many_enterprises_there_are() {
    let (machine, policy) = (Machine::default(), Policy::default());
    each_seed(|seed| guaranteed(machine, &policy, HOUR, seed), |percent| percent >= 5.0);
}

#[test]
fn ten_thousand_tiny_requests_delay_nobody_else() {
    let (machine, policy) = (Machine::default(), Policy::default());
    each_seed(|seed| tiny(machine, &policy, HOUR, seed), |times| times <= 1.5);
}

#[test]
fn a_person_with_many_jobs_does_not_slow_another_of_the_same_tenant() {
    let (machine, policy) = (Machine::default(), Policy::default());
    each_seed(|seed| greedy_person(machine, &policy, 2 * HOUR, seed), |times| times <= 1.5);
}
