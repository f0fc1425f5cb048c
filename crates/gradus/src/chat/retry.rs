//! What is worth another try, and when.

use gradus_kernels::dropout::mix64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest pause of its own accord.
const LONGEST: Duration = Duration::from_secs(60);

/// The longest that a server's wish is followed.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// Whether the same request may succeed later.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(
        status,
        408 | 409 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=529
    )
}

/// How long to wait before a request is sent again for the `attempt`-th time, counted
/// from 1: the pause doubled each time, of which jitter takes up to a half. `key` says
/// which request it is, so that threads do not come back all at once.
pub(super) fn pause(first: Duration, attempt: u32, key: u64) -> Duration {
    let doubled = first.saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1)));
    let bits = mix64(key ^ mix64(u64::from(attempt))) >> 11;
    let share = 0.5 + 0.5 * (bits as f64 / (1u64 << 53) as f64);
    doubled.min(LONGEST).mul_f64(share)
}

/// How long a server wishes to be left alone: its `Retry-After` in seconds, or as a
/// date.
pub(super) fn wish(header: &str, now: SystemTime) -> Option<Duration> {
    let text = header.trim();
    let wish = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WISH)
        }
        Ok(_) => return None,
        Err(_) => {
            let now = now.duration_since(UNIX_EPOCH).ok()?;
            Duration::from_secs(seconds_of(text)?).saturating_sub(now)
        }
    };
    Some(wish.min(LONGEST_WISH))
}

/// The seconds since 1970 of a date as HTTP writes it (RFC 9110, 5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds_of(date: &str) -> Option<u64> {
    let rest = date.split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut parts = rest.split([' ', ':']);
    let mut number = || parts.next()?.parse::<i64>().ok();
    let day = number()?;
    let mut parts = rest.split([' ', ':']).skip(1);
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let name = parts.next()?;
    let month = months.iter().position(|m| *m == name)? as i64 + 1;
    let mut number = || parts.next()?.parse::<i64>().ok();
    let (year, hour, minute, second) = (number()?, number()?, number()?, number()?);
    let sound = (1970..10_000).contains(&year)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !sound {
        return None;
    }
    // Days since 1970, with years that begin in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    u64::try_from(((days * 24 + hour) * 60 + minute) * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        let second = Duration::from_secs(1);
        for attempt in 1..12 {
            let most = second * 2u32.pow(attempt - 1).min(60);
            let found = pause(second, attempt, 7);
            assert!(found >= most / 2 && found <= most, "{attempt}: {found:?}");
            assert_eq!(found, pause(second, attempt, 7));
        }
        assert_ne!(pause(second, 1, 1), pause(second, 1, 2));
        assert!(pause(second, 4000, 1) <= LONGEST);
    }

    #[test]
    fn wishes_are_seconds_or_dates() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (header, now, expected) in [
            ("3", 0, Some(3.0)),
            (" 0.5 ", 0, Some(0.5)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_770, Some(7.0)),
            ("Thu, 29 Feb 2024 00:00:10 GMT", 1_709_164_800, Some(10.0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_800, Some(0.0)),
            ("1e300", 0, Some(3600.0)),
            ("-1", 0, None),
            ("soon", 0, None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", 0, None),
        ] {
            let found = wish(header, at(now)).map(|wish| wish.as_secs_f64());
            assert_eq!(found, expected, "{header}");
        }
    }
}
