//! `--precision` and the forced instruction sets.

use crate::support::{backend, gradus, model, stdout};
use gradus_kernels::cpu;
use predicates::prelude::*;
use predicates::str::contains;

fn encode(arguments: &[&str], isa: Option<&str>) -> assert_cmd::Command {
    let mut command = gradus();
    command
        .args(["encode", &model("bert-small"), "a cat"])
        .args(arguments);
    if let Some(isa) = isa {
        command.env("GRADUS_ISA", isa);
    }
    command
}

#[test]
fn auto_says_what_it_chose_and_why() {
    let chosen = match backend().precision() {
        cpu::Precision::F32 => "precision  f32, as ",
        _ => "precision  bf16, as ",
    };
    encode(&[], None)
        .assert()
        .success()
        .stderr(contains(chosen));
    for quiet in [["--quiet", "--threads=1"], ["--precision", "f32"]] {
        encode(&quiet, None)
            .assert()
            .success()
            .stderr(predicate::str::is_empty());
    }
}

#[test]
fn portable_code_has_only_f32() {
    encode(&[], Some("portable"))
        .assert()
        .success()
        .stderr(contains("f32, as portable code has nothing faster"));
    encode(&["--precision", "bf16"], Some("portable"))
        .assert()
        .failure()
        .stderr(contains("bf16 needs AMX").and(contains("portable code; use f32")));
}

#[test]
fn what_cannot_be_had_is_refused() {
    encode(&["--precision", "f16"], None)
        .assert()
        .code(2)
        .stderr(contains("f16").and(contains("auto, f32, bf16")));
    encode(&[], Some("mmx"))
        .assert()
        .failure()
        .stderr(contains("GRADUS_ISA=mmx").and(contains("portable, neon, avx2")));
    let foreign = if cfg!(target_arch = "x86_64") {
        "neon"
    } else {
        "avx2"
    };
    encode(&[], Some(foreign))
        .assert()
        .failure()
        .stderr(contains("this processor does not have"));
}

#[test]
fn a_device_is_the_processor_or_refused() {
    let auto = stdout(&mut encode(&[], None));
    assert_eq!(stdout(&mut encode(&["--device", "cpu"], None)), auto);
    // Whatever of NVIDIA's this machine has: `devices.rs` has each answer.
    for device in ["cuda", "cuda:1"] {
        let refused = encode(&["--device", device], None).assert().code(2);
        refused
            .stdout("")
            .stderr(contains("cuda").or(contains("NVIDIA")));
    }
    encode(&["--device", "gpu"], None)
        .assert()
        .code(2)
        .stderr(contains(
            "no such device: \"gpu\"; there are auto, cpu, cuda and cuda:N",
        ));
}

#[test]
fn f32_is_near_whatever_computes_it() {
    let first = |command: &mut assert_cmd::Command| -> f64 {
        let object: serde_json::Value = serde_json::from_str(&stdout(command)).unwrap();
        object["embedding"][0].as_f64().unwrap()
    };
    let plain = first(&mut encode(&["--precision", "f32"], Some("portable")));
    let best = first(&mut encode(&["--precision", "f32"], None));
    assert!((plain - best).abs() < 1e-5, "{plain} {best}");
}
