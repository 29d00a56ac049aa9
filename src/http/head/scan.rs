//! Finds the end of a head in an input that grows, looking at each byte once.
//!
//! What can be seen to be no HTTP is refused as soon as it is seen, and not when a limit or a
//! deadline is reached.

use crate::config::HttpLimits;
use crate::http::field::TOKEN_LOWER;
use crate::http::limits::LEADING_BLANK_LINES_MAX;
use crate::http::refusal::Refusal;

/// What a scan has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Nothing of a request yet.
    Idle,
    /// A beginning.
    Incomplete,
    /// So many bytes of empty lines in front, to be dropped.
    Blank(usize),
    /// A whole head: its length in bytes, with the empty line, and the number of its lines,
    /// without it.
    Complete {
        /// Bytes.
        len: usize,
        /// The request line and the header lines.
        lines: usize,
    },
}

/// How far the head at the front of the input has been looked at.
#[derive(Clone, Debug, Default)]
pub struct HeadScanner {
    /// Empty lines dropped so far.
    blank_lines: usize,
    /// Bytes before this one hold no line end that is not counted in `lines`.
    searched: usize,
    /// Where the current line begins.
    line_start: usize,
    /// Complete lines.
    lines: usize,
    /// Bytes before this one belong to the method, or are checked to be behind it.
    method_searched: usize,
    method_ended: bool,
}

impl HeadScanner {
    /// Looks at `input`, which begins with the head and, but for dropped empty lines, with all
    /// that was shown before.
    ///
    /// # Errors
    /// What cannot become a head within `limits`, with the status to answer.
    pub fn scan(&mut self, input: &[u8], limits: &HttpLimits) -> Result<Scan, Refusal> {
        if self.lines == 0
            && let Some(scan) = self.skip_blank_lines(input)?
        {
            return Ok(scan);
        }
        while let Some(offset) =
            memchr::memchr(b'\n', input.get(self.searched..).unwrap_or_default())
        {
            let line_end = self.searched + offset;
            if line_end == 0 || input.get(line_end - 1) != Some(&b'\r') {
                return Err(Refusal::Malformed);
            }
            let len = line_end + 1;
            let is_empty = line_end - 1 == self.line_start;
            self.searched = len;
            self.line_start = len;
            if len > limits.head_bytes_max {
                return Err(self.too_large());
            }
            if is_empty {
                return Ok(Scan::Complete {
                    len,
                    lines: self.lines,
                });
            }
            self.lines += 1;
            if self.lines > limits.header_count_max.saturating_add(1) {
                return Err(Refusal::HeadTooLarge);
            }
        }
        self.searched = input.len();
        self.check_method(input)?;
        if input.len() > limits.head_bytes_max {
            return Err(self.too_large());
        }
        Ok(Scan::Incomplete)
    }

    fn skip_blank_lines(&mut self, input: &[u8]) -> Result<Option<Scan>, Refusal> {
        let mut rest = input;
        while let Some(behind) = rest.strip_prefix(b"\r\n") {
            rest = behind;
            self.blank_lines += 1;
            if self.blank_lines > LEADING_BLANK_LINES_MAX {
                return Err(Refusal::Malformed);
            }
        }
        Ok(match input.len() - rest.len() {
            0 if matches!(rest, b"" | b"\r") => Some(Scan::Idle),
            0 => None,
            blank => Some(Scan::Blank(blank)),
        })
    }

    /// Refuses what does not begin with a token and a space.
    fn check_method(&mut self, input: &[u8]) -> Result<(), Refusal> {
        if self.method_ended {
            return Ok(());
        }
        for byte in input.get(self.method_searched..).unwrap_or_default() {
            if *byte == b' ' && self.method_searched > 0 {
                self.method_ended = true;
                return Ok(());
            }
            if TOKEN_LOWER[usize::from(*byte)] == 0 {
                return Err(Refusal::Malformed);
            }
            self.method_searched += 1;
        }
        Ok(())
    }

    fn too_large(&self) -> Refusal {
        if self.lines == 0 {
            Refusal::TargetTooLong
        } else {
            Refusal::HeadTooLarge
        }
    }
}
