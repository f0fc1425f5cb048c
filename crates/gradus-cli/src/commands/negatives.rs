//! `gradus negatives`: hard negatives as data.

use super::pretrain::source;
use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::pair_options::{PairOptions, TextOptions};
use crate::stop;
use gradus::chat::{ChatAddress, ChatConfig};
use gradus::data::negatives::Layout;
use gradus::data::negatives::filters::Filters;
use gradus::data::negatives::rules::Rule;
use gradus::jobs::negatives::{
    Limits, ModelSettings, NegativesSettings, Prompts, RuleSettings, by_model, by_rules, estimate,
    print_prompts,
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
TEXT is a file with a sentence a line; of .tsv, .csv, .jsonl and .parquet a column \
is read. FILE gets the columns sentence, positive, negative_1 and so on, model, \
prompt, rule, and with --teacher its cosines: a recipe reads it with rows = \
\"triplets\".

A language model behind any endpoint of OpenAI's form writes a paraphrase and \
negatives of each sentence. A base address is completed: http://localhost:8080 is \
asked at /v1/chat/completions. Every answer is kept in FILE.journal, so that the same \
command goes on where it was stopped and asks for nothing twice; filters may be \
changed and applied anew. Limits count what the journal holds; with --max-tokens they \
are kept, else they may be passed by a little.

Rules change English sentences without any model; the positive is then the sentence \
itself. What a model or a rule writes is not checked by people: look at some rows.

Examples:
  gradus negatives texts.txt --rules --output negatives.tsv
  gradus negatives texts.txt --rules --rule negation --rule number --negatives 2 --output negatives.jsonl
  gradus negatives texts.txt --endpoint http://localhost:11434 --model qwen3 --output negatives.jsonl
  gradus negatives nli.csv --column premise --endpoint https://api.openai.com/v1 --model gpt-5-mini --price-in 0.25 --price-out 2 --max-cost 5 --output negatives.jsonl
  gradus negatives texts.txt --endpoint http://localhost:8000/v1 --model m --dry-run --output negatives.jsonl
  gradus negatives texts.txt --rules --teacher all-MiniLM-L6-v2 --negative-below 0.95 --output negatives.tsv
  gradus negatives --print-prompts prompts";

const RULES: &[(&str, Rule)] = &[
    (Rule::Negation.name(), Rule::Negation),
    (Rule::Antonym.name(), Rule::Antonym),
    (Rule::Number.name(), Rule::Number),
    (Rule::Role.name(), Rule::Role),
    (Rule::Preposition.name(), Rule::Preposition),
    (Rule::Entity.name(), Rule::Entity),
];

const FORMATS: &[(&str, Format)] = &[("text", Format::Text), ("json", Format::Json)];

/// The form of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// Everything.
    Json,
}

/// What is made of which sentences.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("maker").args(["endpoint", "rules", "print_prompts"]).required(true)))]
pub struct Args {
    /// The sentences
    #[arg(value_name = "TEXT", required_unless_present = "print_prompts")]
    pub texts: Vec<PathBuf>,
    /// The file with the rows: .jsonl or .tsv
    #[arg(
        long,
        short,
        value_name = "FILE",
        required_unless_present = "print_prompts"
    )]
    pub output: Option<PathBuf>,
    /// Replace a file that this command did not write
    #[arg(long)]
    pub overwrite: bool,
    /// So many negatives for each sentence, as far as there are
    #[arg(long, value_name = "N", default_value = "1")]
    pub negatives: usize,
    /// Write each negative to a row of its own, as `negative`
    #[arg(long)]
    pub long: bool,
    /// At most so many sentences: the first ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_sentences: Option<u64>,
    /// The seed of prompts, rules and pauses
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// The form of the summary on standard output
    #[arg(long, default_value = "text", value_parser = one_of(FORMATS))]
    pub format: Format,
    /// By rules.
    #[command(flatten)]
    pub by_rules: ByRules,
    /// By a language model.
    #[command(flatten)]
    pub by_model: ByModel,
    /// How requests are sent.
    #[command(flatten)]
    pub requests: Requests,
    /// What is fit for use.
    #[command(flatten)]
    pub fitness: Fitness,
    /// How files of pairs are read
    #[command(flatten)]
    pub pairs: PairOptions,
    /// Where texts are that come alone
    #[command(flatten)]
    pub column: TextOptions,
}

/// Rules.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "By rules")]
pub struct ByRules {
    /// Make negatives by rules for English, without any model
    #[arg(long)]
    pub rules: bool,
    /// Only by this rule; can be repeated
    #[arg(long, value_name = "NAME", requires = "rules", value_parser = one_of(RULES))]
    pub rule: Vec<Rule>,
}

/// A language model.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "By a language model")]
pub struct ByModel {
    /// Ask a model at this address, with or without /v1 at its end
    #[arg(long, value_name = "URL", requires = "model")]
    pub endpoint: Option<String>,
    /// The model's name there
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    pub model: Option<String>,
    /// The environment variable with the key; servers of your own often want none
    #[arg(long, value_name = "NAME", default_value = "OPENAI_API_KEY")]
    pub key_env: String,
    /// Ask by the prompts in DIR, a .toml file each
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    pub prompts: Option<PathBuf>,
    /// Write the built-in prompts to DIR, and do nothing else
    #[arg(long, value_name = "DIR", conflicts_with_all = ["texts", "output"])]
    pub print_prompts: Option<PathBuf>,
    /// The temperature; by default the endpoint's own
    #[arg(long, value_name = "T", requires = "endpoint")]
    pub temperature: Option<f64>,
    /// At most so many tokens an answer; by default the endpoint's own limit
    #[arg(long, value_name = "N", requires = "endpoint")]
    pub max_tokens: Option<u64>,
    /// More keys of each request, as a JSON object
    #[arg(long, value_name = "JSON", requires = "endpoint", value_parser = parse_object)]
    pub extra: Option<Map<String, Value>>,
    /// Say how many requests, tokens and what cost there would be, and send nothing
    #[arg(long, requires = "endpoint")]
    pub dry_run: bool,
}

/// Requests.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Requests and limits")]
pub struct Requests {
    /// So many requests at once
    #[arg(long, value_name = "N", default_value = "4")]
    pub concurrency: usize,
    /// At most so many requests a minute
    #[arg(long, value_name = "N", requires = "endpoint")]
    pub requests_per_minute: Option<f64>,
    /// Give a request up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = parse_seconds)]
    pub timeout: Duration,
    /// Send a request again so often where that may help: after 429, 5xx, a timeout, or
    /// half an answer
    #[arg(long, value_name = "N", default_value = "5")]
    pub retries: u32,
    /// Wait so many seconds before that, doubled each time; what the endpoint wishes
    /// goes before
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    pub retry_wait: Duration,
    /// The price of a million tokens of requests
    #[arg(long, value_name = "PRICE", requires = "endpoint")]
    pub price_in: Option<f64>,
    /// The price of a million tokens of answers
    #[arg(long, value_name = "PRICE", requires = "endpoint")]
    pub price_out: Option<f64>,
    /// Stop before all answers cost more
    #[arg(long, value_name = "COST", requires = "endpoint")]
    pub max_cost: Option<f64>,
    /// Stop before all requests and answers take more tokens
    #[arg(long, value_name = "N", requires = "endpoint")]
    pub max_tokens_total: Option<u64>,
}

/// Filters.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is fit for use")]
pub struct Fitness {
    /// Leave out paraphrases that share more of the sentence's words, in their order
    #[arg(
        long,
        value_name = "SHARE",
        default_value = "0.95",
        requires = "endpoint"
    )]
    pub max_positive_overlap: f64,
    /// Leave out negatives that share more with the sentence or the paraphrase; 1
    /// leaves out equal words alone
    #[arg(long, value_name = "SHARE", default_value = "1", requires = "endpoint")]
    pub max_negative_overlap: f64,
    /// Leave out texts that are shorter, as a ratio to the sentence
    #[arg(
        long,
        value_name = "RATIO",
        default_value = "0.4",
        requires = "endpoint"
    )]
    pub min_length: f64,
    /// Leave out texts that are longer
    #[arg(
        long,
        value_name = "RATIO",
        default_value = "2.5",
        requires = "endpoint"
    )]
    pub max_length: f64,
    /// Leave out texts with a smaller share of letters of the sentence's script
    #[arg(
        long,
        value_name = "SHARE",
        default_value = "0.5",
        requires = "endpoint"
    )]
    pub min_script: f64,
    /// Judge by the cosines of this sentence encoder too, and write them
    #[arg(long, value_name = "MODEL")]
    pub teacher: Option<String>,
    /// Leave out negatives whose cosine with the sentence is not below this
    #[arg(
        long,
        value_name = "COSINE",
        default_value = "0.9",
        requires = "teacher"
    )]
    #[arg(allow_hyphen_values = true)]
    pub negative_below: f64,
    /// Leave out paraphrases whose cosine with the sentence is not above this
    #[arg(
        long,
        value_name = "COSINE",
        default_value = "0.5",
        requires = "teacher"
    )]
    #[arg(allow_hyphen_values = true)]
    pub positive_above: f64,
}

fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err("give a JSON object, such as '{\"top_p\": 0.9}'".into()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .ok()
        .filter(|s: &f64| *s > 0.0 && *s <= 86_400.0);
    let seconds = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
    seconds.ok_or_else(|| "give seconds, above 0 and at most a day".into())
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    if let Some(folder) = &args.by_model.print_prompts {
        let mut output = Output::open(None)?;
        for path in print_prompts(folder)? {
            output.line(&path.display().to_string())?;
        }
        return output.finish();
    }
    let settings = args.settings()?;
    let mut console = context.console();
    let environment = &context.environment;
    let Some(model) = args.model_settings()? else {
        let rules = match args.by_rules.rule.is_empty() {
            true => Rule::ALL.to_vec(),
            false => args.by_rules.rule.clone(),
        };
        let chosen = RuleSettings { rules };
        let summary = by_rules(&settings, &chosen, environment, &mut console)?;
        return print(args.format, &summary, || summary.text());
    };
    if args.by_model.dry_run {
        let found = estimate(&settings, &model)?;
        return print(args.format, &found, || found.text());
    }
    stop::awaits_answers();
    stop::goes_on_as_typed();
    let summary = by_model(&settings, &model, environment, &mut console)?;
    print(args.format, &summary, || summary.text())
}

fn print(format: Format, value: &impl Serialize, text: impl Fn() -> String) -> Result<(), Failure> {
    let mut output = Output::open(None)?;
    match format {
        Format::Json => output.json_line(value)?,
        Format::Text => output.bytes(text().as_bytes())?,
    }
    output.finish()
}

impl Args {
    fn settings(&self) -> Result<NegativesSettings, Failure> {
        let sources = self.texts.iter();
        let sources = sources.map(|path| source(path, &self.pairs, &self.column));
        let fitness = &self.fitness;
        Ok(NegativesSettings {
            texts: sources.collect::<Result<_, _>>()?,
            most: self.max_sentences.map(|n| n as usize),
            output: self.output.clone().unwrap_or_default(),
            overwrite: self.overwrite,
            negatives: self.negatives,
            layout: if self.long {
                Layout::Long
            } else {
                Layout::Wide
            },
            seed: self.seed,
            filters: Filters {
                max_positive_overlap: fitness.max_positive_overlap,
                max_negative_overlap: fitness.max_negative_overlap,
                min_length: fitness.min_length,
                max_length: fitness.max_length,
                min_script: fitness.min_script,
                negative_below: fitness.negative_below,
                positive_above: fitness.positive_above,
            },
            teacher: fitness.teacher.clone(),
        })
    }

    /// How the model is asked, if one is.
    fn model_settings(&self) -> Result<Option<ModelSettings>, Failure> {
        let (by_model, requests) = (&self.by_model, &self.requests);
        let Some(endpoint) = &by_model.endpoint else {
            return Ok(None);
        };
        let address = ChatAddress::parse(endpoint).map_err(gradus::Error::from)?;
        let mut chat = ChatConfig::from_env(address, &by_model.key_env);
        chat.timeout = requests.timeout;
        chat.retries = requests.retries;
        chat.pause = requests.retry_wait;
        chat.requests_per_minute = requests.requests_per_minute;
        chat.seed = self.seed;
        Ok(Some(ModelSettings {
            chat,
            model: by_model.model.clone().unwrap_or_default(),
            prompts: match &by_model.prompts {
                Some(folder) => Prompts::of_folder(folder)?,
                None => Prompts::built_in()?,
            },
            temperature: by_model.temperature,
            max_tokens: by_model.max_tokens,
            extra: by_model.extra.clone().unwrap_or_default(),
            concurrency: requests.concurrency,
            limits: Limits {
                price_in: requests.price_in,
                price_out: requests.price_out,
                max_cost: requests.max_cost,
                max_tokens_total: requests.max_tokens_total,
            },
        }))
    }
}
