//! The `date` header's value (RFC 9110, section 5.6.7, IMF-fixdate).

/// Length of every IMF-fixdate, bytes.
pub const DATE_LEN_BYTES: usize = 29;

const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Writes the moment `unix_seconds` as `Sun, 06 Nov 1994 08:49:37 GMT`. Years have four digits;
/// later ones wrap.
pub fn http_date(unix_seconds: u64) -> [u8; DATE_LEN_BYTES] {
    let days = unix_seconds / 86_400;
    let second = unix_seconds % 86_400;
    let (year, month, day) = civil(days);
    let mut date = *b"---, -- --- ---- --:--:-- GMT";
    let mut put = |at: usize, text: &[u8]| {
        for (slot, byte) in date.iter_mut().skip(at).zip(text) {
            *slot = *byte;
        }
    };
    put(0, WEEKDAYS[(days % 7) as usize]);
    put(5, &two_digits(day));
    put(8, MONTHS[(month % 12) as usize]);
    put(12, &two_digits(year / 100 % 100));
    put(14, &two_digits(year % 100));
    put(17, &two_digits(second / 3600));
    put(20, &two_digits(second / 60 % 60));
    put(23, &two_digits(second % 60));
    date
}

fn two_digits(number: u64) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

/// Year, month (0 to 11) and day (1 to 31) of the day `days` after 1 January 1970.
///
/// The year is taken to begin on 1 March, so that a leap day is a year's last; then months of
/// 31 and 30 days follow each other in a cycle of 153 days for five months.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_FROM_0000_03_01: u64 = 719_468;
    let days = days.saturating_add(DAYS_FROM_0000_03_01);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::http_date;

    fn text(unix_seconds: u64) -> String {
        String::from_utf8_lossy(&http_date(unix_seconds)).into_owned()
    }

    #[test]
    fn known_moments() {
        assert_eq!(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(text(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(text(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(text(951_868_799), "Tue, 29 Feb 2000 23:59:59 GMT");
        assert_eq!(text(951_868_800), "Wed, 01 Mar 2000 00:00:00 GMT");
        assert_eq!(text(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 GMT");
        assert_eq!(text(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
    }

    #[test]
    fn no_moment_panics() {
        for moment in [u64::MAX, u64::MAX / 2, 253_402_300_800] {
            assert_eq!(text(moment).len(), 29);
        }
    }

    /// Against plain counting, day by day from 1970 to 2400.
    #[test]
    fn agrees_with_counting() {
        let mut day = 0_u64;
        for year in 1970_u64..2400 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let lengths = [
                31,
                if leap { 29 } else { 28 },
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ];
            for (month, length) in lengths.into_iter().enumerate() {
                for date in 1..=length {
                    assert_eq!(super::civil(day), (year, month as u64, date));
                    day += 1;
                }
            }
        }
    }
}
