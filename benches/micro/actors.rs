//! Mailboxes and turns, without sockets.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use divan::{Bencher, black_box};
use smolcorn_actors::mailbox::{Mailbox, mailbox};
use smolcorn_actors::placement::fused::Fused;

const BATCHES: [u64; 3] = [1, 8, 64];

/// What does it cost to send so many messages and to drain them in one go?
#[divan::bench(args = BATCHES)]
fn send_and_drain(bencher: Bencher, batch: u64) {
    let (address, mailbox) = mailbox();
    mailbox.wake_with(Waker::noop());
    bencher.bench_local(|| {
        for message in 0..batch {
            address.send(black_box(message)).unwrap();
        }
        mailbox.drain().sum::<u64>()
    });
}

/// What does a look into an empty mailbox cost?
#[divan::bench]
fn drain_nothing(bencher: Bencher) {
    let (_address, mailbox) = mailbox::<u64>();
    bencher.bench_local(|| mailbox.drain().count());
}

/// What does a turn cost in which nothing has happened? It asks the system once.
#[divan::bench]
fn idle_turn(bencher: Bencher) {
    let fused = Fused::new().unwrap();
    bencher.bench_local(|| fused.poll_and_run().unwrap().more_work);
}

/// What does it cost to wake so many actors with a message each, and to run them in one turn?
#[divan::bench(args = BATCHES)]
fn turn_with_messages(bencher: Bencher, actors: u64) {
    let fused = Fused::new().unwrap();
    let addresses: Vec<_> = (0..actors)
        .map(|_| {
            let (address, mailbox) = mailbox();
            fused.local().spawn(read_forever(mailbox));
            address
        })
        .collect();
    fused.run_ready();
    bencher.bench_local(|| {
        for address in &addresses {
            address.send(black_box(1_u64)).unwrap();
        }
        fused.run_ready().more_work
    });
}

/// An actor that does nothing with what it is told.
async fn read_forever(mailbox: Mailbox<u64>) {
    poll_fn(|context: &mut Context<'_>| -> Poll<()> {
        mailbox.wake_with(context.waker());
        mailbox.drain().for_each(|message| {
            black_box(message);
        });
        Poll::Pending
    })
    .await;
}
