//! `/api/leveret/audit`, the log of changes.

use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::list::ListQuery;
use axum::Json;
use serde_json::{Value, json};

/// Entries of a page where none is asked for.
const USUAL: usize = 100;

/// A page of the log, the newest entry first; `page` and `page_size` are those of lists.
pub(super) async fn list(api: Api<Administrator>, query: ListQuery) -> Result<Json<Value>, ApiError> {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (page, size) = query.page.map_or((1, USUAL), |page| (number(page.number), number(page.size)));
    let skip = (page - 1).saturating_mul(size);
    let shared = (*api).clone();
    let read = tokio::task::spawn_blocking(move || shared.audit().newest(skip, size)).await;
    let lines = read.map_err(|_| ApiError::unexpected_reply())?;
    let lines = lines.map_err(|error| ApiError::unavailable(format!("the audit log cannot be read: {error}")))?;
    Ok(Json(json!({
        "items": lines.entries,
        "page": page,
        "page_size": size,
        "more": lines.are_more,
        "dropped": api.audit().dropped(),
    })))
}
