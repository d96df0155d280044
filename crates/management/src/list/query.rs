//! What a list is asked for.

use crate::error::ApiError;
use crate::fields::{Wanted, segments};
use crate::shared::Shared;
use crate::statistics::Sampling;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

/// RabbitMQ's size of a page where none is given, and its largest.
const DEFAULT_PAGE_SIZE: u64 = 100;
const MAX_PAGE_SIZE: u64 = 500;
/// Most samples that one counter is asked for (RabbitMQ's `MAX_RANGE`).
const MAX_SAMPLES: i64 = 500;
/// Longest regular expression of a name filter (RabbitMQ's `MAX_FILTER_LENGTH`).
const MAX_FILTER_LENGTH: usize = 1024;

/// The query parameters that lists and their members have in common.
///
/// RabbitMQ's parameter `pagination` says nothing that `page` does not, and nothing reads it, there or here.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    pub(crate) columns: Wanted,
    /// Path of the field to sort by before the default ones.
    pub(crate) sort: Option<Vec<String>>,
    pub(crate) reverse: bool,
    /// The page that is asked for; `None` for the whole list, which no name filters.
    pub(crate) page: Option<Page>,
    /// Leave out what statistics say.
    pub(crate) disable_stats: bool,
    /// With `disable_stats`: the counts of messages all the same.
    pub(crate) enable_queue_totals: bool,
    /// Samples of the past to show.
    pub(crate) sampling: Sampling,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) size: u64,
    /// What names must contain, whatever the case.
    pub(crate) name: Option<Filter>,
}

/// What names of rows have to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Contain this, in lower case.
    Text(String),
    /// Match this regular expression somewhere.
    Regex(String),
}

/// Names and values as they came. Where one came more than once the first counts, as in RabbitMQ.
struct Given(Vec<(String, String)>);

impl Given {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    fn is_true(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// A number, which Erlang's `list_to_integer` takes with a sign.
    fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.text(name).map(str::parse) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(ApiError::bad_request("Pagination parameters are invalid")),
        }
    }

    /// Age and increment of samples in seconds; anything but numbers asks for none, as in RabbitMQ.
    fn range(&self, prefix: &str) -> Result<Option<(u64, u64)>, ApiError> {
        let number = |suffix: &str| self.text(&format!("{prefix}{suffix}"))?.parse::<i64>().ok();
        let (Some(age), Some(increment)) = (number("_age"), number("_incr")) else { return Ok(None) };
        match (u64::try_from(age), u64::try_from(increment)) {
            (Ok(age_s), Ok(increment_s)) if age > 0 && increment > 0 && age / increment <= MAX_SAMPLES => {
                Ok(Some((age_s, increment_s)))
            }
            _ => Err(ApiError::bad_request(format!("Invalid range parameters: age {age}, incr {increment}"))),
        }
    }

    fn sampling(&self) -> Result<Sampling, ApiError> {
        Ok(Sampling {
            lengths: self.range("lengths")?,
            message_rates: self.range("msg_rates")?,
            data_rates: self.range("data_rates")?,
            node_stats: self.range("node_stats")?,
        })
    }

    /// The filter by name, which RabbitMQ looks at before it knows whether a page is asked for.
    fn filter(&self) -> Result<Option<Filter>, ApiError> {
        let Some(name) = self.text("name") else { return Ok(None) };
        if !self.is_true("use_regex") {
            return Ok((!name.is_empty()).then(|| Filter::Text(name.to_lowercase())));
        }
        if name.len() > MAX_FILTER_LENGTH {
            return Err(ApiError::invalid_pagination("name filter regex is too long".to_owned()));
        }
        Ok((!name.is_empty()).then(|| Filter::Regex(name.to_owned())))
    }

    fn page(&self) -> Result<Option<Page>, ApiError> {
        let (page, size) = (self.integer("page")?, self.integer("page_size")?);
        let name = self.filter()?;
        let Some(page) = page else { return Ok(None) };
        let invalid = || {
            let size = size.map_or("undefined".to_owned(), |size| size.to_string());
            let text = format!("Invalid pagination parameters: page number {page}, page size {size}");
            ApiError::invalid_pagination(text)
        };
        let number = u64::try_from(page).ok().filter(|number| *number > 0).ok_or_else(invalid)?;
        let size = match size {
            None => DEFAULT_PAGE_SIZE,
            Some(size) => {
                u64::try_from(size).ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size)).ok_or_else(invalid)?
            }
        };
        Ok(Some(Page { number, size, name }))
    }
}

impl ListQuery {
    /// The places of a page that is nothing but a part of `length` rows in their order.
    pub(crate) fn plain_range(&self, length: usize) -> Option<std::ops::Range<usize>> {
        let page = self.page.as_ref().filter(|page| page.name.is_none() && self.sort.is_none() && !self.reverse)?;
        let size = usize::try_from(page.size).ok()?;
        let start = usize::try_from(page.number - 1).ok()?.checked_mul(size).filter(|start| *start < length)?;
        Some(start..length.min(start.saturating_add(size)))
    }

    /// Reads a query as RabbitMQ's `rabbit_mgmt_util` does.
    pub(super) fn parse(pairs: Vec<(String, String)>) -> Result<ListQuery, ApiError> {
        let given = Given(pairs);
        let sort = given.text("sort").map(segments).filter(|path| !path.is_empty());
        Ok(ListQuery {
            columns: Wanted::parse(given.text("columns").unwrap_or_default()),
            sort,
            reverse: given.is_true("sort_reverse"),
            page: given.page()?,
            disable_stats: given.is_true("disable_stats"),
            enable_queue_totals: given.is_true("enable_queue_totals"),
            sampling: given.sampling()?,
        })
    }
}

impl FromRequestParts<Shared> for ListQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<ListQuery, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::bad_request(format!("invalid query: {error}")))?;
        let mut query = ListQuery::parse(pairs)?;
        query.disable_stats |= shared.http().disable_stats;
        query.enable_queue_totals |= shared.http().enable_queue_totals;
        Ok(query)
    }
}
