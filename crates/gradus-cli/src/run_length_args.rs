//! How long training goes on and when it stops for something else, for
//! commands that make models from plain text.

/// The length of a training.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Training")]
pub struct RunLengthArgs {
    /// Optimizer steps
    #[arg(long, value_name = "N", group = "length")]
    pub steps: Option<u64>,
    /// Minutes for each model, about: the speed is measured once, and as many
    /// steps are taken as fit
    #[arg(long, value_name = "N", group = "length")]
    pub minutes: Option<f64>,
    /// The share of the steps in which the rate rises
    #[arg(long, value_name = "SHARE", default_value = "0.1")]
    pub warmup: f64,
    /// Everything random is drawn from it
    #[arg(long, value_name = "N", default_value = "777")]
    pub seed: u64,
    /// Seconds between checkpoints
    #[arg(long, value_name = "N", default_value = "120")]
    pub checkpoint_seconds: u64,
    /// Steps between checkpoints, in addition
    #[arg(long, value_name = "N")]
    pub checkpoint_steps: Option<u64>,
}
