//! A Dense module more.

use super::SentenceEncoder;
use crate::nn::initial::initial_values;
use crate::nn::{Dense, Encoder, Layout};
use gradus_kernels::{Activation, Backend};

impl<B: Backend> SentenceEncoder<B> {
    /// Adds a Dense module `tanh(W x + b)` behind the others and before the
    /// division by length, as wide as the vectors, its weights drawn from
    /// `seed`. A head that came with the model was made for the vectors before
    /// it and goes.
    pub fn append_mlp(&mut self, seed: u64) {
        let modules = &self.folder.modules;
        let width = modules.whole_width(self.folder.config.hidden_size);
        let dense = &mut self.folder.modules.dense;
        let number = 2 + dense.len();
        let names = (number..).map(|n| format!("{n}_Dense"));
        let free = |name: &String| dense.iter().all(|d| d.folder != *name);
        let folder = names.into_iter().find(free).unwrap_or_default();
        dense.push(Dense {
            folder,
            in_width: width,
            out_width: width,
            bias: true,
            activation: Activation::Tanh,
            residual: false,
        });
        let known = self.layout.named().len();
        let mut arena = self.backend.read_arena(&self.params, 0..self.layout.len());
        self.layout = Layout::new(&self.folder.config, dense);
        for named in &self.layout.named()[known..] {
            arena.extend(initial_values(named, seed));
        }
        self.encoder = Encoder::new(&self.folder.config, &self.layout);
        self.params = self.backend.arena(arena);
        self.head = None;
    }
}
