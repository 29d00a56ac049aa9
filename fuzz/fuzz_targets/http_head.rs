//! A request's head: found and judged alike however it trickles in, and well-formed when taken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smolcorn::config::HttpLimits;
use smolcorn::http::head::{HeadScanner, Scan, parse};
use smolcorn::http::refusal::Refusal;

fuzz_target!(|input: &[u8]| {
    let limits = HttpLimits {
        head_bytes_max: 4096,
        header_count_max: 80,
        ..HttpLimits::default()
    };
    let whole = HeadScanner::default().scan(input, &limits);
    let trickled = trickle(input, &limits);
    match (whole, trickled) {
        (Ok(whole), Ok(trickled)) => assert_eq!(whole, trickled),
        // A later reason to refuse may be seen first when all is there at once.
        (Err(_), Err(_)) => {}
        // An early refusal is one of a head that cannot be parsed.
        (Ok(Scan::Complete { len, lines }), Err(_)) => {
            assert!(parse(&input[..len], lines, &limits).is_err());
        }
        (whole, trickled) => panic!("{whole:?}, but trickled: {trickled:?}"),
    }
    let Ok(Scan::Complete { len, lines }) = whole else {
        return;
    };
    let Ok(parsed) = parse(&input[..len], lines, &limits) else {
        return;
    };
    let head = parsed.head;
    assert!(!head.method().is_empty() && !head.path().is_empty());
    assert!(
        head.path()
            .iter()
            .chain(head.query())
            .all(u8::is_ascii_graphic)
    );
    assert!(head.headers().len() <= limits.header_count_max);
    for (name, value) in head.headers() {
        assert!(!name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic()));
        assert!(!name.iter().any(u8::is_ascii_uppercase));
        assert!(
            !value
                .iter()
                .any(|byte| matches!(byte, 0..=8 | 10..=31 | 127))
        );
        assert_eq!(value, value.trim_ascii());
    }
});

fn trickle(input: &[u8], limits: &HttpLimits) -> Result<Scan, Refusal> {
    let mut scanner = HeadScanner::default();
    let mut last = Scan::Idle;
    for end in 1..=input.len() {
        match scanner.scan(&input[..end], limits)? {
            // The whole scan drops all empty lines at once: leave them out on both sides.
            Scan::Blank(_) => return HeadScanner::default().scan(input, limits),
            Scan::Complete { len, lines } => return Ok(Scan::Complete { len, lines }),
            scan => last = scan,
        }
    }
    Ok(last)
}
