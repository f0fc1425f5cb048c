use crate::nn::{Layout, NamedView};
use gradus_kernels::AdamWSegment;
use std::ops::Range;

/// Learning-rate multipliers and weight decay of every parameter: no decay on
/// biases and layer norms, and a rate that falls from layer to layer towards
/// the input, embeddings and modules behind the encoder excepted (the setting
/// of Zhang & Li 2024).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParameterGroups {
    /// Adjacent parameters of equal settings are one.
    groups: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq)]
struct Group {
    range: Range<usize>,
    rate: f64,
    decay: f64,
}

impl ParameterGroups {
    /// Groups for the parameters of `layout`; layer `l` of `L` has its rate
    /// multiplied by `layer_decay^(L - 1 - l)`.
    pub fn new(layout: &Layout, weight_decay: f64, layer_decay: f64) -> Self {
        Self::of(layout, weight_decay, layer_decay, |_| true)
    }

    /// Groups for those parameters that are `trained`.
    pub fn of(
        layout: &Layout,
        weight_decay: f64,
        layer_decay: f64,
        trained: impl Fn(&NamedView) -> bool,
    ) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for named in layout.named().iter().filter(|n| trained(n)) {
            let depth = named.layer.map_or(0, |l| layout.layer_count() - 1 - l);
            let rate = layer_decay.powi(depth as i32);
            let decay = if named.is_bias_or_norm() {
                0.0
            } else {
                weight_decay
            };
            match groups.last_mut() {
                Some(last)
                    if last.rate == rate
                        && last.decay == decay
                        && last.range.end == named.view.offset =>
                {
                    last.range.end = named.view.range().end;
                }
                _ => groups.push(Group {
                    range: named.view.range(),
                    rate,
                    decay,
                }),
            }
        }
        Self { groups }
    }

    /// Groups of adjacent parameters that are decayed or not, at one rate.
    pub fn of_flags(decayed: &[bool], weight_decay: f64) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (i, &decayed) in decayed.iter().enumerate() {
            let decay = if decayed { weight_decay } else { 0.0 };
            match groups.last_mut() {
                Some(last) if last.decay == decay => last.range.end = i + 1,
                _ => groups.push(Group {
                    range: i..i + 1,
                    rate: 1.0,
                    decay,
                }),
            }
        }
        Self { groups }
    }

    /// Groups as they are given: parameters, what the base rate is multiplied by,
    /// weight decay.
    pub fn of_ranges(groups: impl IntoIterator<Item = (Range<usize>, f64, f64)>) -> Self {
        let groups = groups.into_iter();
        let groups = groups.map(|(range, rate, decay)| Group { range, rate, decay });
        Self {
            groups: groups.collect(),
        }
    }

    /// Whether nothing is trained.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The parameters that are trained.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.groups.iter().map(|group| group.range.clone())
    }

    /// The optimizer's segments at a base learning rate.
    pub fn segments(&self, learning_rate: f64) -> Vec<AdamWSegment> {
        self.groups
            .iter()
            .map(|g| AdamWSegment {
                range: g.range.clone(),
                learning_rate: (learning_rate * g.rate) as f32,
                weight_decay: g.decay as f32,
            })
            .collect()
    }
}
