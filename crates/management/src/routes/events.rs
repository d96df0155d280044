//! `GET /api/leveret/events/stream`: what happens in the broker, an object of JSON a line, as RabbitMQ's
//! `rabbitmq-diagnostics consume_event_stream` prints it.

use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::json::field;
use auth::Pattern;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use broker::{Broker, Event, EventStream};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

/// Events that wait for a slow client; further ones are dropped and counted.
const WAITING: usize = 1024;
/// How often it is looked whether the broker is still there, and the client may still watch.
const LOOK: Duration = Duration::from_secs(1);
/// When a stream ends that nobody gave a duration: RabbitMQ's `infinity`.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Query: `pattern`, a regular expression that the name of an event has to match, and `duration` in seconds.
pub(super) async fn stream(
    api: Api<Administrator>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, ApiError> {
    let pattern = query.get("pattern").map(|pattern| Pattern::compile_search(pattern)).transpose();
    let pattern = pattern.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let duration = match query.get("duration").map(|seconds| seconds.parse::<u32>()) {
        None => FOREVER,
        Some(Ok(seconds)) => Duration::from_secs(u64::from(seconds)),
        Some(Err(_)) => return Err(ApiError::bad_request("duration is a number of seconds".to_owned())),
    };
    let broker = api.broker()?;
    let (sender, events) = channel(WAITING);
    let wants = move |event: &Event| pattern.as_ref().is_none_or(|pattern| pattern.is_match(event.name));
    let sink = move |event: &Event| !wants(event) || sender.try_send(event.clone()).is_ok();
    let watch = broker.watch_events(Box::new(sink))?;
    // What waits for the client is bounded on both sides of the task between.
    let (client, lines) = channel(1);
    tokio::spawn(pass_on(broker, watch, events, client, duration, move || api.still_has_right()));
    let body = Body::from_stream(ReceiverStream::new(lines));
    Ok(([(header::CONTENT_TYPE, "application/json-seq")], body).into_response())
}

/// Passes events on until the time is over, or the client, its right or the broker is gone.
async fn pass_on(
    broker: Arc<Broker>,
    watch: EventStream,
    mut events: Receiver<Event>,
    client: Sender<Result<Bytes, Infallible>>,
    duration: Duration,
    may_watch: impl Fn() -> bool,
) {
    // Events are told of as long as it is there.
    let _watch = watch;
    let end = Instant::now() + duration;
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return };
                if client.send(Ok(line(&event))).await.is_err() {
                    return;
                }
            }
            _ = look.tick() => {
                if broker.is_shutting_down() || !may_watch() {
                    return;
                }
            }
            () = tokio::time::sleep_until(end) => return,
            () = client.closed() => return,
        }
    }
}

/// The name first, then the fields.
fn line(event: &Event) -> Bytes {
    let mut object = Map::new();
    object.insert("event".to_owned(), event.name.into());
    for (name, value) in event.fields.iter() {
        object.insert(name.to_owned(), field(value));
    }
    format!("{}\n", Value::Object(object)).into()
}
