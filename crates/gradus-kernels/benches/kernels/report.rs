//! The table, or the JSON document.

use crate::Machine;
use crate::cases::{Bound, Case};
use gradus_kernels::Backend;
use gradus_kernels::cpu::{Cpu, Precision};

/// One kernel on one backend.
pub struct Line<'a> {
    pub case: &'a Case,
    pub machine: &'a Machine,
    /// Of one call.
    pub seconds: f64,
}

/// In JSON everything waits for the end.
pub struct Report {
    json: Option<(Vec<String>, Vec<String>)>,
}

pub fn precision(cpu: &Cpu) -> &'static str {
    match cpu.precision() {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
        Precision::Int8 => "int8",
    }
}

/// A rate in the unit's billions.
fn giga(rate: f64) -> f64 {
    rate / 1e9
}

impl Report {
    pub fn new(json: bool, machines: &[Machine]) -> Self {
        if json {
            let peaks = machines.iter().map(peak_object).collect();
            return Self {
                json: Some((peaks, vec![])),
            };
        }
        for machine in machines {
            println!("{}", machine.cpu.describe());
        }
        println!();
        println!(
            "{:<8} {:>10} {:>10} {:>10} {:>10}",
            "peak of", "f32", "bf16", "read", "update"
        );
        println!(
            "{:<8} {:>10} {:>10} {:>10} {:>10}",
            "threads", "GFLOP/s", "GFLOP/s", "GB/s", "GB/s"
        );
        for m in machines.iter().filter(|m| precision(&m.cpu) == "f32") {
            println!(
                "{:<8} {:>10.0} {:>10} {:>10.1} {:>10.1}",
                m.cpu.threads(),
                giga(m.peak.f32),
                m.peak
                    .bf16
                    .map_or("-".into(), |x| format!("{:.0}", giga(x))),
                giga(m.peak.read),
                giga(m.peak.update),
            );
        }
        println!();
        println!(
            "{:<19} {:<27} {:<9} {:>7} {:>10} {:>9} {:<7} {:>6}",
            "kernel", "shape", "precision", "threads", "median us", "rate", "unit", "peak"
        );
        Self { json: None }
    }

    pub fn line(&mut self, line: &Line<'_>) {
        let Line {
            case,
            machine: Machine { cpu, peak },
            seconds,
        } = line;
        let (peak, unit) = match case.bound {
            Bound::F32 => (peak.f32, "GFLOP/s"),
            Bound::Products => match cpu.precision() {
                Precision::F32 => (peak.f32, "GFLOP/s"),
                // Products of bytes are set beside the peak that others have.
                Precision::Bf16 | Precision::Int8 => (peak.bf16.unwrap_or(peak.f32), "GFLOP/s"),
            },
            Bound::Read => (peak.read, "GB/s"),
            Bound::Update => (peak.update, "GB/s"),
        };
        let rate = case.work / seconds;
        let (us, rate, share) = (seconds * 1e6, giga(rate), 100.0 * rate / peak);
        let (precision, threads) = (precision(cpu), cpu.threads());
        let (kernel, shape) = (case.kernel, &case.shape);
        match &mut self.json {
            None => println!(
                "{kernel:<19} {shape:<27} {precision:<9} {threads:>7} {us:>10.1} {rate:>9.1} \
                 {unit:<7} {share:>5.0}%"
            ),
            // Names are plain ASCII, which Rust quotes as JSON does.
            Some((_, lines)) => lines.push(format!(
                "{{\"kernel\": {kernel:?}, \"shape\": {shape:?}, \"precision\": {precision:?}, \
                 \"threads\": {threads}, \"median_us\": {us:.3}, \"rate\": {rate:.3}, \
                 \"unit\": {unit:?}, \"percent_of_peak\": {share:.2}}}"
            )),
        }
    }

    pub fn end(self) {
        if let Some((peaks, lines)) = self.json {
            println!(
                "{{\n\"machines\": [\n{}\n],\n\"kernels\": [\n{}\n]\n}}",
                peaks.join(",\n"),
                lines.join(",\n")
            );
        }
    }
}

fn peak_object(machine: &Machine) -> String {
    let Machine { cpu, peak } = machine;
    let bf16 = peak
        .bf16
        .map_or("null".into(), |x| format!("{:.3}", giga(x)));
    format!(
        "{{\"machine\": {:?}, \"precision\": {:?}, \"threads\": {}, \"peak_f32_gflops\": {:.3}, \
         \"peak_bf16_gflops\": {bf16}, \"peak_read_gbs\": {:.3}, \"peak_update_gbs\": {:.3}}}",
        machine.cpu.describe(),
        precision(cpu),
        cpu.threads(),
        giga(peak.f32),
        giga(peak.read),
        giga(peak.update),
    )
}
