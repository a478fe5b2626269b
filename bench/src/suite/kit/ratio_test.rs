//! When a reference counts, and when a round does.

use super::*;

fn against(goal: Goal, rounds: &[(f64, f64)], check: &Check) -> Ratio {
    Ratio::new("R0", "a test".to_owned(), "x", goal, rounds, check)
}

fn of(goal: Goal, rounds: &[(f64, f64)]) -> Ratio {
    let figures: Vec<f64> = rounds.iter().map(|it| it.1).collect();
    against(goal, rounds, &Check::by_itself(&figures))
}

#[test]
fn the_ratio_is_the_median_of_the_rounds_and_not_of_the_sides() {
    // A machine that is twice as slow in one round is so on both sides.
    let ratio = of(Goal::AtLeast(0.7), &[(80.0, 100.0), (40.0, 50.0), (8.0, 10.0)]);
    assert!((ratio.ratio - 0.8).abs() < 1e-9);
    assert_eq!(ratio.met(), Some(true));
    assert_eq!(of(Goal::AtLeast(0.9), &[(8.0, 10.0)]).met(), Some(false));
    assert_eq!(of(Goal::AtMost(0.7), &[(8.0, 10.0)]).met(), Some(false));
    assert_eq!(of(Goal::Speed, &[(8.0, 10.0)]).met(), None);
    assert_eq!(of(Goal::Cost, &[(8.0, 10.0)]).met(), None);
}

#[test]
fn a_disturbed_reference_is_void_and_meets_nothing() {
    let against =
        |goal, reference, plain| against(goal, &[(80.0, reference)], &Check::by_itself(&[plain]));
    let slow = against(Goal::AtLeast(0.7), 70.0, 100.0);
    assert_eq!(slow.met(), None);
    assert!(slow.row().contains("void: the reference had 70 %"), "{}", slow.row());
    assert_eq!(against(Goal::AtLeast(0.7), 90.0, 100.0).met(), Some(true));
    // Of a cost more is worse: one that cost 130 where it costs 100 by itself is void.
    let dear = against(Goal::AtMost(1.5), 130.0, 100.0);
    assert_eq!(dear.met(), None);
    assert!(dear.row().contains("void: the reference had 77 %"), "{}", dear.row());
    assert_eq!(against(Goal::AtMost(1.5), 110.0, 100.0).met(), Some(true));
    assert_eq!(against(Goal::AtMost(1.5), 110.0, f64::NAN).met(), None);
}

#[test]
fn a_reference_that_is_slow_by_itself_too_is_void_beside_its_plain_loop() {
    let cost = |plain: f64| {
        let check = Check::beside(&[(100.0, plain), (104.0, plain), (98.0, plain)], 3.0);
        against(Goal::AtMost(1.3), &[(120.0, 100.0)], &check)
    };
    assert_eq!(cost(40.0).met(), Some(true));
    let slowed = cost(20.0);
    assert_eq!((slowed.met(), slowed.good()), (None, false));
    assert!(
        slowed.row().contains("void: the reference costs 5.0 times its plain loop"),
        "{}",
        slowed.row()
    );
    assert!(slowed.notes().iter().any(|it| it.contains("5.00 times its plain loop of 20.0 x")));
    assert_eq!(cost(f64::NAN).met(), None);
    // Of a speed less is worse.
    let speed = |plain: f64| {
        against(Goal::AtLeast(0.8), &[(90.0, 100.0)], &Check::beside(&[(100.0, plain)], 3.0))
    };
    assert_eq!(speed(250.0).met(), Some(true));
    assert_eq!(speed(400.0).met(), None);
}

#[test]
fn a_round_without_remainder_is_void_and_no_win() {
    assert!((remainder(10.0, 4.0) - 6.0).abs() < 1e-9);
    assert!(remainder(10.0, 9.5).is_nan(), "noise");
    assert!(remainder(10.0, 12.0).is_nan(), "less than nothing");
    assert!(remainder(0.0, 0.0).is_nan());
    let nothing = remainder(10.0, 12.0);
    let one_of_three = of(Goal::AtMost(1.3), &[(12.0, 10.0), (nothing, 10.0), (12.2, 10.0)]);
    assert!((one_of_three.ratio - 1.21).abs() < 1e-9, "{}", one_of_three.ratio);
    assert_eq!(one_of_three.met(), Some(true));
    assert_eq!(one_of_three.notes(), ["R0 a test: 1 of 3 rounds were void"]);
    let most = of(Goal::AtMost(1.3), &[(nothing, 10.0), (12.0, 10.0), (12.0, nothing)]);
    assert_eq!((most.met(), most.good()), (None, false));
    assert!(most.row().contains("void: 2 of 3 rounds were void"), "{}", most.row());
    // Nothing by something is as little a win.
    assert_eq!(of(Goal::AtMost(1.3), &[(0.0, 10.0)]).met(), None);
    assert_eq!(of(Goal::AtLeast(0.7), &[(10.0, 0.0)]).met(), None);
    assert_eq!(of(Goal::AtMost(1.3), &[]).met(), None);
}

#[test]
fn what_is_only_told_is_good() {
    assert!(of(Goal::Cost, &[(8.0, 10.0)]).good());
    assert!(against(Goal::Speed, &[(8.0, 1.0)], &Check::by_itself(&[10.0])).good());
    assert!(of(Goal::AtMost(1.3), &[(8.0, 10.0)]).good());
    assert!(!of(Goal::AtMost(1.3), &[(14.0, 10.0)]).good());
}

#[test]
fn a_reference_is_checked_by_the_median_of_a_few() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut figures = [3.0, 9.0, 4.0].into_iter();
    let check = by_itself(async || figures.next().ok_or_else(|| anyhow::anyhow!("no more")));
    assert!((runtime.block_on(check).unwrap().by_itself - 4.0).abs() < 1e-9);
    let mut pairs = [(3.0, 1.0), (9.0, 3.0), (4.0, 4.0)].into_iter();
    let check =
        beside_plain_loop(2.0, async || pairs.next().ok_or_else(|| anyhow::anyhow!("no more")));
    let check = runtime.block_on(check).unwrap();
    assert!((check.by_itself - 4.0).abs() < 1e-9);
    // Each is held to the loop that was in turn with it: 3 of 3, 3 and 1.
    let ratio = against(Goal::AtMost(9.0), &[(4.0, 4.0)], &check);
    assert!(
        ratio.row().contains("void: the reference costs 3.0 times its plain loop"),
        "{}",
        ratio.row()
    );
}

#[test]
fn medians() {
    assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
    assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
    assert!(median(std::iter::empty()).is_nan());
}
