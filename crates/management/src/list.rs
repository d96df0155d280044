//! Lists: sorted, filtered, cut to columns and to a page, or streamed whole.

use crate::error::ApiError;
use crate::fields::{Fields, Wanted};
use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

/// The query parameters that lists have in common, as they were given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Given {
    sort: Option<String>,
    sort_reverse: Option<String>,
    columns: Option<String>,
    disable_stats: Option<String>,
    enable_queue_totals: Option<String>,
}

/// What a list is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    pub(crate) columns: Wanted,
    /// Paths of fields to sort by, the first one first; rows come in the order of the default where they are equal.
    pub(crate) sort: Option<Vec<String>>,
    pub(crate) reverse: bool,
    /// Leave out what statistics say.
    pub(crate) disable_stats: bool,
    /// With `disable_stats`: the counts of messages all the same.
    pub(crate) enable_queue_totals: bool,
}

fn is_true(value: Option<&String>) -> bool {
    value.is_some_and(|value| value == "true")
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<ListQuery, ApiError> {
        let Query(given) = Query::<Given>::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::bad_request(format!("invalid query: {error}")))?;
        Ok(ListQuery {
            columns: Wanted::parse(given.columns.as_deref().unwrap_or_default()),
            sort: given.sort.filter(|sort| !sort.is_empty()).map(|sort| sort.split('.').map(str::to_owned).collect()),
            reverse: is_true(given.sort_reverse.as_ref()),
            disable_stats: is_true(given.disable_stats.as_ref()),
            enable_queue_totals: is_true(given.enable_queue_totals.as_ref()),
        })
    }
}

/// Answers with `rows`, of which `show` makes the JSON object; rows come in the default order.
pub(crate) fn reply<R>(
    query: &ListQuery,
    rows: &[R],
    show: impl Fn(&R, &mut Fields<'_>),
) -> Result<Response, ApiError> {
    let list: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut fields = Fields::new(&query.columns);
            show(row, &mut fields);
            fields.finish()
        })
        .collect();
    Ok(Json(list).into_response())
}

/// Answers with one object.
pub(crate) fn reply_one(query: &ListQuery, show: impl FnOnce(&mut Fields<'_>)) -> Response {
    let mut fields = Fields::new(&query.columns);
    show(&mut fields);
    Json(fields.finish()).into_response()
}
