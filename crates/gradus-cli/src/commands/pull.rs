//! `gradus pull`: fetch models and data ahead of their use.

use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::progress::Fetching;
use gradus::Error;
use gradus::data::HubSet;
use gradus::hub::{HubConfig, HubError, other_edition, pull_set};

const EXAMPLES: &str = "\
The folders are printed to standard output, one a line. Data sets are written \
to the data folder (--data, GRADUS_DATA), where recipes find them by name: \
`sts` is the seven STS tasks with SICK's released splits, `nli` SNLI and \
MultiNLI together, `nli-triplets` SimCSE's triplets of them, `wiki1m` its million \
sentences of Wikipedia. What is there already is not fetched again. The hub's \
usual variables are honoured: HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE, HF_HUB_OFFLINE.

Examples:
  gradus pull all-MiniLM-L6-v2
  gradus pull BAAI/bge-small-en-v1.5 org/name@revision
  gradus pull sts
  gradus --data ./data pull sts nli nli-triplets wiki1m";

/// What is to be fetched.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Models by their names on the hub; data sets by their names here: sts, nli,
    /// nli-triplets, wiki1m, or one of them such as sickr or snli
    #[arg(required = true, value_name = "MODEL|DATA")]
    pub names: Vec<String>,
    /// Ask the hub for a newer version even if there is one here
    #[arg(long)]
    pub refresh: bool,
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut config = HubConfig::from_env()?;
    config.refresh = args.refresh;
    let mut environment = context.environment.clone();
    environment.hub = Some(config.clone());
    let mut output = Output::open(None)?;
    for name in &args.names {
        let (bare, revision) = match name.split_once('@') {
            Some((bare, revision)) => (bare, Some(revision)),
            None => (name.as_str(), None),
        };
        if let Some(edition) = other_edition(bare) {
            return Err(Error::from(edition).into());
        }
        let sets = HubSet::named(bare);
        if sets.is_empty() {
            let found = environment.find(name, &mut context.console());
            let model = found.map_err(|e| with_data_sets(e.into(), bare))?;
            output.line(&model.folder.display().to_string())?;
        }
        for set in sets {
            let mut progress = Fetching::new(context.mode);
            let folder = pull_set(
                &config,
                environment.data.path(),
                set,
                revision,
                &mut progress,
            )?;
            output.line(&folder.display().to_string())?;
        }
        // A later name may fail; what is there is known by then.
        output.flush()?;
    }
    output.finish()
}

/// Says of a name that is no model which data sets there are.
fn with_data_sets(failure: Failure, name: &str) -> Failure {
    let Failure::Model(Error::Hub(HubError::Unresolved { spec, mut tried })) = failure else {
        return failure;
    };
    let names: Vec<&str> = HubSet::names().collect();
    let near = gradus::data::nearest(name, names.iter().copied());
    let hint = near.map_or(String::new(), |near| {
        format!(" (did you mean `gradus pull {near}`?)")
    });
    tried.push(format!(
        "data set: none has this name{hint}; known: {}",
        names.join(", ")
    ));
    Failure::Model(HubError::Unresolved { spec, tried }.into())
}
