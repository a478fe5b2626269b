//! What one measure comes to.

use serde::Serialize;

/// A reference below this part of the same thing done plainly, in the same run, does not count: nobody wins by a slow
/// reference.
const PLAIN_PART_MIN: f64 = 0.8;

/// What a ratio should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Goal {
    /// Ours is a speed: at least so much of the reference.
    AtLeast(f64),
    /// Ours is a cost: at most so much of the reference.
    AtMost(f64),
    /// It is told, not judged.
    None,
}

/// One measure: the medians of its rounds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ratio {
    id: String,
    what: String,
    unit: &'static str,
    ours: f64,
    reference: f64,
    ratio: f64,
    goal: Goal,
    #[serde(skip_serializing_if = "Option::is_none")]
    void: Option<String>,
}

impl Ratio {
    /// The medians of rounds, each a pair of ours and the reference's. The ratio is the median of the rounds' ratios,
    /// so that a change of the machine's mood between two rounds counts in neither.
    pub(super) fn new(
        id: &str,
        what: String,
        unit: &'static str,
        goal: Goal,
        rounds: &[(f64, f64)],
    ) -> Self {
        Self {
            id: id.to_owned(),
            what,
            unit,
            ours: median(rounds.iter().map(|it| it.0)),
            reference: median(rounds.iter().map(|it| it.1)),
            ratio: median(rounds.iter().map(|it| it.0 / it.1)),
            goal,
            void: None,
        }
    }

    /// Held against the reference's work done plainly, a speed: too slow a reference is void.
    pub(super) fn held_to(mut self, plain: f64) -> Self {
        if self.reference < plain * PLAIN_PART_MIN {
            let part = 100.0 * self.reference / plain;
            self.void = Some(format!("void: the reference had {part:.0} % of the plain loop"));
        }
        self
    }

    /// Whether the goal was met; nothing if there is none, or if the reference does not count.
    pub(super) fn met(&self) -> Option<bool> {
        if self.void.is_some() {
            return None;
        }
        match self.goal {
            Goal::AtLeast(least) => Some(self.ratio >= least),
            Goal::AtMost(most) => Some(self.ratio <= most),
            Goal::None => None,
        }
    }

    /// A line of the table.
    pub(super) fn row(&self) -> String {
        let goal = match self.goal {
            Goal::AtLeast(least) => format!(">= {least}"),
            Goal::AtMost(most) => format!("<= {most}"),
            Goal::None => "-".to_owned(),
        };
        let verdict = match (self.void.as_deref(), self.met()) {
            (Some(why), _) => why,
            (None, Some(true)) => "met",
            (None, Some(false)) => "MISSED",
            (None, None) => "",
        };
        let name = format!("{} {}", self.id, self.what);
        let [ours, reference] =
            [self.ours, self.reference].map(|it| format!("{it:.1} {}", self.unit));
        format!("{name:38} {ours:>16} {reference:>16} {:>7.2} {goal:>8} {verdict}", self.ratio)
    }
}

/// The middle of some figures; of an even number the mean of the two in the middle; not a number of none.
pub(super) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(one), 1) => *one,
        (Some(upper), _) => f64::midpoint(sorted[middle - 1], *upper),
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(goal: Goal, rounds: &[(f64, f64)]) -> Ratio {
        Ratio::new("R0", "a test".to_owned(), "x", goal, rounds)
    }

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_and_not_of_the_sides() {
        // A machine that is twice as slow in one round is so on both sides.
        let ratio = of(Goal::AtLeast(0.7), &[(80.0, 100.0), (40.0, 50.0), (8.0, 10.0)]);
        assert!((ratio.ratio - 0.8).abs() < 1e-9);
        assert_eq!(ratio.met(), Some(true));
        assert_eq!(of(Goal::AtLeast(0.9), &[(8.0, 10.0)]).met(), Some(false));
        assert_eq!(of(Goal::AtMost(0.7), &[(8.0, 10.0)]).met(), Some(false));
        assert_eq!(of(Goal::None, &[(8.0, 10.0)]).met(), None);
    }

    #[test]
    fn a_slow_reference_is_void_and_meets_nothing() {
        let slow = of(Goal::AtLeast(0.7), &[(80.0, 70.0)]).held_to(100.0);
        assert_eq!(slow.met(), None);
        assert!(slow.row().contains("void: the reference had 70 %"), "{}", slow.row());
        assert_eq!(of(Goal::AtLeast(0.7), &[(80.0, 90.0)]).held_to(100.0).met(), Some(true));
    }

    #[test]
    fn medians() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }
}
