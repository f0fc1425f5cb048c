//! Gated activations against the reference and its slope.

use crate::reference;
use crate::support::{close, inner, slope, values, widen};
use gradus_kernels::{Activation, Backend, GateOrder};

pub fn gates<B: Backend>(backend: &B) {
    let cases = [
        (1, 1, Activation::Silu, GateOrder::UpFirst),
        (7, 5, Activation::Gelu, GateOrder::GateFirst),
        (70, 33, Activation::Silu, GateOrder::GateFirst),
        (3, 300, Activation::Relu, GateOrder::UpFirst),
        (40, 16, Activation::GeluTanh, GateOrder::UpFirst),
    ];
    for (tokens, width, activation, order) in cases {
        let pre: Vec<f32> = values(tokens * 2 * width, 60)
            .iter()
            .map(|x| 4.0 * x)
            .collect();
        let dy = values(tokens * width, 61);
        let f = |pre: &[f64]| -> Vec<f64> {
            pre.chunks(2 * width)
                .flat_map(|row| {
                    let (first, second) = row.split_at(width);
                    let (gate, up) = match order {
                        GateOrder::GateFirst => (first, second),
                        GateOrder::UpFirst => (second, first),
                    };
                    let opened = gate.iter().map(|&x| reference::activate(activation, x));
                    opened.zip(up).map(|(g, u)| g * u).collect::<Vec<_>>()
                })
                .collect()
        };
        let tensor = backend.tensor(tokens, 2 * width, &pre);
        let out = backend.gated(activation, order, &tensor);
        assert_eq!(backend.shape(&out), (tokens, width));
        close(&backend.read(&out), &f(&widen(&pre)), 2e-6);
        let tdy = backend.tensor(tokens, width, &dy);
        let got = backend.gated_backward(activation, order, tensor, &tdy);
        if tokens * width > 2000 {
            continue; // the slope below costs the square of the size
        }
        close(
            &backend.read(&got),
            &slope(|x| inner(&f(x), &dy), &widen(&pre)),
            5e-6,
        );
    }
}
