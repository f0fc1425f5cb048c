//! Students of a teacher's own layers.

use crate::families::EncoderConfig;
use crate::format::files;
use crate::models::ModelFolder;
use crate::models::save::{carry_description, carry_tokenizer, write_json};
use crate::models::save::{write_modules, write_weights};
use crate::models::weights;
use crate::nn::Layout;
use crate::nn::layout::LayerViews;
use crate::{Error, Result};
use gradus_kernels::{Linear, NormSpec, View};
use std::path::Path;

/// Fills `folder` with the picked layers of a teacher.
pub(crate) fn fill(
    folder: &Path,
    teacher: &ModelFolder,
    picked: &[usize],
    intermediate: Option<usize>,
) -> Result<()> {
    let path = teacher.encoder.join("config.json");
    let mut json = files::read_json(&path)?;
    EncoderConfig::resize(&mut json, picked.len(), intermediate);
    let mut described = teacher.clone();
    described.config = EncoderConfig::parse(&path, &json.to_string())?;
    carry_tokenizer(&teacher.encoder, folder)?;
    carry_description(teacher, folder)?;
    write_json(folder, "config.json", &json)?;
    write_modules(folder, &described)?;

    let of_teacher = Layout::new(&teacher.config, &teacher.modules.dense);
    let loaded = weights::load(teacher, &of_teacher)?;
    let layout = Layout::new(&described.config, &described.modules.dense);
    let mut arena = vec![0.0; layout.len()];
    let mut copy = Copy {
        from: &loaded.arena,
        to: &mut arena,
    };
    for named in layout.named().iter().filter(|n| n.layer.is_none()) {
        let source = of_teacher.named().iter().find(|n| n.name == named.name);
        let source = source.ok_or_else(|| Error::Internal(format!("no {}", named.name)))?;
        copy.view(source.view, named.view);
    }
    let inner = teacher.config.intermediate_size;
    for (student, &l) in layout.layers.iter().zip(picked) {
        let source = &of_teacher.layers[l];
        let kept = heaviest(copy.from, source, inner, described.config.intermediate_size);
        copy.layer(source, student, inner, &kept);
    }
    write_weights(folder, &described, &layout, &arena, &loaded.spare)
}

/// The neurons of a feed-forward part that weigh most, in their order: by the
/// product of the lengths of what leads to one and of what leads from it, which
/// bounds what it adds to the output for inputs of a given length.
fn heaviest(arena: &[f32], layer: &LayerViews, inner: usize, count: usize) -> Vec<usize> {
    let (up, down) = (layer.up.weight, layer.down.weight);
    let (ups, downs) = (up.of(arena), down.of(arena));
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    let mut squares = vec![0.0; inner];
    for (row, values) in ups.chunks_exact(up.cols).enumerate() {
        squares[row % inner] += values.iter().map(square).sum::<f64>();
    }
    let mut out = vec![0.0; inner];
    for row in downs.chunks_exact(down.cols) {
        for (sum, x) in out.iter_mut().zip(row) {
            *sum += square(x);
        }
    }
    let weight = |n: &usize| squares[*n] * out[*n];
    let mut order: Vec<usize> = (0..inner).collect();
    order.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    order.truncate(count);
    order.sort_unstable();
    order
}

/// Values of one arena that go to another.
struct Copy<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
}

impl Copy<'_> {
    fn view(&mut self, from: View, to: View) {
        self.to[to.range()].copy_from_slice(from.of(self.from));
    }

    fn linear(&mut self, from: Linear, to: Linear) {
        self.view(from.weight, to.weight);
        if let (Some(from), Some(to)) = (from.bias, to.bias) {
            self.view(from, to);
        }
    }

    fn norm(&mut self, from: NormSpec, to: NormSpec) {
        self.view(from.gamma, to.gamma);
        if let (Some(from), Some(to)) = (from.beta, to.beta) {
            self.view(from, to);
        }
    }

    /// A layer with the neurons `kept` of `inner` in its feed-forward part, where
    /// the first matrix may hold gate and up, one above the other.
    fn layer(&mut self, from: &LayerViews, to: &LayerViews, inner: usize, kept: &[usize]) {
        self.linear(from.qkv, to.qkv);
        if let (Some(from), Some(to)) = (from.query_key_norms, to.query_key_norms) {
            self.norm(from.queries, to.queries);
            self.norm(from.keys, to.keys);
        }
        self.linear(from.attention_out, to.attention_out);
        self.norm(from.attention_norm, to.attention_norm);
        if let (Some(from), Some(to)) = (from.second_attention_norm, to.second_attention_norm) {
            self.norm(from, to);
        }
        self.norm(from.out_norm, to.out_norm);
        let sides = 0..from.up.weight.rows / inner;
        let rows: Vec<usize> = sides
            .flat_map(|side| kept.iter().map(move |n| side * inner + n))
            .collect();
        self.gather(from.up.weight, to.up.weight, &rows, from.up.weight.cols);
        if let (Some(from), Some(to)) = (from.up.bias, to.up.bias) {
            self.gather(from, to, &rows, 1);
        }
        for row in 0..from.down.weight.rows {
            let source = from.down.weight.offset + row * inner;
            let target = to.down.weight.offset + row * kept.len();
            for (i, n) in kept.iter().enumerate() {
                self.to[target + i] = self.from[source + n];
            }
        }
        if let (Some(from), Some(to)) = (from.down.bias, to.down.bias) {
            self.view(from, to);
        }
    }

    /// Some rows of `width` values each.
    fn gather(&mut self, from: View, to: View, rows: &[usize], width: usize) {
        for (i, row) in rows.iter().enumerate() {
            let source = from.offset + row * width;
            let target = to.offset + i * width;
            self.to[target..target + width].copy_from_slice(&self.from[source..source + width]);
        }
    }
}
