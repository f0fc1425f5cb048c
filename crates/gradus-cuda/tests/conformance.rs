//! The suite of all backends, on kernels that run by emulation, and on a card where there is one
//! (`GRADUS_TEST_CUDA=1`).

use gradus_conformance::{Check, Suite, conformance, conformance_in_bf16, run};
use gradus_cuda::{Cuda, Machine, Precision};
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
            halves.into_iter().filter(|c| !rounded(c)).collect(),
        ),
    ];
    run("cards", suites)
}
