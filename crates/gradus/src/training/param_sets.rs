//! What training adds to networks: gradients, moments and rates, as named sets.

use super::host_set::HostSet;
use super::{AdamW, ParameterGroups};
use crate::models::{CrossEncoder, SentenceEncoder, TokenClassifier};
use gradus_kernels::{AdamWArenas, AdamWStep, Backend, Clip};

/// A model whose parameters are trained. They stay with it; a [`ParamSet`] has the
/// rest.
pub trait Network<B: Backend> {
    /// How many parameters it has.
    fn len(&self) -> usize;
    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The parameters.
    fn params(&self) -> &B::Arena;
    /// The parameters, to be changed.
    fn params_mut(&mut self) -> &mut B::Arena;
    /// The tensor that parameter `i` belongs to.
    fn name_at(&self, i: usize) -> &str;
}

macro_rules! network {
    ($model:ident) => {
        impl<B: Backend> Network<B> for $model<B> {
            fn len(&self) -> usize {
                self.layout().len()
            }
            fn params(&self) -> &B::Arena {
                $model::params(self)
            }
            fn params_mut(&mut self) -> &mut B::Arena {
                $model::params_mut(self).1
            }
            fn name_at(&self, i: usize) -> &str {
                self.layout().name_at(i)
            }
        }
    };
}
network!(SentenceEncoder);
network!(TokenClassifier);
network!(CrossEncoder);

/// Finds networks by the names of their sets.
pub trait Networks<B: Backend> {
    /// The network whose parameters the set `name` trains.
    fn network(&self, name: &str) -> Option<&dyn Network<B>>;
    /// The same, to be changed.
    fn network_mut(&mut self, name: &str) -> Option<&mut dyn Network<B>>;
}

/// The parameters of one network, or of an objective, as a run trains them.
pub struct ParamSet<B: Backend> {
    name: &'static str,
    /// Its highest learning rate.
    peak_rate: f64,
    /// Empty where it is not trained.
    groups: ParameterGroups,
    place: Place<B>,
}

/// Where its numbers are.
enum Place<B: Backend> {
    /// On the device; the values lie with the network.
    Device {
        gradients: B::Arena,
        first: B::Arena,
        second: B::Arena,
        /// How many moments there are.
        moments: usize,
    },
    /// On the host, as those of an objective, which works there.
    Host(Box<HostSet>),
}

impl<B: Backend> ParamSet<B> {
    /// A set of the `len` parameters of a network, whose gradients come into
    /// `gradients`.
    pub fn of_network(
        name: &'static str,
        backend: &B,
        (gradients, len): (B::Arena, usize),
        groups: ParameterGroups,
        peak_rate: f64,
    ) -> Self {
        let moments = || backend.arena(vec![0.0; len]);
        let place = Place::Device {
            gradients,
            first: moments(),
            second: moments(),
            moments: len,
        };
        Self {
            name,
            peak_rate,
            groups,
            place,
        }
    }

    /// A network whose parameters stay as they are. Checkpoints have them, as an
    /// earlier stage may have trained them.
    pub fn frozen(name: &'static str, backend: &B) -> Self {
        let nothing = backend.arena(vec![]);
        let groups = ParameterGroups::default();
        Self::of_network(name, backend, (nothing, 0), groups, 0.0)
    }

    /// A set of values on the host.
    pub fn on_host(
        name: &'static str,
        values: Vec<f32>,
        groups: ParameterGroups,
        peak_rate: f64,
    ) -> Self {
        Self {
            name,
            peak_rate,
            groups,
            place: Place::Host(Box::new(HostSet::new(values))),
        }
    }

    /// Its name in checkpoints.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is trained.
    pub fn is_trained(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The arena that the gradients of its network are added to.
    pub fn gradients_mut(&mut self) -> Option<&mut B::Arena> {
        match &mut self.place {
            Place::Device { gradients, .. } => Some(gradients),
            Place::Host(_) => None,
        }
    }

    /// The values on the host; nothing of a network.
    pub fn values(&self) -> &[f32] {
        match &self.place {
            Place::Device { .. } => &[],
            Place::Host(host) => host.values(),
        }
    }

    /// The values on the host, and their gradients to be added to.
    pub fn host_mut(&mut self) -> (&[f32], &mut [f32]) {
        match &mut self.place {
            Place::Device { .. } => (&[], &mut []),
            Place::Host(host) => host.both_mut(),
        }
    }

    /// Other values on the host, as many as there were.
    pub(crate) fn set_values(&mut self, values: &[f32]) {
        if let Place::Host(host) = &mut self.place {
            host.set_values(values);
        }
    }

    /// Values, first and second moments, read from the device.
    pub(crate) fn read(&self, backend: &B, networks: &dyn Networks<B>) -> [Vec<f32>; 3] {
        match &self.place {
            Place::Device {
                first,
                second,
                moments,
                ..
            } => {
                let network = networks.network(self.name);
                let values = network.map(|n| backend.read_arena(n.params(), 0..n.len()));
                let [first, second] = [first, second].map(|m| backend.read_arena(m, 0..*moments));
                [values.unwrap_or_default(), first, second]
            }
            Place::Host(host) => host.read(),
        }
    }

    /// Puts values and moments back; `false` where there are not as many.
    pub(crate) fn write(
        &mut self,
        backend: &B,
        networks: &mut dyn Networks<B>,
        saved: [Vec<f32>; 3],
    ) -> bool {
        let [values, of_first, of_second] = saved;
        match &mut self.place {
            Place::Device {
                first,
                second,
                moments,
                ..
            } => {
                let Some(network) = networks.network_mut(self.name) else {
                    return false;
                };
                if [values.len(), of_first.len(), of_second.len()]
                    != [network.len(), *moments, *moments]
                {
                    return false;
                }
                backend.write_arena(network.params_mut(), 0, &values);
                backend.write_arena(first, 0, &of_first);
                backend.write_arena(second, 0, &of_second);
            }
            Place::Host(host) => return host.write([values, of_first, of_second]),
        }
        true
    }
}

/// All sets of a stage and their optimizer: AdamW with one norm of all gradients.
pub struct ParamSets<B: Backend> {
    sets: Vec<ParamSet<B>>,
    adamw: AdamW,
    /// The largest norm of all gradients.
    clip: Option<f64>,
    /// Updates so far.
    steps: u64,
}

impl<B: Backend> ParamSets<B> {
    /// Sets with fresh moments. Names differ.
    pub fn new(adamw: AdamW, clip: Option<f64>, sets: Vec<ParamSet<B>>) -> Self {
        Self {
            sets,
            adamw,
            clip,
            steps: 0,
        }
    }

    /// All sets, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &ParamSet<B>> {
        self.sets.iter()
    }

    /// All sets, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ParamSet<B>> {
        self.sets.iter_mut()
    }

    /// The set of this name.
    pub fn get(&self, name: &str) -> Option<&ParamSet<B>> {
        self.sets.iter().find(|set| set.name == name)
    }

    /// Several sets at once, to be changed.
    pub fn each_mut<const N: usize>(&mut self, names: [&str; N]) -> [Option<&mut ParamSet<B>>; N] {
        let mut found = [const { None }; N];
        for set in &mut self.sets {
            if let Some(place) = names.iter().position(|name| *name == set.name) {
                found[place] = Some(set);
            }
        }
        found
    }

    /// Values on the host; nothing where there is no such set.
    pub fn values(&self, name: &str) -> &[f32] {
        self.get(name).map_or(&[], |set| set.values())
    }

    /// Updates so far.
    pub(crate) fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// Takes over the values on the host of another stage's sets, where there are
    /// as many by the same name.
    pub(crate) fn carry_over(&mut self, earlier: &Self) {
        for set in &mut self.sets {
            set.set_values(earlier.values(set.name));
        }
    }

    /// Sets all gradients to zero.
    pub fn clear(&mut self, backend: &B) {
        for set in &mut self.sets {
            let trained = set.is_trained();
            match &mut set.place {
                Place::Device { gradients, .. } if trained => backend.zero(gradients),
                Place::Device { .. } => {}
                Place::Host(host) => host.clear_gradients(),
            }
        }
    }

    /// The norm of all gradients, on the device.
    pub fn gradient_norm(&self, backend: &B) -> B::GradientNorm {
        let of_host = self.sets.iter().map(|set| match &set.place {
            Place::Host(host) => host.sum_of_squares(),
            Place::Device { .. } => 0.0,
        });
        let on_host: f64 = of_host.sum();
        let mut norm: Option<B::GradientNorm> = None;
        for set in &self.sets {
            if let Place::Device { gradients, .. } = &set.place {
                let ranges: Vec<_> = set.groups.ranges().collect();
                norm = Some(match norm {
                    // Those of the host are counted once.
                    None => backend.gradient_norm(gradients, &ranges, on_host),
                    Some(so_far) => {
                        let own = backend.gradient_norm(gradients, &ranges, 0.0);
                        backend.joint_norm(&so_far, &own)
                    }
                });
            }
        }
        norm.unwrap_or_else(|| backend.gradient_norm(&backend.arena(vec![]), &[], on_host))
    }

    /// One step of AdamW: clips as PyTorch's `clip_grad_norm_` does and updates all
    /// that is trained, at `factor` times each set's highest rate. Leaves all alone
    /// where the norm is no finite number. The host waits for the norm where there
    /// are values on it.
    pub fn update(
        &mut self,
        backend: &B,
        networks: &mut dyn Networks<B>,
        factor: f64,
        norm: &B::GradientNorm,
    ) {
        self.steps += 1;
        let step = AdamWStep {
            beta1: self.adamw.beta1,
            beta2: self.adamw.beta2,
            eps: self.adamw.eps,
            step: self.steps,
        };
        let most = self.clip;
        for set in &mut self.sets {
            let segments = set.groups.segments(set.peak_rate * factor);
            match &mut set.place {
                Place::Device {
                    gradients,
                    first,
                    second,
                    ..
                } => {
                    let Some(network) = networks.network_mut(set.name) else {
                        continue;
                    };
                    if segments.is_empty() {
                        continue;
                    }
                    let arenas = AdamWArenas {
                        params: network.params_mut(),
                        grads: gradients,
                        first,
                        second,
                    };
                    backend.adamw(arenas, &segments, &step, Clip { norm, most });
                }
                Place::Host(host) if !host.is_empty() => {
                    host.update(&segments, &step, (backend.norm(norm), most));
                }
                Place::Host(_) => {}
            }
        }
    }

    /// The highest rate of all sets at `factor`.
    pub(crate) fn learning_rate(&self, factor: f64) -> f64 {
        let trained = self.sets.iter().filter(|set| set.is_trained());
        trained.fold(0.0, |most, set| most.max(set.peak_rate * factor))
    }

    /// The first tensor with a gradient that is no finite number.
    pub(crate) fn not_finite(&self, backend: &B, networks: &dyn Networks<B>) -> Option<String> {
        for (i, set) in self.sets.iter().enumerate() {
            match (&set.place, networks.network(set.name)) {
                (Place::Device { gradients, .. }, Some(network)) if set.is_trained() => {
                    let values = backend.read_arena(gradients, 0..network.len());
                    if let Some(place) = values.iter().position(|g| !g.is_finite()) {
                        let tensor = network.name_at(place);
                        return Some(match i {
                            0 => format!("`{tensor}`"),
                            _ => format!("the {}'s `{tensor}`", set.name),
                        });
                    }
                }
                (Place::Host(host), _) if !host.is_finite() => {
                    return Some(format!("the {}", set.name));
                }
                _ => {}
            }
        }
        None
    }
}
