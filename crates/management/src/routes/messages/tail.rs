//! `GET /api/queues/{vhost}/{queue}/tail` and `GET /api/exchanges/{vhost}/{exchange}/tail`: what happens, as server-sent
//! events, as it happens.

use super::payload::Encoding;
use super::{Refusal, check_queue_exists, properties};
use crate::api::{Api, VhostVisible};
use auth::{Permission, Resource};
use axum::extract::{Path, Query};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use broker::{Broker, KeyPattern, TapEvent, TapRequest, TapSink, Watch};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

/// Events that wait for a slow client; further ones are dropped.
const WAITING: usize = 256;
/// Events per second when the query does not say, and at most.
const RATE: u64 = 100;
const MOST_RATE: u64 = 1000;
/// Bytes of a body when the query does not say.
const BODY_BYTES: usize = 1024;
/// How often a client is told what it missed, and whether it and what it watches are still there is looked at.
const LOOK: Duration = Duration::from_secs(1);

type Names = Path<(String, String)>;
type Parameters = Query<HashMap<String, String>>;

pub(super) async fn queue(
    api: Api<VhostVisible>,
    Path((vhost, name)): Names,
    Query(query): Parameters,
) -> Result<Response, Refusal> {
    check_queue_exists(&api, &vhost, &name)?;
    api.check(Resource::queue(&vhost, &name), Permission::Read).await?;
    let (request, encoding) = request(&query)?;
    let broker = api.broker()?;
    let (sink, events) = sink();
    let watch = broker.watch_queue(&vhost, &name, request, sink)?;
    let may_watch = move || api.check_known(Resource::queue(&vhost, &name), Permission::Read).is_ok();
    Ok(stream(broker, watch, events, encoding, may_watch))
}

pub(super) async fn exchange(
    api: Api<VhostVisible>,
    Path((vhost, name)): Names,
    Query(query): Parameters,
) -> Result<Response, Refusal> {
    let name = if name == super::publish::DEFAULT { String::new() } else { name };
    let broker = api.broker()?;
    let found = broker.vhost(&vhost).ok_or_else(|| Refusal::not_found("vhost_not_found"))?;
    if found.exchange(&name).is_none() {
        return Err(Refusal::not_found("exchange_not_found"));
    }
    api.check(Resource::exchange(&vhost, &name), Permission::Read).await?;
    let (request, encoding) = request(&query)?;
    let (sink, events) = sink();
    let watch = broker.watch_exchange(&vhost, &name, request, sink)?;
    let may_watch = move || api.check_known(Resource::exchange(&vhost, &name), Permission::Read).is_ok();
    Ok(stream(broker, watch, events, encoding, may_watch))
}

fn request(query: &HashMap<String, String>) -> Result<(TapRequest, Encoding), Refusal> {
    let mut request = TapRequest { routing_key: None, every: 1, per_second: RATE, truncate: BODY_BYTES };
    let mut encoding = Encoding::default();
    for (name, value) in query {
        let number = || value.parse::<u64>().map_err(|_| Refusal::terms("not_integer", value.clone()));
        match &**name {
            "routing_key" => request.routing_key = Some(KeyPattern::new(value)),
            "sample" => request.every = number()?,
            "rate" => request.per_second = number()?.clamp(1, MOST_RATE),
            "truncate" => request.truncate = usize::try_from(number()?).unwrap_or(usize::MAX),
            "encoding" => encoding = Encoding::parse(&value.as_str().into())?,
            _ => return Err(Refusal::terms("unknown_parameter", name.clone())),
        }
    }
    Ok((request, encoding))
}

/// Where the broker leaves events without waiting, and where they come out.
fn sink() -> (TapSink, Receiver<TapEvent>) {
    let (sender, events) = channel(WAITING);
    (Box::new(move |event| sender.try_send(event).is_ok()), events)
}

fn stream(
    broker: Arc<Broker>,
    watch: Watch,
    events: Receiver<TapEvent>,
    encoding: Encoding,
    may_watch: impl Fn() -> bool + Send + 'static,
) -> Response {
    // What waits for the client is bounded on both sides of the task between.
    let (sender, receiver) = channel(1);
    tokio::spawn(pass_on(broker, watch, events, encoding, may_watch, sender));
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default()).into_response()
}

/// Passes events on until the client, its permission, what it watches, or the broker is gone.
async fn pass_on(
    broker: Arc<Broker>,
    watch: Watch,
    mut events: Receiver<TapEvent>,
    encoding: Encoding,
    may_watch: impl Fn() -> bool,
    client: Sender<Result<Event, Infallible>>,
) {
    // The client knows by this that everything from now on is told.
    let mut next = Some(Event::default().event("watching").data("{}"));
    let mut look = tokio::time::interval(LOOK);
    loop {
        if let Some(event) = next.take()
            && client.send(Ok(event)).await.is_err()
        {
            return;
        }
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => next = Some(show(&event, encoding)),
                None => return,
            },
            _ = look.tick() => {
                if !watch.is_there(&broker) || !may_watch() {
                    return;
                }
                let (skipped, dropped) = watch.tap.take_missed();
                if skipped + dropped > 0 {
                    let missed = json!({ "skipped": skipped, "dropped": dropped });
                    next = Some(Event::default().event("missed").data(missed.to_string()));
                }
            }
            () = client.closed() => return,
        }
    }
}

fn show(event: &TapEvent, encoding: Encoding) -> Event {
    let view = &event.message;
    let mut object = Map::new();
    object.insert("time".to_owned(), event.time_ms.into());
    if event.what != "publish" {
        object.insert("seq".to_owned(), view.seq.into());
    }
    // Of what is on disk only nothing but the position is known.
    if !view.header.is_empty() {
        object.insert("exchange".to_owned(), view.exchange.clone().into());
        object.insert("routing_key".to_owned(), view.routing_key.clone().into());
        object.insert("properties".to_owned(), properties::show(&view.header));
        object.insert("payload_bytes".to_owned(), view.body_bytes.into());
        encoding.put(&view.body, &mut object);
    }
    // A line break would end the data, and JSON has none.
    Event::default().event(event.what).data(Value::Object(object).to_string())
}
