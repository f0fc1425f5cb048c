//! A server: models loaded, a queue worked through, requests answered.

use crate::cache::AnswerCache;
use crate::engine::Engine;
use crate::http::{At, Keys, State};
use crate::indexes::{ServedIndex, comparer};
use crate::listen::{Address, Listener, TlsError, serve};
use crate::measures;
use crate::model::ServedModel;
use crate::routes::router;
use crate::settings::{IndexSettings, ServerSettings};
use crate::work::Workshop;
use gradus::jobs::Environment;
use gradus::util::Observer;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// Why a server does not start, or ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("{address}: {source}; choose another with --host and --port, or --socket")]
    Address {
        /// Which.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A model cannot be used.
    #[error("the model {name}: {source}")]
    Model {
        /// What it is called.
        name: String,
        /// Why.
        source: Box<gradus::Error>,
    },
    /// An index cannot be opened.
    #[error("the index {name}: {source}")]
    Index {
        /// What it is called.
        name: String,
        /// Why.
        source: Box<gradus_index::IndexError>,
    },
    /// An index is not of one of the models.
    #[error(
        "the index {index} holds vectors of {model} ({hash:.12}), which is not served; name that model too: gradus serve {model} --index {index}=..."
    )]
    IndexModel {
        /// What the index is called.
        index: String,
        /// What made it.
        model: String,
        /// The hash of that.
        hash: String,
    },
    /// Two models have one name, or there is none.
    #[error("{0}")]
    Names(String),
    /// The system gives no thread.
    #[error("starting a thread: {0}")]
    Thread(std::io::Error),
}

/// A server that listens. Its models are loaded while it runs; until then requests are
/// refused with status 503, and `/health` says so.
pub struct Server {
    settings: ServerSettings,
    listener: Listener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    state: Arc<State>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// Where the address or the certificate cannot be used, or models have one name.
    pub async fn bind(settings: ServerSettings) -> Result<Self, ServeError> {
        check_names(&settings)?;
        measures::begin();
        let tls = settings
            .tls
            .as_ref()
            .map(|tls| tls.acceptor())
            .transpose()?;
        let listener = Listener::bind(&settings.address).await;
        let listener = listener.map_err(|source| ServeError::Address {
            address: match &settings.address {
                Address::Tcp(host, port) => format!("{host}:{port}"),
                Address::Unix(path) => path.display().to_string(),
            },
            source,
        })?;
        let models = settings.models.iter().map(|model| At {
            name: model.name.clone(),
            model: Arc::default(),
        });
        let models: Vec<At> = models.collect();
        let open = |settings: &IndexSettings| {
            ServedIndex::open(settings)
                .map(Arc::new)
                .map_err(|source| ServeError::Index {
                    name: settings.name.clone(),
                    source: Box::new(source),
                })
        };
        let indexes = settings
            .indexes
            .iter()
            .map(open)
            .collect::<Result<_, _>>()?;
        let state = State {
            workshop: Workshop {
                engine: Engine::new(models.len(), settings.limits.queued_tokens),
                cache: AnswerCache::new(settings.cache),
                truncate: settings.truncate,
                limits: settings.limits.clone(),
            },
            models,
            indexes,
            comparer: comparer(settings.threads),
            stopping: AtomicBool::new(false),
        };
        Ok(Self {
            listener,
            tls,
            state: Arc::new(state),
            settings,
        })
    }

    /// Where clients find it.
    pub fn name(&self) -> String {
        self.listener.name(self.tls.is_some())
    }

    /// Loads the models, answers requests until `stop`, and then those that are under
    /// way. Returns how many connections did not end in the time that they had.
    ///
    /// # Errors
    /// Where a model cannot be loaded.
    pub async fn run(
        self,
        environment: Environment,
        observer: impl Observer + Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> Result<usize, ServeError> {
        let Self {
            settings,
            listener,
            tls,
            state,
        } = self;
        let failed = Arc::new((OnceLock::new(), Notify::new()));
        let places: Vec<_> = state
            .models
            .iter()
            .map(|at| Arc::clone(&at.model))
            .collect();
        let engine = Arc::clone(&state.workshop.engine);
        let (all, tokens) = (settings.models.clone(), settings.batch_tokens);
        let report = Arc::clone(&failed);
        let searched = Arc::clone(&state);
        let worker = std::thread::Builder::new().name("gradus-engine".into());
        let worker = worker.spawn(move || {
            let mut observer = observer;
            for (place, model) in places.iter().zip(&all) {
                match ServedModel::load(model, &environment, &mut observer) {
                    Ok(loaded) => drop(place.set(Arc::new(loaded))),
                    Err(source) => {
                        let name = model.name.clone();
                        let source = Box::new(source);
                        let _ = report.0.set(ServeError::Model { name, source });
                        report.1.notify_one();
                        return;
                    }
                }
            }
            let own = |index: &Arc<ServedIndex>| {
                let now = index.now();
                let made = &now.index().manifest().model;
                let mut loaded = places.iter().filter_map(|place| place.get());
                match loaded.any(|model| model.hash == made.hash) {
                    true => Ok(()),
                    false => Err(ServeError::IndexModel {
                        index: index.name.clone(),
                        model: made.name.clone(),
                        hash: made.hash.clone(),
                    }),
                }
            };
            if let Err(error) = searched.indexes.iter().try_for_each(own) {
                let _ = report.0.set(error);
                report.1.notify_one();
                return;
            }
            drop(searched);
            observer.note("ready");
            drop(observer);
            engine.work(&places, tokens);
        });
        let worker = worker.map_err(ServeError::Thread)?;
        let keys = Arc::new(Keys::new(&settings.keys));
        let router = router(Arc::clone(&state), keys, &settings.origins);
        let stopping = Arc::clone(&state);
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = failed.1.notified() => {}
            }
            stopping.stopping.store(true, Ordering::Relaxed);
        };
        let upkeep = tokio::spawn(async {
            loop {
                tokio::time::sleep(measures::UPKEEP).await;
                measures::upkeep();
            }
        });
        let left = serve(listener, tls, router, &settings.limits, stop).await;
        upkeep.abort();
        state.workshop.engine.close();
        // What it computes is for nobody where connections were left.
        if left == 0 {
            let _ = tokio::task::spawn_blocking(move || worker.join()).await;
        }
        drop(state);
        match Arc::try_unwrap(failed).ok().and_then(|f| f.0.into_inner()) {
            Some(error) => Err(error),
            None => Ok(left),
        }
    }
}

fn check_names(settings: &ServerSettings) -> Result<(), ServeError> {
    let names: Vec<&str> = settings.models.iter().map(|m| m.name.as_str()).collect();
    if names.is_empty() {
        return Err(ServeError::Names("there is no model to serve".into()));
    }
    let indexes: Vec<&str> = settings.indexes.iter().map(|i| i.name.as_str()).collect();
    for (place, name) in indexes.iter().enumerate() {
        if indexes[..place].contains(name) {
            let message = format!(
                "two indexes are called `{name}`; give one another name: --index other=FOLDER"
            );
            return Err(ServeError::Names(message));
        }
    }
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) {
            let message = format!(
                "two models are called `{name}`; give one another name: --model other={name}"
            );
            return Err(ServeError::Names(message));
        }
    }
    Ok(())
}
