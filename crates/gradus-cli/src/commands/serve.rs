//! `gradus serve`: models behind HTTP.

use crate::args::one_of;
use crate::context::Context;
use crate::exit::Failure;
use crate::prompt_options::PromptOptions;
use crate::stop;
use gradus::util::Observer;
use gradus_server::{Address, IndexSettings, Limits, ModelSettings, Server, ServerSettings, Tls};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::level_filters::LevelFilter;

const EXAMPLES: &str = "\
One port speaks the protocols of text-embeddings-inference (/embed, /embed_all, \
/predict, /rerank, /similarity, /tokenize, /decode, /info), OpenAI \
(/v1/embeddings, /v1/models), Jina and Cohere (/v1/rerank, /v2/rerank), and \
/grade, which gives pairs grades with intervals; /search looks into --index. /docs describes all, / is a \
page to try the models on, /metrics is for Prometheus, and /health says when \
all models are loaded.

Requests name a model in the field `model`; those that do not go to the first \
that can do what they ask. A key is read from the variable GRADUS_API_KEYS \
(several are parted by commas), or from --api-keys, a file with one a line.

Ctrl-C or SIGTERM ends: requests under way are answered first.

Examples:
  gradus serve all-MiniLM-L6-v2
  gradus serve --model words=all-MiniLM-L6-v2 --model ranks=./cross-encoder --port 8080
  gradus serve ./model --host 0.0.0.0 --api-keys keys.txt
  gradus serve ./model --socket /run/gradus.sock
  gradus serve all-MiniLM-L6-v2 --index hotels=hotels.index
  curl http://127.0.0.1:3000/embed -d '{\"inputs\": \"A plane is taking off.\"}'";

const LEVELS: &[(&str, LevelFilter)] = &[
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("debug", LevelFilter::DEBUG),
];

/// What is served, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The models
    #[arg(value_name = "MODEL", required_unless_present = "named")]
    pub models: Vec<String>,
    /// Another model, called NAME by requests
    #[arg(long = "model", value_name = "NAME=MODEL")]
    pub named: Vec<String>,
    /// An index to search, called NAME by requests; by default as its folder. Its model
    /// must be among those that are served
    #[arg(long = "index", value_name = "[NAME=]INDEX")]
    pub indexes: Vec<String>,
    /// The address to listen on; 0.0.0.0 or :: for every network of the machine
    #[arg(long, default_value = "127.0.0.1", conflicts_with = "socket")]
    pub host: IpAddr,
    /// The port; 0 for any that is free
    #[arg(long, default_value_t = 3000, conflicts_with = "socket")]
    pub port: u16,
    /// Listen on a Unix socket in place of a port
    #[arg(long, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// Serve HTTPS with the certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Answer only requests with one of the keys in FILE, one a line
    #[arg(long, value_name = "FILE")]
    pub api_keys: Option<PathBuf>,
    /// Let pages of this origin send requests (may be repeated; * for all)
    #[arg(long, value_name = "ORIGIN")]
    pub cors: Vec<String>,
    /// Which prompt goes before texts of requests that name none.
    #[command(flatten)]
    pub prompt: PromptOptions,
    /// Texts beyond the model's length are errors, unless a request says
    /// "truncate": true; by default they are cut
    #[arg(long)]
    pub no_truncate: bool,
    /// Tokens of a batch; by default what suits the machine
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_tokens: Option<u32>,
    /// Tokens that may wait before requests are turned away with status 429
    #[arg(long, value_name = "N", default_value_t = 1_048_576)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub queue_tokens: u32,
    /// Memory for answers that were given before, in MB; 0 for none
    #[arg(long, value_name = "MB", default_value_t = 0)]
    pub cache: u32,
    /// Seconds that a request may take, such as 60 or 0.5
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = some_seconds)]
    pub timeout: Duration,
    /// Seconds that a client may take to send a request
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub receive_timeout: u32,
    /// Seconds for requests under way when the server is told to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub drain_timeout: u32,
    /// The most MB of a request
    #[arg(long, value_name = "MB", default_value_t = 32)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub body_limit: u32,
    /// The most bytes of one text
    #[arg(long, value_name = "BYTES", default_value_t = 1_048_576)]
    pub text_limit: u32,
    /// The most texts, pairs or documents of a request
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub item_limit: u32,
    /// The most connections at a time; further ones wait
    #[arg(long, value_name = "N", default_value_t = 4_096)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// What is written to standard error of what goes wrong while it serves: debug
    /// includes connections that clients broke
    #[arg(long, default_value = "warn", value_parser = one_of(LEVELS))]
    pub log: LevelFilter,
}

/// How often it is asked whether somebody wants an end.
const BEAT: Duration = Duration::from_millis(20);

/// A time that is more than nothing.
fn some_seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero() && time.as_secs() <= u32::MAX.into())
        .ok_or("not a number of seconds above 0, such as 60 or 0.5")
}

/// Runs the command.
pub fn run(args: Args, context: &Context) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(args.log)
        .with_target(false)
        .init();
    let mut console = context.console();
    let settings = settings(&args, context, &mut console)?;
    let names: Vec<String> = settings.models.iter().map(|m| m.name.clone()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("gradus-http")
        .build()
        .map_err(|e| Failure::Usage(format!("starting threads: {e}")))?;
    let environment = context.environment.clone();
    stop::drains();
    let left = runtime.block_on(async {
        let server = Server::bind(settings).await?;
        let at = server.name();
        console.note(&format!("serving {} at {at}", names.join(", ")));
        let stop = async {
            while !stop::is_wanted() {
                tokio::time::sleep(BEAT).await;
            }
        };
        server.run(environment, console, stop).await
    });
    match left? {
        0 => {}
        left => context
            .console()
            .note(&format!("{left} connections were cut off")),
    }
    // As service managers want it of a server that was told to stop.
    Ok(())
}

fn settings(
    args: &Args,
    context: &Context,
    console: &mut dyn Observer,
) -> Result<ServerSettings, Failure> {
    let prompt = args.prompt.choice();
    let unnamed = args
        .models
        .iter()
        .map(|model| (name_of(model), model.as_str()));
    let named = args.named.iter().map(|text| match text.split_once('=') {
        Some((name, model)) if !name.is_empty() && !model.is_empty() => {
            Ok((name.to_owned(), model))
        }
        _ => Err(Failure::Usage(format!(
            "--model {text}: expected NAME=MODEL, such as --model words=all-MiniLM-L6-v2"
        ))),
    });
    let mut models = vec![];
    for model in unnamed.map(Ok).chain(named) {
        let (name, model) = model?;
        models.push(ModelSettings {
            name,
            model: context.environment.find(model, console)?,
            prompt: prompt.clone(),
        });
    }
    let indexes = args.indexes.iter().map(|text| {
        let (name, folder) = match text.split_once('=') {
            Some((name, folder)) if !name.is_empty() => (name.to_owned(), folder),
            _ => (name_of(text), text.as_str()),
        };
        IndexSettings {
            name: name.strip_suffix(".index").unwrap_or(&name).to_owned(),
            folder: folder.into(),
        }
    });
    let tls = args.tls_cert.as_ref().zip(args.tls_key.as_ref());
    let megabytes = |n: u32| n as usize * 1_000_000;
    let seconds = |n: u32| Duration::from_secs(n.into());
    Ok(ServerSettings {
        models,
        indexes: indexes.collect(),
        threads: context.environment.threads,
        address: match &args.socket {
            Some(path) => Address::Unix(path.clone()),
            None => Address::Tcp(args.host.to_string(), args.port),
        },
        tls: tls.map(|(certificate, key)| Tls {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        keys: keys(args.api_keys.as_deref())?,
        origins: args.cors.clone(),
        batch_tokens: args.batch_tokens.map(|n| n as usize),
        cache: megabytes(args.cache),
        truncate: !args.no_truncate,
        limits: Limits {
            body: megabytes(args.body_limit),
            text: args.text_limit as usize,
            items: args.item_limit as usize,
            queued_tokens: args.queue_tokens as usize,
            connections: args.connections as usize,
            request_time: args.timeout,
            receive_time: seconds(args.receive_timeout),
            drain_time: seconds(args.drain_timeout),
        },
    })
}

/// What requests call a model: the last part of a folder's path, a name of the hub as it
/// is.
fn name_of(model: &str) -> String {
    let path = Path::new(model);
    let last = path.file_name().filter(|_| path.is_dir());
    last.map_or_else(
        || model.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

const KEYS: &str = "GRADUS_API_KEYS";

fn keys(file: Option<&Path>) -> Result<Vec<String>, Failure> {
    let (text, from) = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let from = format!("--api-keys {}", path.display());
            let text = text.map_err(|e| Failure::Usage(format!("{from}: {e}")))?;
            (text, from)
        }
        None => match std::env::var(KEYS) {
            Ok(text) => (text, KEYS.to_owned()),
            Err(_) => return Ok(vec![]),
        },
    };
    let keys = text.split(['\n', ',']).map(str::trim);
    let keys: Vec<String> = keys.filter(|k| !k.is_empty()).map(str::to_owned).collect();
    // A server that was to be locked must not stand open.
    match keys.is_empty() {
        true => Err(Failure::Usage(format!("{from} holds no key"))),
        false => Ok(keys),
    }
}
