//! A task from outside the library: the loop trains it, and a stopped run goes on to
//! the bits of one that never was, with a set of parameters that no checkpoint code
//! knows.

mod common;
#[path = "../examples/custom_task.rs"]
mod example;

use common::copy_of;
use example::MeanTeacher;
use gradus::training::{StepReport, TrainingObserver};
use gradus::util::{Observer, Silent};
use gradus_kernels::cpu::Cpu;
use std::path::Path;

const TEXTS: [&str; 5] = [
    "one happy woman was sleeping",
    "a river under a house",
    "one big child was reading under a river",
    "one blue street",
    "a woman was reading",
];

/// Wishes for an end after some steps.
struct StopsAfter(u64);

impl Observer for StopsAfter {
    fn cancelled(&self) -> bool {
        self.0 == 0
    }
}

impl TrainingObserver for StopsAfter {
    fn step(&mut self, _: &StepReport) {
        self.0 -= 1;
    }
}

#[test]
fn a_task_of_ones_own_trains_and_goes_on_to_the_same_bits() {
    let model = copy_of("bert-small");
    let place = tempfile::tempdir().unwrap();
    let task = || MeanTeacher::new(model.path(), &TEXTS, 12, Cpu::new(1)).unwrap();
    let weights = |root: &Path| std::fs::read(root.join("model/model.safetensors")).unwrap();
    let (whole, stopped) = (place.path().join("whole"), place.path().join("stopped"));
    let summary = task().run(&whole, &mut Silent).unwrap();
    assert_eq!(summary.model, whole.join("model"));
    let end = task().run(&stopped, &mut StopsAfter(5)).unwrap_err();
    assert!(end.to_string().contains("after step 5 of 12"), "{end}");
    task().run(&stopped, &mut Silent).unwrap();
    assert!(weights(&whole) == weights(&stopped));
    let first = std::fs::read(model.path().join("model.safetensors")).unwrap();
    assert!(weights(&whole) != first);
    let metrics = std::fs::read_to_string(stopped.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 12);
}
