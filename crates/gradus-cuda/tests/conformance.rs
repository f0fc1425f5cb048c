//! The suite of all backends, on kernels that run by emulation, and on a card where there is one
//! (`GRADUS_TEST_CUDA=1`).

use gradus_conformance::{Check, Plain, Suite, conformance, conformance_in_bf16, run};
use gradus_cuda::{Cuda, Machine, Precision};
use gradus_kernels::dropout::{Dropout, mix64};
use gradus_kernels::{
    Activation, Backend, FeedForwardLayers, Linear, NormKind, NormSpec, Packed, RowDropout,
    Sequence, View,
};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Builds the library that stands in for the driver, in a folder that the driver is looked for in.
fn emulator() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("emulator/driver.cpp");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("emulator");
    std::fs::create_dir_all(&folder).ok()?;
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let built = Command::new(compiler)
        .args(cfg!(target_arch = "x86_64").then_some("-mtls-dialect=gnu2"))
        .args([
            "-O3",
            "-march=native",
            "-w",
            "-std=c++17",
            "-shared",
            "-fPIC",
            "-ffp-contract=off",
            "-o",
        ])
        .arg(folder.join("libcuda.so.1"))
        .arg(source)
        .status();
    built.ok()?.success().then_some(folder)
}

fn make(precision: Precision, half: bool) -> impl Fn(usize) -> Cuda + Clone + Send + 'static {
    move |_| Cuda::with(0, precision, half).unwrap()
}

/// Values that are moved come back rounded where they become bf16.
fn rounded(check: &Check) -> bool {
    [
        "what_is_moved_comes_back",
        "rows_are_gathered",
        "rows_are_replaced",
        "rows_are_subtracted",
        "cosines_of",
        "every_backend_drops",
        "backward_onto",
    ]
    .iter()
    .any(|name| check.name().starts_with(name))
}

/// Values in `[-1, 1)` that are exact in bf16.
fn values(n: usize, seed: u64) -> Vec<f32> {
    let one = |i| (mix64(seed ^ mix64(i)) >> 56) as f32 / 128.0 - 1.0;
    (0..n as u64).map(one).collect()
}

/// The norm of whole rows of a usual width and back, with the bias of the layer before, whose
/// gradient comes from the norm's sums; and a feed-forward part, whose activation is made again.
fn wide<B: Backend>(backend: &B, width: usize, kind: NormKind, drops: bool) -> Vec<Vec<f32>> {
    let lengths = [70, 1, 33, 26];
    let ids = [1; 70];
    let sequence = |(stream, &len): (usize, &usize)| Sequence {
        ids: &ids[..len],
        segments: &[],
        stream: stream as u64,
    };
    let packed = Packed::new(lengths.iter().enumerate().map(sequence), 0);
    let (rows, batch) = (packed.tokens(), backend.batch(packed));
    let mut at = 0;
    let mut view = |rows, cols| {
        let view = View::new(at, rows, cols);
        at += rows * cols;
        view
    };
    let mut linear = |out, width| Linear {
        weight: view(out, width),
        bias: Some(view(1, out)),
    };
    let (before, up, down) = (linear(width, 8), linear(40, width), linear(width, 40));
    let layers = FeedForwardLayers {
        up,
        activation: Activation::Gelu,
        down,
    };
    let (gamma, beta) = (view(1, width), Some(view(1, width)));
    let norm = NormSpec {
        kind,
        gamma,
        beta,
        eps: 1e-5,
    };
    let params: Vec<f32> = values(at, 3).iter().map(|x| 0.25 * x).collect();
    let (params, mut grads) = (backend.arena(params), backend.arena(vec![0.0; at]));
    let dropout = drops.then(|| RowDropout {
        batch: &batch,
        dropout: Dropout::for_step(0.25, 1, 2).at(3, 0.25),
    });
    let matrix = |cols, seed| backend.tensor(rows, cols, &values(rows * cols, seed));
    let (x, y, r, dy) = (
        matrix(8, 4),
        matrix(width, 5),
        matrix(width, 6),
        matrix(width, 7),
    );
    let out = backend.add_norm(&params, &norm, y, Some(&r), dropout);
    let saved = out.saved.as_ref();
    let back = backend.add_norm_backward(&params, &norm, saved, &dy, dropout, &mut grads);
    let (dsum, branch) = (&back.0, back.1.as_ref().unwrap_or(&back.0));
    let dx = backend.linear_backward(&params, &before, &x, branch, None, &mut grads);
    let (z, kept) = backend.feed_forward_kept(&params, &layers, &out.out);
    let saved = (&out.out, kept);
    let dz = backend.feed_forward_backward(&params, &layers, saved, branch, None, &mut grads);
    let all = [&out.out, dsum, branch, &dx, &z, &dz];
    let mut all: Vec<_> = all.into_iter().map(|t| backend.read(t)).collect();
    // Scale, shift and biases, each by itself.
    let vectors = [Some(gamma), beta, before.bias, up.bias, down.bias];
    for place in vectors.into_iter().flatten() {
        all.push(backend.read_arena(&grads, place.range()));
    }
    all
}

/// Kernels for the usual widths against plain loops.
fn usual_widths() -> Check {
    Check::new("norms_of_the_usual_widths", || {
        let (own, plain) = (make(Precision::Bf16, true)(1), Plain::default());
        for width in [384, 512, 768, 1024] {
            for kind in [NormKind::LayerNorm, NormKind::Rms, NormKind::RmsOnePlus] {
                for drops in [false, true] {
                    let got = wide(&own, width, kind, drops);
                    let want = wide(&plain, width, kind, drops);
                    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                        let off = length(&mut got.iter().zip(want).map(|(g, w)| g - w))
                            / length(&mut want.iter().copied());
                        assert!(
                            off < 1e-2,
                            "{width} {kind:?} {drops}: result {i} is off by {off:e}"
                        );
                    }
                }
            }
        }
        assert_eq!(own.failure(), None);
    })
}

/// What comes again is queued as graphs, and gives the same bits.
fn work_that_comes_again() -> Check {
    Check::new("work_that_comes_again_is_queued_as_graphs", || {
        let own = make(Precision::Bf16, true)(1);
        let first = wide(&own, 384, NormKind::LayerNorm, true);
        assert_eq!(own.graphs_launched(), 0);
        for _ in 0..6 {
            assert!(wide(&own, 384, NormKind::LayerNorm, true) == first);
        }
        assert!(own.graphs_launched() >= 3, "{}", own.graphs_launched());
        assert_eq!(own.failure(), None);
    })
}

fn length(values: &mut dyn Iterator<Item = f32>) -> f64 {
    values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

#[allow(
    unsafe_code,
    reason = "the environment of a program that has one thread yet"
)]
fn main() -> ExitCode {
    let real = std::env::var_os("GRADUS_TEST_CUDA").is_some();
    let available = real
        || emulator().is_some_and(|folder| {
            // SAFETY: nothing else runs yet.
            unsafe { std::env::set_var("GRADUS_CUDA_LIBS", folder) };
            true
        });
    let which = if real { "card" } else { "emulated" };
    if real {
        println!("{:?}", Machine::find());
    }
    let halves = conformance_in_bf16(make(Precision::Bf16, true));
    let suites = vec![
        Suite::new(
            format!("{which} f32"),
            available,
            conformance(make(Precision::F32, false)),
        ),
        Suite::new(
            format!("{which} bf16"),
            available,
            conformance_in_bf16(make(Precision::Bf16, false)),
        ),
        Suite::new(
            format!("{which} bf16 throughout"),
            available,
            halves
                .into_iter()
                .filter(|c| !rounded(c))
                .chain([usual_widths(), work_that_comes_again()])
                .collect(),
        ),
    ];
    run("cards", suites)
}
