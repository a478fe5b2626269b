//! What one measure comes to, and when its reference counts for nothing.

use anyhow::Result;
use serde::Serialize;

/// A reference below this part of what it comes to by itself, in the same run, was disturbed.
const BY_ITSELF_PART_MIN: f64 = 0.8;

/// How often a reference is measured by itself, in turn with its plain loop if it has one.
pub(in crate::suite) const PLAIN_ROUNDS: usize = 3;

/// A difference below this part of what it was taken from is noise.
const REMAINDER_PART_MIN: f64 = 0.1;

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
    /// How many times as much one costs as another: of speeds the other way round.
    fn times(self, one: f64, other: f64) -> f64 {
        match self {
            Self::AtLeast(_) | Self::Speed => other / one,
            Self::AtMost(_) | Self::Cost => one / other,
        }
    }

    fn is_judged(self) -> bool {
        match self {
            Self::AtLeast(_) | Self::AtMost(_) => true,
            Self::Speed | Self::Cost => false,
        }
    }
}

/// What a reference is held to: nobody wins by a slow one.
pub(in crate::suite) struct Check {
    by_itself: f64,
    plain_loop: Option<(Vec<(f64, f64)>, f64)>,
}

impl Check {
    /// Figures of the reference by itself, and no plain loop: it is one, or the daemon in another state.
    pub(in crate::suite) fn by_itself(figures: &[f64]) -> Self {
        Self { by_itself: median(figures.iter().copied()), plain_loop: None }
    }

    /// Pairs of the reference by itself and its plain loop, which it may cost at most so many times.
    pub(in crate::suite) fn beside(pairs: &[(f64, f64)], times_max: f64) -> Self {
        let by_itself = median(pairs.iter().map(|it| it.0));
        Self { by_itself, plain_loop: Some((pairs.to_vec(), times_max)) }
    }
}

/// What a reference costs beside its plain loop.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PlainLoop {
    figure: f64,
    times: f64,
    times_max: f64,
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
    by_itself: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain_loop: Option<PlainLoop>,
    ratio: f64,
    rounds: usize,
    rounds_void: usize,
    goal: Goal,
    #[serde(skip_serializing_if = "Option::is_none")]
    void: Option<String>,
}

impl Ratio {
    /// The medians of rounds, each a pair of ours and the reference's. The ratio is the median of the rounds' ratios,
    /// so that a change of the machine's mood between two rounds counts in neither. A round that is not two positive
    /// numbers is void and in no median.
    pub(in crate::suite) fn new(
        id: &str,
        what: String,
        unit: &'static str,
        goal: Goal,
        rounds: &[(f64, f64)],
        check: &Check,
    ) -> Self {
        let counts = |it: &f64| it.is_finite() && *it > 0.0;
        let counted: Vec<(f64, f64)> =
            rounds.iter().copied().filter(|it| counts(&it.0) && counts(&it.1)).collect();
        let reference = median(counted.iter().map(|it| it.1));
        let plain_loop = check.plain_loop.as_ref().map(|(pairs, times_max)| PlainLoop {
            figure: median(pairs.iter().map(|it| it.1)),
            times: median(pairs.iter().map(|it| goal.times(it.0, it.1))),
            times_max: *times_max,
        });
        let rounds_void = rounds.len() - counted.len();
        Self {
            id: id.to_owned(),
            what,
            unit,
            ours: median(counted.iter().map(|it| it.0)),
            reference,
            by_itself: check.by_itself,
            plain_loop,
            ratio: median(counted.iter().map(|it| it.0 / it.1)),
            rounds: rounds.len(),
            rounds_void,
            goal,
            void: rounds_are_few(counted.len(), rounds_void)
                .or_else(|| disturbed(goal.times(check.by_itself, reference)))
                .or_else(|| plain_loop.and_then(slow)),
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

    /// Whether nothing is wrong with it: its goal was met against a reference that counts, or it has none.
    pub(in crate::suite) fn good(&self) -> bool {
        !self.goal.is_judged() || self.met() == Some(true)
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

    /// What the table has no room for: the plain loop, and rounds that were void.
    pub(in crate::suite) fn notes(&self) -> Vec<String> {
        let name = format!("{} {}", self.id, self.what);
        let plain = self.plain_loop.map(|PlainLoop { figure, times, times_max }| {
            let unit = self.unit;
            format!(
                "{name}: the reference costs {times:.2} times its plain loop of {figure:.1} {unit}, at most {times_max}"
            )
        });
        let void = (self.rounds_void > 0)
            .then(|| format!("{name}: {} of {} rounds were void", self.rounds_void, self.rounds));
        plain.into_iter().chain(void).collect()
    }
}

/// Why rounds do not count, if half of them or more were void.
fn rounds_are_few(counted: usize, void: usize) -> Option<String> {
    let all = counted + void;
    (counted <= void).then(|| format!("void: {void} of {all} rounds were void"))
}

/// Why a reference does not count that was this part of itself.
fn disturbed(part: f64) -> Option<String> {
    // What is not a number is no reference either.
    let counts = part >= BY_ITSELF_PART_MIN;
    (!counts).then(|| format!("void: the reference had {:.0} % of itself plainly", 100.0 * part))
}

/// Why a reference does not count beside its plain loop.
fn slow(PlainLoop { times, times_max, .. }: PlainLoop) -> Option<String> {
    let counts = times <= times_max;
    (!counts).then(|| {
        format!("void: the reference costs {times:.1} times its plain loop, over {times_max}")
    })
}

/// A reference by itself, a few times, with nothing in turn.
pub(in crate::suite) async fn by_itself(
    mut once: impl AsyncFnMut() -> Result<f64>,
) -> Result<Check> {
    let mut figures = Vec::new();
    for _ in 0..PLAIN_ROUNDS {
        figures.push(once().await?);
    }
    Ok(Check::by_itself(&figures))
}

/// A reference by itself and its plain loop, in turn, a few times.
pub(in crate::suite) async fn beside_plain_loop(
    times_max: f64,
    mut once: impl AsyncFnMut() -> Result<(f64, f64)>,
) -> Result<Check> {
    let mut pairs = Vec::new();
    for _ in 0..PLAIN_ROUNDS {
        pairs.push(once().await?);
    }
    Ok(Check::beside(&pairs, times_max))
}

/// What is left of `all` without `part`; not a number if that is next to nothing, since it is noise then and not a
/// small cost.
pub(in crate::suite) fn remainder(all: f64, part: f64) -> f64 {
    let left = all - part;
    if left > REMAINDER_PART_MIN * all { left } else { f64::NAN }
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
#[path = "ratio_test.rs"]
mod tests;
