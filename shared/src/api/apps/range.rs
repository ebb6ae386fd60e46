//! Some bytes of a file, as an application asks for them and as it is told how far they are.

use std::ops::Range;

use serde_json::{Value, json};

use super::messages::FilesCall;
use crate::error::{Code, Error, Result};
use crate::limits::FETCH_TOLD_STRETCHES;
use crate::net::files::Entry;

/// Larger numbers are not exact where they come from.
const MOST: f64 = 9_007_199_254_740_991.0;

/// The range that is asked for; nothing when it is all.
pub(super) fn read(call: &FilesCall) -> Result<Option<Range<u64>>> {
    let Some(end) = call.limit else {
        return Ok(None);
    };
    let start = call.place.unwrap_or_default();
    let number = |value: f64| (0.0..=MOST).contains(&value) && value.fract() == 0.0;
    if !number(start) || !number(end) || start > end {
        let what = format!("from {start} to {end} is no range of bytes");
        let remedy = "Pass whole numbers, the end not before the start.";
        return Err(Error::new(Code::InvalidArgument, what).with_remedy(remedy));
    }
    Ok(Some(start as u64..end as u64))
}

/// Whether nothing of it is missing.
pub(super) fn is_there(entry: &Entry, range: Option<&Range<u64>>) -> bool {
    let Some(range) = range else {
        return entry.is_whole();
    };
    let there = entry.there_of(range);
    there.is_ok_and(|(_, _, pieces)| pieces.is_full())
}

/// What is told of a file, with how far a range of it is.
pub(super) fn view(entry: &Entry, mut view: Value, range: Option<&Range<u64>>) -> Value {
    let there = range.and_then(|range| entry.there_of(range).ok());
    if let Some((range, bytes, pieces)) = there {
        view["range"] = json!({"start": range.start, "end": range.end, "bytes": bytes});
        if !pieces.is_full() {
            view["range"]["pieces"] = pieces.shares(FETCH_TOLD_STRETCHES).into();
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::super::messages::FilesAction;
    use super::*;

    fn call(place: Option<f64>, limit: Option<f64>) -> FilesCall {
        FilesCall {
            action: FilesAction::Fetch,
            id: String::new(),
            text: String::new(),
            call: 0.0,
            place,
            limit,
            value: None,
        }
    }

    #[test]
    fn a_range_is_two_whole_numbers_in_their_order() {
        for (place, limit, found) in [
            (None, None, None),
            (Some(5.0), None, None),
            (None, Some(7.0), Some(0..7)),
            (Some(5.0), Some(5.0), Some(5..5)),
        ] {
            assert_eq!(read(&call(place, limit)), Ok(found));
        }
        for (start, end) in [
            (2.0, 1.0),
            (-1.0, 1.0),
            (0.5, 1.0),
            (0.0, f64::INFINITY),
            (f64::NAN, 1.0),
        ] {
            let refused = read(&call(Some(start), Some(end))).expect_err("no range");
            assert_eq!(refused.code(), Code::InvalidArgument);
        }
    }
}
