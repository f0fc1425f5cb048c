//! The processor's backend on every set of instructions: the suite that every
//! backend passes, in f32 and in bf16; and inference in bytes on each.

use gradus_conformance::{Suite, conformance, conformance_in_bf16, conformance_in_int8, run};
use gradus_kernels::cpu::{Cpu, Isa, Precision};
use std::process::ExitCode;

fn on(isa: Isa, precision: Precision) -> impl Fn(usize) -> Cpu + Copy {
    move |threads| Cpu::with(threads, precision, isa).unwrap_or_else(|e| panic!("{e}"))
}

/// What the CPU computes in f32 with the tile registers or the pair products is
/// what it computes with AVX-512.
fn suite(isa: Isa) -> Suite {
    let checks = match isa {
        Isa::Avx512Bf16 | Isa::Amx => conformance_in_bf16(on(isa, Precision::Bf16)),
        Isa::Portable | Isa::Neon | Isa::Avx2 | Isa::Avx512 => conformance(on(isa, Precision::F32)),
    };
    Suite::new(isa.name(), isa.is_available(), checks)
}

fn suite_in_int8(isa: Isa) -> Suite {
    let name = format!("{}-int8", isa.name());
    let checks = conformance_in_int8(on(isa, Precision::Int8));
    Suite::new(&name, isa.is_available(), checks)
}

fn main() -> ExitCode {
    let suites = Isa::ALL.map(suite).into_iter();
    run(
        "instruction sets",
        suites.chain(Isa::ALL.map(suite_in_int8)).collect(),
    )
}
