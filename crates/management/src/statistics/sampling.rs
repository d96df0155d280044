//! Which samples a request asks for.

use crate::error::ApiError;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;

/// Most samples of a field that one request gets.
const MOST_SAMPLES: u64 = 500;

/// Samples that a request asks for: `lengths_age=60&lengths_incr=5` and the like, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sampling {
    pub(crate) lengths: Option<(u64, u64)>,
    pub(crate) message_rates: Option<(u64, u64)>,
    pub(crate) data_rates: Option<(u64, u64)>,
    pub(crate) node_stats: Option<(u64, u64)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Given {
    lengths_age: Option<String>,
    lengths_incr: Option<String>,
    msg_rates_age: Option<String>,
    msg_rates_incr: Option<String>,
    data_rates_age: Option<String>,
    data_rates_incr: Option<String>,
    node_stats_age: Option<String>,
    node_stats_incr: Option<String>,
}

impl Sampling {
    fn parse(given: &Given) -> Result<Sampling, ApiError> {
        Ok(Sampling {
            lengths: range(&given.lengths_age, &given.lengths_incr)?,
            message_rates: range(&given.msg_rates_age, &given.msg_rates_incr)?,
            data_rates: range(&given.data_rates_age, &given.data_rates_incr)?,
            node_stats: range(&given.node_stats_age, &given.node_stats_incr)?,
        })
    }
}

/// Both of them make a range; what is not an integer is as if it was not given, as in RabbitMQ.
fn range(age: &Option<String>, increment: &Option<String>) -> Result<Option<(u64, u64)>, ApiError> {
    let integer = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok());
    let (Some(age), Some(increment)) = (integer(age), integer(increment)) else { return Ok(None) };
    match (u64::try_from(age), u64::try_from(increment)) {
        (Ok(seconds), Ok(every)) if seconds > 0 && every > 0 && seconds / every <= MOST_SAMPLES => {
            Ok(Some((seconds, every)))
        }
        _ => Err(ApiError::bad_request(format!("Invalid range parameters: age {age}, incr {increment}"))),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sampling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Sampling, ApiError> {
        let Query(given) = Query::<Given>::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::bad_request(format!("invalid query: {error}")))?;
        Sampling::parse(&given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Result<Sampling, ApiError> {
        let uri = format!("http://localhost/?{query}").parse().unwrap();
        let Query(given) = Query::<Given>::try_from_uri(&uri).unwrap();
        Sampling::parse(&given)
    }

    #[test]
    fn a_range_is_an_age_and_an_increment() {
        let sampling = parsed("lengths_age=60&lengths_incr=5&msg_rates_age=3600&msg_rates_incr=x").unwrap();
        assert_eq!(sampling, Sampling { lengths: Some((60, 5)), ..Sampling::default() });
    }

    #[test]
    fn ranges_of_too_many_samples_or_none_are_refused() {
        for refused in ["data_rates_age=0&data_rates_incr=5", "data_rates_age=60&data_rates_incr=-1"] {
            assert!(parsed(refused).is_err(), "{refused}");
        }
        assert!(parsed("node_stats_age=2505&node_stats_incr=5").is_err());
        assert!(parsed("node_stats_age=2504&node_stats_incr=5").is_ok());
    }
}
