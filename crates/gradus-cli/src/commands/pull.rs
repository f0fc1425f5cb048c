//! `gradus pull`: fetch models and data ahead of their use.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::progress::Fetching;
use gradus::hub::{HubConfig, pull_sts};

const EXAMPLES: &str = "\
The folders are printed to standard output, one a line. The hub's usual \
variables are honoured: HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE, HF_HUB_OFFLINE.

Examples:
  gradus pull all-MiniLM-L6-v2
  gradus pull BAAI/bge-small-en-v1.5 org/name@revision
  gradus pull sts
  gradus --data ./data pull sts";

/// What is to be fetched.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Models by their names on the hub, or `sts` for the seven STS tasks
    #[arg(required = true, value_name = "MODEL|sts")]
    pub names: Vec<String>,
    /// Ask the hub for a newer version even if there is one here
    #[arg(long)]
    pub refresh: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut config = HubConfig::from_env()?;
    config.refresh = args.refresh;
    let mut output = Output::open(None)?;
    for name in &args.names {
        let folders = if name == "sts" {
            let mut progress = Fetching::new(context.manner);
            pull_sts(&config, context.data.path(), &mut progress)?
        } else {
            vec![context.resolve(name, &config)?]
        };
        for folder in folders {
            output.line(&folder.display().to_string())?;
        }
        // A later name may fail; what is there is known by then.
        output.flush()?;
    }
    output.finish()
}
