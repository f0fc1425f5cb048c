//! The processor's backend on every set of instructions: the suite that every
//! backend passes, in f32 and in bf16.

use gradus_conformance::{Suite, conformance, conformance_in_bf16, run};
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

fn main() -> ExitCode {
    run("instruction sets", Isa::ALL.map(suite).into())
}
