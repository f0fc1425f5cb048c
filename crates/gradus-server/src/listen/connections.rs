//! Connections: accepted up to a bound, and at the end let finish.

use super::address::Listener;
use crate::measures;
use crate::settings::Limits;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// After an error such as too many open files, accepting is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers what comes until `stop`, then closes idle connections and lets those under way
/// finish; returns how many did not in the time that they had.
pub(crate) async fn serve(
    listener: Listener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> usize {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let open = Arc::new(AtomicUsize::new(0));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let watcher = graceful.watcher();
        let (tls, router, limits) = (tls.clone(), router.clone(), limits.clone());
        let open = Arc::clone(&open);
        tokio::spawn(async move {
            measures::connections(open.fetch_add(1, Ordering::Relaxed) + 1);
            match tls {
                None => connection(stream, router, &limits, watcher).await,
                Some(tls) => {
                    let greeted = tokio::time::timeout(limits.receive_time, tls.accept(stream));
                    match greeted.await {
                        Ok(Ok(stream)) => connection(stream, router, &limits, watcher).await,
                        Ok(Err(error)) => tracing::debug!(%error, "greeting a client"),
                        Err(_) => tracing::debug!("a client greets too slowly"),
                    }
                }
            }
            measures::connections(open.fetch_sub(1, Ordering::Relaxed) - 1);
            drop(place);
        });
    }
    drop(listener);
    let drained = tokio::time::timeout(limits.drain_time, graceful.shutdown()).await;
    match drained {
        Ok(()) => 0,
        Err(_) => open.load(Ordering::Relaxed),
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    limits: &Limits,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.receive_time)
        .half_close(false);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(%error, "a connection");
    }
}
