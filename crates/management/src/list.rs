//! Lists as RabbitMQ's `rabbit_mgmt_util` makes them: sorted, filtered, cut to columns and to a page, or streamed whole.

mod key;
mod order;
mod pieces;
mod query;
#[cfg(test)]
mod tests;

pub(crate) use query::ListQuery;

use crate::error::ApiError;
use crate::fields::Fields;
use axum::Json;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use order::List;
use pieces::{PIECE, Whole};
use query::Page;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The fields that RabbitMQ sorts most lists by.
const DEFAULT_SORT: &[&str] = &["vhost", "name"];

/// Long lists that are sent at the same time, each of which holds its rows until the client has read them; further ones
/// wait.
static LONG_LISTS: Semaphore = Semaphore::const_new(32);

/// How long a request waits for others to have read theirs.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Answers with `rows`, of which `show` makes the JSON object, sorted by `vhost` and `name`.
///
/// Rows that come in this order cost less. Long lists are made on other threads, since sorting takes a while.
pub(crate) async fn reply<R, S>(query: &ListQuery, rows: Vec<R>, show: S) -> Result<Response, ApiError>
where
    R: Send + Sync + 'static,
    S: Fn(&R, &mut Fields<'_>) + Send + Sync + 'static,
{
    reply_sorted(query, rows, DEFAULT_SORT, show).await
}

/// The same for rows that come in that order, which is then not looked at: it costs as much as the rest with very many.
pub(crate) async fn reply_in_order<R, S>(query: &ListQuery, rows: Vec<R>, show: S) -> Result<Response, ApiError>
where
    R: Send + Sync + 'static,
    S: Fn(&R, &mut Fields<'_>) + Send + Sync + 'static,
{
    reply_sorted(query, rows, &[], show).await
}

/// The same, sorted by `defaults`; without any, the rows are in order as they come.
pub(crate) async fn reply_sorted<R, S>(
    query: &ListQuery,
    rows: Vec<R>,
    defaults: &'static [&'static str],
    show: S,
) -> Result<Response, ApiError>
where
    R: Send + Sync + 'static,
    S: Fn(&R, &mut Fields<'_>) + Send + Sync + 'static,
{
    let list = List { rows, show, defaults };
    let is_short = list.rows.len() <= PIECE;
    let query = query.clone();
    if let Some(page) = query.page.clone() {
        let make = move || paged(&list, &query, &page).map(IntoResponse::into_response);
        return if is_short { make() } else { on_other_thread(make).await? };
    }
    let make = move || Whole { order: list.order(&query), list, columns: query.columns };
    if is_short {
        return Ok(json_text(make().piece(0).into()));
    }
    let permit = tokio::time::timeout(LONGEST_WAIT, LONG_LISTS.acquire()).await;
    let permit = permit.map_err(|_| ApiError::unavailable("too many long lists are being read".to_owned()))?.ok();
    let whole = on_other_thread(make).await?;
    Ok(json_text(pieces::body(whole, permit)))
}

/// Answers with one object.
pub(crate) fn reply_one(query: &ListQuery, show: impl FnOnce(&mut Fields<'_>)) -> Response {
    let mut fields = Fields::new(&query.columns);
    show(&mut fields);
    Json(fields.finish()).into_response()
}

async fn on_other_thread<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(make).await.map_err(|_| ApiError::unexpected_reply())
}

fn json_text(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// One page, as RabbitMQ's `range_response` describes it.
fn paged<R, S: Fn(&R, &mut Fields<'_>)>(
    list: &List<R, S>,
    query: &ListQuery,
    page: &Page,
) -> Result<Json<Value>, ApiError> {
    let selection = list.select(query, page)?;
    let show = |place: &usize| {
        let mut fields = Fields::new(&query.columns);
        (list.show)(&list.rows[*place], &mut fields);
        fields.finish()
    };
    let items: Vec<Value> = selection.rows.iter().map(show).collect();
    Ok(Json(json!({
        "total_count": list.rows.len(),
        "item_count": items.len(),
        "filtered_count": selection.filtered,
        "page": page.number,
        "page_size": page.size,
        "page_count": (selection.filtered as u64).div_ceil(page.size),
        "items": items,
    })))
}
