//! Dates in UTC, and when files are rotated by them.

use config::RotationDate;
use std::time::{SystemTime, UNIX_EPOCH};

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 86_400;
/// 1970-01-01 was a Thursday, the fourth day after Sunday.
const WEEKDAY_OF_EPOCH: i64 = 4;

/// A moment, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) microsecond: u32,
}

/// Seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn date(time: SystemTime) -> Date {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = seconds(time);
    let (year, month, day) = civil(seconds.div_euclid(DAY_S));
    let of_day = seconds.rem_euclid(DAY_S);
    Date {
        year,
        month,
        day,
        hour: of_day / HOUR_S,
        minute: of_day / MINUTE_S % 60,
        second: of_day % 60,
        microsecond: since.subsec_micros(),
    }
}

/// The last moment that is not after `now` and at which files are rotated, both in seconds since 1970.
pub(super) fn last_rotation(rotation: RotationDate, now: i64) -> i64 {
    let day = now.div_euclid(DAY_S);
    let last = |candidate: i64, period: i64| if candidate <= now { candidate } else { candidate - period };
    match rotation {
        RotationDate::Hourly { minute } => last(now.div_euclid(HOUR_S) * HOUR_S + i64::from(minute) * MINUTE_S, HOUR_S),
        RotationDate::Daily { hour } => last(day * DAY_S + i64::from(hour) * HOUR_S, DAY_S),
        RotationDate::Weekly { weekday, hour } => {
            let today = (day + WEEKDAY_OF_EPOCH).rem_euclid(7);
            let at = (day - today + i64::from(weekday)) * DAY_S + i64::from(hour) * HOUR_S;
            last(at, 7 * DAY_S)
        }
        RotationDate::Monthly { day: of_month, hour } => {
            let (_, _, today) = civil(day);
            let first = day - i64::from(today) + 1;
            let at = |first: i64| (first + i64::from(of_month) - 1) * DAY_S + i64::from(hour) * HOUR_S;
            if at(first) <= now {
                return at(first);
            }
            let (_, _, days_before) = civil(first - 1);
            at(first - i64::from(days_before))
        }
    }
}

/// Year, month and day, so many days after 1970-01-01: counted in years that begin in March, so that the leap day is the last.
fn civil(days: i64) -> (i64, u8, u8) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let since_year_0 = days + 719_468;
    let cycle = since_year_0.div_euclid(DAYS_OF_400_YEARS);
    let of_cycle = since_year_0.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_cycle = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_cycle + cycle * 400 + i64::from(month <= 2);
    (year, u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1))
}
