//! `gradus info --devices`: what models can run on.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::print_table;
use gradus::Device;
use gradus::util::machine::processor;
use gradus_cuda::{Card, CudaError, Library, Machine};
use serde::Serialize;
use std::fmt::Write;

/// Bytes of a gibibyte.
const GIB: f64 = (1u64 << 30) as f64;

#[derive(Serialize)]
struct Devices {
    processor: Processor,
    cuda: Cuda,
    libraries: Vec<OneLibrary>,
    /// What `--device auto` takes.
    auto: String,
}

#[derive(Serialize)]
struct Processor {
    name: String,
    backend: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Cuda {
    Missing {
        missing: String,
    },
    There {
        version: String,
        driver: String,
        cards: Vec<OneCard>,
    },
}

#[derive(Serialize)]
struct OneCard {
    device: String,
    name: String,
    memory: usize,
    compute_capability: String,
    multiprocessors: i32,
    /// Why it cannot be used.
    unusable: Option<String>,
}

#[derive(Serialize)]
struct OneLibrary {
    name: &'static str,
    purpose: &'static str,
    path: Option<String>,
}

impl From<&Card> for OneCard {
    fn from(card: &Card) -> Self {
        let (major, minor) = card.capability;
        Self {
            device: Device::Cuda { index: card.index }.to_string(),
            name: card.name.clone(),
            memory: card.memory,
            compute_capability: format!("{major}.{minor}"),
            multiprocessors: card.multiprocessors,
            unusable: card.check().err().map(|why| why.to_string()),
        }
    }
}

impl From<Library> for OneLibrary {
    fn from(library: Library) -> Self {
        Self {
            name: library.name,
            purpose: library.purpose,
            path: library.path.map(|path| path.display().to_string()),
        }
    }
}

impl From<Result<Machine, CudaError>> for Cuda {
    fn from(found: Result<Machine, CudaError>) -> Self {
        match found {
            Err(why) => Self::Missing {
                missing: why.to_string(),
            },
            Ok(machine) => Self::There {
                version: format!("{}.{}", machine.driver / 1000, machine.driver % 1000 / 10),
                driver: machine.path.display().to_string(),
                cards: machine.cards.iter().map(OneCard::from).collect(),
            },
        }
    }
}

impl Devices {
    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let Processor { name, backend } = &self.processor;
        writeln!(text, "processor         {name}: {backend}")?;
        match &self.cuda {
            Cuda::Missing { missing } => writeln!(text, "cuda              {missing}")?,
            Cuda::There {
                version,
                driver,
                cards,
            } => {
                writeln!(text, "driver            CUDA {version}, {driver}")?;
                for card in cards {
                    let memory = card.memory as f64 / GIB;
                    writeln!(
                        text,
                        "{:<17} {}, {memory:.1} GiB, compute {}, {} multiprocessors",
                        card.device, card.name, card.compute_capability, card.multiprocessors
                    )?;
                    if let Some(why) = &card.unusable {
                        writeln!(text, "                  {why}")?;
                    }
                }
            }
        }
        for OneLibrary {
            name,
            purpose,
            path,
        } in &self.libraries
        {
            let path = path.as_deref().unwrap_or("not found");
            writeln!(text, "{name:<17} {path} ({purpose})")?;
        }
        writeln!(text, "{:<17} {}", "auto", self.auto)?;
        Ok(text)
    }
}

/// Lists them.
pub fn run(as_json: bool, context: &Context) -> Result<(), Failure> {
    let environment = &context.environment;
    let precision = environment.precision.unwrap_or_default();
    let backend = Device::Cpu.backend(precision, environment.threads);
    let (backend, _) = backend.map_err(gradus::Error::from)?;
    let auto = Device::Auto.backend(precision, environment.threads);
    let (auto, _) = auto.map_err(gradus::Error::from)?;
    let devices = Devices {
        auto: gradus_kernels::Backend::describe(&auto),
        processor: Processor {
            name: processor(),
            backend: gradus_kernels::Backend::describe(&backend),
        },
        cuda: Machine::find().into(),
        libraries: Machine::libraries()
            .into_iter()
            .map(OneLibrary::from)
            .collect(),
    };
    let text = devices.text().map_err(|e| Failure::Usage(e.to_string()))?;
    print_table(&devices, &text, as_json)
}
