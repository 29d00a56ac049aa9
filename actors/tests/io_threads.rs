//! The I/O threads: what runs on them, and what becomes of one that panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::sync::mpsc::channel;
use std::thread;

use smolcorn_actors::placement::threads::{IoThreads, ThreadPanicked};
use support::PATIENCE;

#[test]
fn jobs_run_on_named_threads_in_turn() {
    let threads = IoThreads::start(2).unwrap();
    assert_eq!(threads.count(), 2);
    let (sender, names) = channel();
    for index in 0..3 {
        let sender = sender.clone();
        let job = threads.spawn_on(
            index,
            Box::new(move |_| {
                let name = thread::current().name().map(str::to_owned);
                sender.send((index, name.unwrap())).unwrap();
            }),
        );
        assert!(job.is_ok());
    }
    let mut came: Vec<_> = (0..3)
        .map(|_| names.recv_timeout(PATIENCE).unwrap())
        .collect();
    came.sort();
    let expected = ["smolcorn-io-1", "smolcorn-io-2", "smolcorn-io-1"];
    for (number, name) in came {
        assert_eq!(name, expected[number]);
    }
    assert_eq!(threads.stop(), []);
}

#[test]
fn a_task_that_never_ends_ends_with_its_thread() {
    struct Guard(std::sync::mpsc::Sender<()>);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let threads = IoThreads::start(1).unwrap();
    let (sender, dropped) = channel();
    let (began_sender, began) = channel();
    let job = threads.spawn_on(
        0,
        Box::new(move |local| {
            let guard = Guard(sender);
            local.spawn(async move {
                let _guard = guard;
                began_sender.send(()).unwrap();
                std::future::pending::<()>().await;
            });
        }),
    );
    assert!(job.is_ok());
    began.recv_timeout(PATIENCE).unwrap();
    assert!(dropped.try_recv().is_err());
    assert_eq!(threads.stop(), []);
    assert!(dropped.try_recv().is_ok());
}

#[test]
fn a_thread_that_panics_is_reported_and_takes_no_more_jobs() {
    let threads = IoThreads::start(2).unwrap();
    assert!(threads.spawn_on(1, Box::new(|_| panic!("told to"))).is_ok());
    while threads.spawn_on(1, Box::new(|_| {})).is_ok() {
        thread::yield_now();
    }
    assert!(threads.spawn_on(0, Box::new(|_| {})).is_ok());
    let expected = ThreadPanicked {
        thread: "smolcorn-io-2".to_owned(),
        message: "told to".to_owned(),
    };
    assert_eq!(threads.stop(), [expected]);
}
