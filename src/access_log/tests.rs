use super::*;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc;
use std::thread;

fn entry(client: &str) -> Entry<'_> {
    Entry {
        client,
        method: "GET",
        root_path: "",
        path: b"/",
        query: b"",
        version: "1.1",
        status: 200,
        phrase: "OK",
    }
}

fn line(client: &str) -> String {
    format!("INFO:     {client} - \"GET / HTTP/1.1\" 200 OK\n")
}

/// A log that writes into a pipe, and the pipe's other end.
fn piped() -> (AccessLog, io::PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    let log = AccessLog::new(File::from(OwnedFd::from(writer)), false);
    (log, reader)
}

/// Reads exactly as many bytes as `expected` has.
fn read_like(reader: &mut io::PipeReader, expected: &str) -> String {
    let mut read = vec![0; expected.len()];
    reader.read_exact(&mut read).unwrap();
    String::from_utf8(read).unwrap()
}

fn read_all(mut reader: io::PipeReader) -> String {
    let mut read = String::new();
    reader.read_to_string(&mut read).unwrap();
    read
}

/// Adds a line, and waits as long as it takes.
fn push(log: &mut AccessLog, client: &str) {
    let mut stuck = log.push(&entry(client));
    while let Some(left) = stuck {
        stuck = left.wait(FLUSH_INTERVAL).err();
    }
}

fn close(log: &mut AccessLog) {
    let mut closing = log.close();
    while let Some(left) = closing {
        closing = left.wait(FLUSH_INTERVAL).err();
    }
}

#[test]
fn a_lone_line_is_written_at_once() {
    let (mut log, mut reader) = piped();
    let now = Instant::now();
    push(&mut log, "a");
    assert_eq!(log.flush_due(now), None);
    assert_eq!(read_like(&mut reader, &line("a")), line("a"));
    let later = now + FLUSH_INTERVAL;
    push(&mut log, "b");
    assert_eq!(log.flush_due(later), None);
    assert_eq!(read_like(&mut reader, &line("b")), line("b"));
}

#[test]
fn lines_soon_after_a_flush_wait_together() {
    let (mut log, mut reader) = piped();
    let now = Instant::now();
    push(&mut log, "a");
    assert_eq!(log.flush_due(now), None);
    let soon = now + FLUSH_INTERVAL / 2;
    push(&mut log, "b");
    assert_eq!(log.flush_due(soon), Some(now + FLUSH_INTERVAL));
    push(&mut log, "c");
    assert_eq!(log.flush_due(soon), Some(now + FLUSH_INTERVAL));
    assert_eq!(log.batch.len(), line("b").len() + line("c").len());
    assert_eq!(log.flush_due(now + FLUSH_INTERVAL), None);
    assert!(log.batch.is_empty());
    let all = line("a") + &line("b") + &line("c");
    assert_eq!(read_like(&mut reader, &all), all);
}

#[test]
fn without_lines_nothing_is_due() {
    let (mut log, reader) = piped();
    assert_eq!(log.flush_due(Instant::now()), None);
    close(&mut log);
    assert!(matches!(log.writer, Writer::Idle));
    drop(log);
    assert_eq!(read_all(reader), "");
}

#[test]
fn close_writes_what_is_left_and_push_begins_anew() {
    let (mut log, reader) = piped();
    push(&mut log, "a");
    close(&mut log);
    push(&mut log, "b");
    drop(log);
    assert_eq!(read_all(reader), line("a") + &line("b"));
}

#[test]
fn full_batches_go_without_a_flush() {
    let (mut log, mut reader) = piped();
    let one = line("1.2.3.4:5");
    let count = BATCH_BYTES_MAX / one.len() + 1;
    for _ in 0..count {
        push(&mut log, "1.2.3.4:5");
    }
    assert!(log.batch.is_empty());
    let all = one.repeat(count);
    assert_eq!(read_like(&mut reader, &all), all);
}

#[test]
fn the_descriptor_is_duplicated() {
    let (reader, writer) = io::pipe().unwrap();
    let mut log = AccessLog::to_descriptor(writer.as_raw_fd(), false).unwrap();
    push(&mut log, "a");
    drop(log);
    (&writer).write_all(b"still open").unwrap();
    drop(writer);
    assert_eq!(read_all(reader), line("a") + "still open");
    assert!(AccessLog::to_descriptor(-1, false).is_err());
}

#[test]
fn files_are_written_too() {
    let path = std::env::temp_dir().join(format!("smolcorn-access-log-{}", std::process::id()));
    let mut log = AccessLog::new(File::create(&path).unwrap(), true);
    push(&mut log, "a");
    close(&mut log);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(
        text.starts_with("\x1b[32mINFO\x1b[0m:     a - "),
        "{text:?}"
    );
}

#[test]
fn a_pipe_that_does_not_block_loses_nothing() {
    let (reader, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut log = AccessLog::new(File::from(OwnedFd::from(writer)), false);
    let count = 3 * BATCH_BYTES_MAX / line("a").len();
    let read = thread::spawn(move || read_all(reader));
    for _ in 0..count {
        push(&mut log, "a");
    }
    drop(log);
    assert_eq!(read.join().unwrap(), line("a").repeat(count));
}

/// Half a batch.
fn big() -> String {
    "x".repeat(BATCH_BYTES_MAX / 2)
}

/// Pushes until nothing more can be handed over, with no reader; returns the number of lines.
fn fill(log: &mut AccessLog) -> usize {
    let mut now = Instant::now();
    // What waits, what the writer holds, and what a pipe of 64 KiB takes.
    for count in 1..=BATCHES_WAITING_MAX + 4 {
        push(log, &big());
        now += FLUSH_INTERVAL;
        if log.flush_due(now) == Some(now + FLUSH_INTERVAL) {
            assert_eq!(log.batch.len(), line(&big()).len());
            return count;
        }
    }
    panic!("the log takes any number of lines that nobody reads");
}

#[test]
fn a_timed_flush_never_waits_for_a_stuck_reader() {
    let (mut log, reader) = piped();
    let count = fill(&mut log);
    let read = thread::spawn(move || read_all(reader));
    drop(log);
    assert!(read.join().unwrap() == line(&big()).repeat(count));
}

#[test]
fn full_batches_wait_for_a_stuck_reader() {
    let (mut log, reader) = piped();
    let count = fill(&mut log);
    let more = 40;
    let (ready, started) = mpsc::channel();
    let caller = thread::spawn(move || {
        ready.send(()).unwrap();
        for _ in 0..more {
            push(&mut log, &big());
        }
    });
    started.recv().unwrap();
    assert!(read_all(reader) == line(&big()).repeat(count + more));
    caller.join().unwrap();
}

#[test]
fn who_waits_for_a_stuck_reader_can_look_around() {
    let (mut log, reader) = piped();
    let mut count = fill(&mut log);
    let stuck = loop {
        count += 1;
        if let Some(stuck) = log.push(&entry(&big())) {
            break stuck;
        }
    };
    let stuck = stuck.wait(Duration::ZERO).err().unwrap();
    let closing = log.close().unwrap();
    let closing = closing.wait(Duration::ZERO).err().unwrap();
    let read = thread::spawn(move || read_all(reader));
    assert!(stuck.wait(Duration::from_secs(60)).is_ok());
    assert!(closing.wait(Duration::from_secs(60)).is_ok());
    drop(log);
    assert!(read.join().unwrap() == line(&big()).repeat(count));
}

#[test]
fn a_reader_that_has_gone_is_no_trouble() {
    let (mut log, reader) = piped();
    drop(reader);
    for _ in 0..4 * BATCH_BYTES_MAX / line("a").len() {
        push(&mut log, "a");
    }
    close(&mut log);
    assert!(log.output.is_broken());
}
