//! How fast the kernels of the CPU backend are, beside what the machine can
//! do. `cargo bench -p gradus-kernels -- --help` tells the options.

mod cases;
mod measure;
mod options;
mod report;
mod shapes;

use cases::Case;
use gradus_kernels::cpu::{Cpu, Isa, Peak, Precision, Unavailable};
use options::Options;
use report::{Line, Report};
use std::process::ExitCode;

/// A backend to measure on, and what its threads and instructions could do.
pub struct Machine {
    cpu: Cpu,
    peak: Peak,
}

fn main() -> ExitCode {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match machines(&options) {
        Ok(machines) => run(&options, &machines),
        Err(unavailable) => {
            eprintln!("{unavailable}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// One thread and all of them, in f32 and, where there is one, in bf16.
fn machines(options: &Options) -> Result<Vec<Machine>, Unavailable> {
    let isa = Isa::from_env()?;
    let all = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut machines = vec![];
    for threads in if all > 1 { vec![1, all] } else { vec![1] } {
        let effort = &options.effort;
        let peak = Peak::measure(threads, isa, effort.peak_time, effort.peak_bytes)?;
        for precision in [Precision::F32, Precision::Bf16] {
            match Cpu::with(threads, precision, isa) {
                Ok(cpu) => machines.push(Machine { cpu, peak }),
                Err(Unavailable::Precision { .. }) => {}
                Err(other) => return Err(other),
            }
        }
    }
    Ok(machines)
}

fn run(options: &Options, machines: &[Machine]) {
    let mut report = Report::new(options.json, machines);
    for case in shapes::all(options.effort.smallest_only)
        .iter()
        .flat_map(Case::all)
    {
        let chosen: Vec<_> = machines
            .iter()
            .filter(|m| !case.f32_only || m.cpu.precision() == Precision::F32)
            .filter(|m| options.wants(&label(&case, m)))
            .collect();
        let runs = chosen.iter().map(|m| (case.make)(&m.cpu)).collect();
        let times = measure::medians(&options.effort, runs);
        for (machine, seconds) in chosen.into_iter().zip(times) {
            report.line(&Line {
                case: &case,
                machine,
                seconds,
            });
        }
    }
    report.end();
}

/// What the words of a filter are looked for in.
fn label(case: &Case, machine: &Machine) -> String {
    format!(
        "{} {} {} threads={}",
        case.kernel,
        case.shape,
        report::precision(&machine.cpu),
        machine.cpu.threads()
    )
}
