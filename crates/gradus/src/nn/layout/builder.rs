//! Places for parameters, one after the other.

use crate::families::names;
use gradus_kernels::{Linear, NormSpec, View};

/// A parameter's name and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedView {
    /// Its safetensors name, without any prefix; a Dense module's begins with
    /// the module's folder, as in `2_Dense/linear.weight`.
    pub name: String,
    /// Where it lies.
    pub view: View,
    /// Whether its safetensors form has one dimension.
    pub vector: bool,
    /// The transformer layer it belongs to, counted from the input; `None` for
    /// embeddings and for modules behind the encoder.
    pub layer: Option<usize>,
}

impl NamedView {
    /// Biases and layer norms, which weight decay leaves alone; a table of
    /// biases on attention's scores is one.
    pub fn is_bias_or_norm(&self) -> bool {
        self.vector || self.name == names::RELATIVE_BIAS
    }
}

/// Gives out places.
pub(crate) struct Builder {
    pub(super) named: Vec<NamedView>,
    pub(super) len: usize,
    pub(super) layer: Option<usize>,
}

impl Builder {
    pub fn add(&mut self, name: String, rows: usize, cols: usize, vector: bool) -> View {
        let view = View::new(self.len, rows, cols);
        // Sizes come from a file that may ask for anything. Saturated, they
        // belong to a tensor that no weights file can hold.
        self.len = self.len.saturating_add(rows.saturating_mul(cols));
        self.named.push(NamedView {
            name,
            view,
            vector,
            layer: self.layer,
        });
        view
    }

    pub fn linear(&mut self, name: &str, out: usize, width: usize, bias: bool) -> Linear {
        self.stacked(&[name.to_owned()], out, width, bias)
    }

    /// Layers of `out` outputs each over the same input, adjacent, so that one
    /// product computes them all.
    pub(super) fn stacked(
        &mut self,
        names: &[String],
        out: usize,
        width: usize,
        bias: bool,
    ) -> Linear {
        let rows = out.saturating_mul(names.len());
        let weight = View::new(self.len, rows, width);
        for name in names {
            self.add(format!("{name}.weight"), out, width, false);
        }
        let bias = bias.then(|| {
            let bias = View::new(self.len, 1, rows);
            for name in names {
                self.add(format!("{name}.bias"), 1, out, true);
            }
            bias
        });
        Linear { weight, bias }
    }

    pub fn norm(&mut self, name: &str, width: usize, eps: f32) -> NormSpec {
        let gamma = self.add(format!("{name}.weight"), 1, width, true);
        let beta = self.add(format!("{name}.bias"), 1, width, true);
        NormSpec::layer_norm(gamma, beta, eps)
    }
}
