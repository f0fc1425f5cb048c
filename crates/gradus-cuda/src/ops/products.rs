//! Linear layers: products by NVIDIA's library where it takes them, else by kernels.

use crate::blas::{Blas, Kind, Product};
use crate::cuda::{Cuda, Precision};
use crate::functions::Address;
use crate::modules::Module;
use crate::stream::lane::launch;
use crate::stream::plain::plain;
use crate::tensor::{Arena, Tensor};
use gradus_kernels::{Activation, FeedForwardLayers, Linear};

plain! {
    /// As products.cu takes it.
    struct Argument {
        m: u32,
        n: u32,
        k: u32,
        a_row: u32,
        a_col: u32,
        b_row: u32,
        b_col: u32,
        c_row: u32,
        add: i32,
        c_half: i32,
    }
}

/// Rows that a block sums.
pub(crate) const PIECE: usize = 64;

/// A product of matrices of one type.
struct Request {
    kind: Kind,
    /// Rows and columns of the result, and what is summed over.
    sizes: [usize; 3],
    /// Both factors are bf16.
    half: bool,
    a: Address,
    b: Address,
    /// A bias in f32, and in bf16.
    bias: Option<[Address; 2]>,
    c: Address,
    c_half: bool,
    add: bool,
}

impl Cuda {
    fn multiply(&self, r: &Request) {
        let [m, n, k] = r.sizes;
        if m * n == 0 {
            return;
        }
        let product = Product {
            kind: r.kind,
            m,
            n,
            k,
            a: r.a,
            b: r.b,
            // A bias in bf16 serves a result in bf16 alone.
            bias: r.bias.map(|[_, half]| half),
            c: r.c,
            half: r.c_half,
            add: r.add,
        };
        let fits = r.half && k > 0 && (r.bias.is_none() || r.c_half) && Blas::takes(&product);
        if fits && self.shared.blas.is_some() {
            return self.lane.multiply(product);
        }
        let (a, b) = match r.kind {
            Kind::Forward => ([k, 1], [1, k]),
            Kind::Input => ([k, 1], [n, 1]),
            Kind::Weight => ([1, m], [n, 1]),
        };
        let argument = Argument {
            m: m as u32,
            n: n as u32,
            k: k as u32,
            a_row: a[0] as u32,
            a_col: a[1] as u32,
            b_row: b[0] as u32,
            b_col: b[1] as u32,
            c_row: n as u32,
            add: i32::from(r.add),
            c_half: i32::from(r.c_half),
        };
        let bias = r.bias.map_or(0, |[full, _]| full);
        let threads = if r.half { 128 } else { 256 };
        let grid = [m.div_ceil(64), n.div_ceil(64)];
        launch!(self.lane, (Module::Products(r.half), "product"), grid, threads;
            r.a, r.b, bias, r.c, argument);
    }

    /// Products are made in bf16.
    pub(crate) fn reduced(&self) -> bool {
        self.shared.precision == Precision::Bf16
    }

    /// Where a weight is, in the type of products.
    fn weight(&self, params: &Arena, offset: usize) -> Address {
        match self.reduced() {
            true => params.half(&self.lane, offset),
            false => params.at(offset),
        }
    }

    /// `x W^T + b`, in the type of `x`.
    pub(crate) fn forward(&self, params: &Arena, layer: &Linear, x: &Tensor) -> Tensor {
        assert_eq!(x.cols, layer.weight.cols, "input width");
        let (mut place, out) = (None, layer.weight.rows);
        let y = self.fresh(x.rows, out, x.half);
        let x = self.as_type(x, self.reduced(), &mut place);
        let halves = |offset| {
            if self.reduced() {
                params.half(&self.lane, offset)
            } else {
                0
            }
        };
        self.multiply(&Request {
            kind: Kind::Forward,
            sizes: [x.rows, out, x.cols],
            half: x.half,
            a: x.address(),
            b: self.weight(params, layer.weight.offset),
            bias: layer.bias.map(|b| [params.at(b.offset), halves(b.offset)]),
            c: y.address(),
            c_half: y.half,
            add: false,
        });
        y
    }

    /// The gradient of the input, `dy W`, on top of `onto`.
    fn input(&self, params: &Arena, layer: &Linear, dy: &Tensor, onto: Option<Tensor>) -> Tensor {
        let (rows, width) = (dy.rows, layer.weight.cols);
        let add = onto.is_some();
        let mut dx = onto.unwrap_or_else(|| self.fresh(rows, width, dy.half));
        assert_eq!((dx.rows, dx.cols), (rows, width), "what it is added to");
        dx.sums = None;
        let mut place = None;
        let dy = self.as_type(dy, self.reduced(), &mut place);
        self.multiply(&Request {
            kind: Kind::Input,
            sizes: [rows, width, dy.cols],
            half: dy.half,
            a: dy.address(),
            b: self.weight(params, layer.weight.offset),
            bias: None,
            c: dx.address(),
            c_half: dx.half,
            add,
        });
        dx
    }

    /// Adds `dy^T x` and the column sums of `dy` to the gradients.
    fn weights(&self, layer: &Linear, x: &Tensor, dy: &Tensor, grads: &Arena) {
        assert_eq!((dy.rows, dy.cols), (x.rows, layer.weight.rows), "gradient");
        if let Some(bias) = layer.bias {
            self.bias(dy, grads.change(bias));
        }
        let (mut one, mut two) = (None, None);
        let x = self.as_type(x, self.reduced(), &mut one);
        let dy = self.as_type(dy, self.reduced(), &mut two);
        let (to, add) = grads.sum(layer.weight);
        self.multiply(&Request {
            kind: Kind::Weight,
            sizes: [dy.cols, x.cols, x.rows],
            half: dy.half,
            a: dy.address(),
            b: x.address(),
            bias: None,
            c: to,
            c_half: false,
            add,
        });
    }

    /// Adds the column sums of `dy`.
    fn bias(&self, dy: &Tensor, to: Address) {
        if dy.rows == 0 {
            return;
        }
        if let Some(sums) = &dy.sums {
            let mut places = [0; 3];
            places[sums.kinds - 1] = to;
            let of = sums.partial.address();
            return self.add_pieces(of, places, dy.cols, sums.kinds, sums.pieces);
        }
        let pieces = dy.rows.div_ceil(PIECE);
        let partial = self.lane.room::<f32>(pieces * dy.cols);
        let columns = if dy.half {
            dy.cols.div_ceil(2)
        } else {
            dy.cols
        };
        let grid = [pieces, columns.div_ceil(128)];
        let (cols, rows) = (dy.cols as u32, dy.rows as u32);
        launch!(self.lane, (Module::Norm(dy.half), "column_sums"), grid, 128;
            dy.address(), partial.address(), cols, rows);
        self.add_pieces(partial.address(), [to, 0, 0], dy.cols, 1, pieces);
    }

    /// Adds sums of pieces, `[pieces][kinds][cols]`, to a place for each kind; 0 for none.
    pub(crate) fn add_pieces(
        &self,
        partial: Address,
        [first, second, third]: [Address; 3],
        cols: usize,
        kinds: usize,
        pieces: usize,
    ) {
        let grid = [(cols * kinds).div_ceil(32), 1];
        let sizes = [cols, kinds, pieces].map(|n| n as u32);
        launch!(self.lane, (Module::Norm(false), "add_pieces"), grid, 256;
            partial, first, second, third, sizes[0], sizes[1], sizes[2]);
    }

    pub(crate) fn linear_gradients(
        &self,
        params: &Arena,
        layer: &Linear,
        (x, dy): (&Tensor, &Tensor),
        onto: Option<Tensor>,
        grads: &Arena,
    ) -> Tensor {
        self.weights(layer, x, dy, grads);
        self.input(params, layer, dy, onto)
    }

    /// Both layers; what comes before the activation, if wanted.
    pub(crate) fn both(
        &self,
        params: &Arena,
        layers: &FeedForwardLayers,
        x: &Tensor,
        keep: bool,
    ) -> (Tensor, Option<Tensor>) {
        let mut pre = self.forward(params, &layers.up, x);
        let post = match keep {
            true => self.activation(layers.activation, &pre),
            false => {
                self.activation_in_place(layers.activation, &mut pre);
                return (self.forward(params, &layers.down, &pre), None);
            }
        };
        (self.forward(params, &layers.down, &post), Some(pre))
    }

    /// The gradients of both layers. The activation is made again from what came before it, which takes half
    /// the memory of keeping both.
    pub(crate) fn both_backward(
        &self,
        params: &Arena,
        layers: &FeedForwardLayers,
        (x, pre): (&Tensor, Tensor),
        dy: &Tensor,
        onto: Option<Tensor>,
        grads: &Arena,
    ) -> Tensor {
        let d = self.input(params, &layers.down, dy, None);
        let mut d = self.typed(d, pre.half);
        let post = self.activation_again(layers.activation, pre, &mut d);
        self.weights(&layers.down, &post, dy, grads);
        drop(post);
        self.weights(&layers.up, x, &d, grads);
        self.input(params, &layers.up, &d, onto)
    }

    /// `f(x W^T + b)` and what comes before.
    pub(crate) fn forward_activated(
        &self,
        params: &Arena,
        layer: &Linear,
        activation: Activation,
        x: &Tensor,
    ) -> (Tensor, Tensor) {
        let pre = self.forward(params, layer, x);
        let post = self.activation(activation, &pre);
        (pre, post)
    }

    /// `a b^T` of matrices in f32: `[rows of a, rows of b]`.
    pub(crate) fn all_pairs(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let out = self.fresh(a.rows, b.rows, false);
        self.in_full(Kind::Forward, [a.rows, b.rows, a.cols], [a, b], &out);
        out
    }

    /// A product in f32, whatever the precision.
    pub(crate) fn in_full(&self, kind: Kind, sizes: [usize; 3], [a, b]: [&Tensor; 2], c: &Tensor) {
        self.multiply(&Request {
            kind,
            sizes,
            half: false,
            a: a.address(),
            b: b.address(),
            bias: None,
            c: c.address(),
            c_half: false,
            add: false,
        });
    }
}
