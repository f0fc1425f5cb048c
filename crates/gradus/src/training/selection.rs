//! Which model of a stage is its best, and what is to be said at its end.

use super::{StageOutline, Standing, State};

/// Takes a score into account; says how it stands. A score that does not exist is no
/// worse than the best.
pub(crate) fn select(state: &mut State, selects: bool, score: Option<f64>) -> Standing {
    if state.step == 0 {
        state.stage_initial = score;
        if state.stage == 0 {
            state.initial = score;
        }
        return Standing::Other;
    }
    let Some(score) = score.filter(|_| selects) else {
        return Standing::Other;
    };
    if state.best.is_some_and(|best| score <= best) {
        state.stale += 1;
        return Standing::Other;
    }
    state.best = Some(score);
    state.best_step = state.step;
    state.stale = 0;
    let starts = [state.initial, state.stage_initial];
    match starts.iter().flatten().any(|start| score < *start) {
        true => Standing::BelowStart,
        false => Standing::Best,
    }
}

/// What is amiss with a stage that is over; `advice` is for gradients of zero.
pub(crate) fn end_of_stage(
    outline: &StageOutline,
    state: &State,
    last: bool,
    advice: &str,
) -> Vec<String> {
    let mut warnings: Vec<String> = without_gradient(&outline.name, state, advice)
        .into_iter()
        .collect();
    match (state.initial, state.best) {
        (Some(initial), Some(best)) if last && best < initial => warnings.push(format!(
            "no model of this run reaches the dev score before training: best {:.2}, before {:.2}",
            100.0 * best,
            100.0 * initial
        )),
        (_, None) => warnings.extend(outline.selected_by.as_ref().map(|dev| {
            let name = &outline.name;
            format!(
                "stage `{name}`: no score on {dev} was defined, so that its last model is taken"
            )
        })),
        _ => {}
    }
    warnings
}

/// What to say of a stage where all or most steps had a gradient of exactly zero.
fn without_gradient(stage: &str, state: &State, advice: &str) -> Option<String> {
    let (zero, steps) = (state.zero_steps, state.step);
    if zero == 0 || 2 * zero < steps {
        return None;
    }
    Some(if zero == steps {
        format!(
            "stage `{stage}`: the gradient was exactly zero in all {steps} steps, so that nothing was learned: {advice}"
        )
    } else {
        format!(
            "stage `{stage}`: the gradient was exactly zero in {zero} of {steps} steps, which taught nothing"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(step: u64) -> State {
        State {
            step,
            ..State::default()
        }
    }

    #[test]
    fn the_highest_score_is_the_best_and_those_at_the_start_count() {
        let mut s = state(0);
        assert_eq!(select(&mut s, true, Some(0.5)), Standing::Other);
        assert_eq!((s.initial, s.best), (Some(0.5), None));
        let mut take = |step, score| {
            s.step = step;
            (select(&mut s, true, score), s.best_step, s.stale)
        };
        assert_eq!(take(1, Some(0.4)), (Standing::BelowStart, 1, 0));
        assert_eq!(take(2, Some(0.6)), (Standing::Best, 2, 0));
        assert_eq!(take(3, None), (Standing::Other, 2, 0));
        assert_eq!(take(4, Some(0.6)), (Standing::Other, 2, 1));
        assert_eq!(take(5, Some(0.7)), (Standing::Best, 5, 0));
    }

    #[test]
    fn nothing_is_chosen_where_nothing_is_selected() {
        let mut s = state(3);
        assert_eq!(select(&mut s, false, Some(0.9)), Standing::Other);
        assert_eq!(s.best, None);
    }

    #[test]
    fn zero_gradients_are_warned_of_where_they_are_many() {
        let warned = |zero_steps, step| {
            let state = State {
                zero_steps,
                ..state(step)
            };
            without_gradient("s", &state, "look at the data")
        };
        assert_eq!(warned(0, 4), None);
        assert_eq!(warned(1, 4), None);
        assert!(warned(2, 4).unwrap().contains("2 of 4"));
        assert!(warned(4, 4).unwrap().ends_with("look at the data"));
    }
}
