//! Which known name a mistyped one may mean.
//!
//! The measure is that of Python's difflib (Ratcliff and Obershelp: twice the characters in
//! common blocks, over all characters), with its bounds, so that the suggestions are those that
//! users of uvicorn get.

const SUGGESTIONS_MAX: usize = 3;
const LIKENESS_MIN: f64 = 0.6;

/// The known names that `name` resembles most, at most three, in alphabetical order.
pub fn close_matches(name: &str, known: Vec<String>) -> Vec<String> {
    let mut scored: Vec<(f64, String)> = known
        .into_iter()
        .map(|candidate| (likeness(&candidate, name), candidate))
        .filter(|(score, _)| *score >= LIKENESS_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(&a.1)));
    scored.truncate(SUGGESTIONS_MAX);
    let mut names: Vec<String> = scored.into_iter().map(|(_, name)| name).collect();
    names.sort();
    names
}

/// From 0 (nothing in common) to 1 (the same).
fn likeness(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let total = a.len() + b.len();
    if total == 0 {
        return 1.0;
    }
    2.0 * common(&a, &b) as f64 / total as f64
}

/// Characters in the longest common block, and in those to its left and to its right.
fn common(a: &[char], b: &[char]) -> usize {
    let (start_a, start_b, len) = longest_common_block(a, b);
    if len == 0 {
        return 0;
    }
    let (left_a, rest_a) = a.split_at(start_a);
    let (left_b, rest_b) = b.split_at(start_b);
    common(left_a, left_b) + len + common(rest_a.split_at(len).1, rest_b.split_at(len).1)
}

/// Where it begins in either, and its length. Of several, the first in `a`, then in `b`.
fn longest_common_block(a: &[char], b: &[char]) -> (usize, usize, usize) {
    let mut best = (0, 0, 0);
    for start_a in 0..a.len() {
        for start_b in 0..b.len() {
            let block = a.iter().skip(start_a).zip(b.iter().skip(start_b));
            let len = block.take_while(|(x, y)| x == y).count();
            if len > best.2 {
                best = (start_a, start_b, len);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestions(name: &str, known: &[&str]) -> Vec<String> {
        close_matches(name, known.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn likeness_counts_common_blocks() {
        assert_eq!(likeness("--loop", "--nope"), 8.0 / 12.0);
        assert_eq!(likeness("abc", "abc"), 1.0);
        assert_eq!(likeness("abc", "xyz"), 0.0);
        assert_eq!(likeness("", ""), 1.0);
    }

    #[test]
    fn the_three_likest_come_in_alphabetical_order() {
        let known = [
            "--reload",
            "--port",
            "--reload-delay",
            "--reload-dir",
            "--reload-include",
        ];
        assert_eq!(
            suggestions("--no-reload", &known),
            ["--reload", "--reload-delay", "--reload-dir"]
        );
    }

    #[test]
    fn nothing_is_suggested_for_what_resembles_nothing() {
        assert!(suggestions("--zzzzqq", &["--port", "--loop"]).is_empty());
    }
}
