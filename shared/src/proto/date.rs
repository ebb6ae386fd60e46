//! Days as people read them. Knows the calendar and UTC, nothing of time zones or languages.

use super::Millis;
use crate::limits::DAY;
#[cfg(feature = "server")]
use crate::limits::MINUTE;

/// The day of a time, such as `2027-03-01`.
pub fn day(time: Millis) -> String {
    // Counted from 0000-03-01, so that the leap day is the last of its year.
    let days = time / DAY + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// A time to the minute, such as `2027-03-01 17:05 UTC`.
#[cfg(feature = "server")]
pub fn moment(time: Millis) -> String {
    let minutes = time % DAY / MINUTE;
    format!("{} {:02}:{:02} UTC", day(time), minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01"),
            (951_782_399_999, "2000-02-28"),
            (951_782_400_000, "2000-02-29"),
            (951_868_800_000, "2000-03-01"),
            (1_735_689_599_999, "2024-12-31"),
            (1_795_219_200_000, "2026-11-21"),
            (4_107_542_400_000, "2100-03-01"),
        ];
        for (time, text) in cases {
            assert_eq!(day(time), text);
        }
    }

    #[test]
    #[cfg(feature = "server")]
    fn minutes_are_those_of_utc() {
        assert_eq!(moment(1_795_219_200_000), "2026-11-21 00:00 UTC");
        assert_eq!(moment(1_735_689_599_999), "2024-12-31 23:59 UTC");
    }
}
