//! What one measure comes to.

use anyhow::Result;
use serde::Serialize;

/// A reference below this part of the same thing done plainly, in the same run, does not count: nobody wins by a slow
/// reference.
const PLAIN_PART_MIN: f64 = 0.8;

/// How often a reference is measured by itself, with nothing in turn.
pub(in crate::suite) const PLAIN_ROUNDS: usize = 3;

/// What a ratio should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::suite) enum Goal {
    /// Ours is a speed: at least so much of the reference.
    AtLeast(f64),
    /// Ours is a cost: at most so much of the reference.
    AtMost(f64),
    /// A speed that is told, not judged.
    Speed,
    /// A cost that is told, not judged.
    Cost,
}

impl Goal {
    /// How good a reference is, as a part of the same thing done plainly.
    fn part_of_plain(self, reference: f64, plain: f64) -> f64 {
        match self {
            Self::AtLeast(_) | Self::Speed => reference / plain,
            Self::AtMost(_) | Self::Cost => plain / reference,
        }
    }
}

/// One measure: the medians of its rounds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::suite) struct Ratio {
    id: String,
    what: String,
    unit: &'static str,
    ours: f64,
    reference: f64,
    plain: f64,
    ratio: f64,
    rounds: usize,
    goal: Goal,
    #[serde(skip_serializing_if = "Option::is_none")]
    void: Option<String>,
}

impl Ratio {
    /// The medians of rounds, each a pair of ours and the reference's. The ratio is the median of the rounds' ratios,
    /// so that a change of the machine's mood between two rounds counts in neither. `plain` is what the reference comes
    /// to by itself: below a part of that it is void.
    pub(in crate::suite) fn new(
        id: &str,
        what: String,
        unit: &'static str,
        goal: Goal,
        rounds: &[(f64, f64)],
        plain: f64,
    ) -> Self {
        let reference = median(rounds.iter().map(|it| it.1));
        let part = goal.part_of_plain(reference, plain);
        // What is not a number is no reference either.
        let counts = part >= PLAIN_PART_MIN;
        let percent = 100.0 * part;
        Self {
            id: id.to_owned(),
            what,
            unit,
            ours: median(rounds.iter().map(|it| it.0)),
            reference,
            plain,
            ratio: median(rounds.iter().map(|it| it.0 / it.1)),
            rounds: rounds.len(),
            goal,
            void: (!counts)
                .then(|| format!("void: the reference had {percent:.0} % of itself plainly")),
        }
    }

    /// Whether the goal was met; nothing if there is none, or if the reference does not count.
    pub(in crate::suite) fn met(&self) -> Option<bool> {
        if self.void.is_some() {
            return None;
        }
        match self.goal {
            Goal::AtLeast(least) => Some(self.ratio >= least),
            Goal::AtMost(most) => Some(self.ratio <= most),
            Goal::Speed | Goal::Cost => None,
        }
    }

    /// Which measure it is of.
    pub(in crate::suite) fn id(&self) -> &str {
        &self.id
    }

    /// A line of the table.
    pub(in crate::suite) fn row(&self) -> String {
        let goal = match self.goal {
            Goal::AtLeast(least) => format!(">= {least}"),
            Goal::AtMost(most) => format!("<= {most}"),
            Goal::Speed | Goal::Cost => "-".to_owned(),
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
        format!("{name:52} {ours:>14} {reference:>16} {:>7.2} {goal:>8} {verdict}", self.ratio)
    }
}

/// What a reference comes to by itself: the median of a few times, with nothing in turn.
pub(in crate::suite) async fn plainly(mut once: impl AsyncFnMut() -> Result<f64>) -> Result<f64> {
    let mut figures = Vec::new();
    for _ in 0..PLAIN_ROUNDS {
        figures.push(once().await?);
    }
    Ok(median(figures.into_iter()))
}

/// The middle of some figures; of an even number the mean of the two in the middle; not a number of none.
pub(in crate::suite) fn median(figures: impl Iterator<Item = f64>) -> f64 {
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
        let plain = median(rounds.iter().map(|it| it.1));
        Ratio::new("R0", "a test".to_owned(), "x", goal, rounds, plain)
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
    fn a_slow_reference_is_void_and_meets_nothing() {
        let against = |goal, reference, plain| {
            Ratio::new("R0", "a test".to_owned(), "x", goal, &[(80.0, reference)], plain)
        };
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
    fn a_reference_by_itself_is_the_median_of_a_few() {
        let mut figures = [3.0, 9.0, 4.0].into_iter();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let plain = plainly(async || figures.next().ok_or_else(|| anyhow::anyhow!("no more")));
        assert!((runtime.block_on(plain).unwrap() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn medians() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }
}
