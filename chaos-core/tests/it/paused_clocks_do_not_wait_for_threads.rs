//! What the guide says of a pool of connections under a paused clock holds: a pool that asks a thread under a timer, as
//! sqlx does before it hands a connection out, has to do so before the pause.

use std::{sync::mpsc, thread, time::Duration};

use chaos_core::{Fault, Injector, Latency, Rule, inject_async};
use tokio::{sync::oneshot, time::timeout};

/// A query to the thread of a connection, which says when it is done.
type Query = oneshot::Sender<()>;

/// A connection that lives on a thread, which tokio does not know.
struct Connection(mpsc::Sender<Query>);

impl Connection {
    /// Connects to a thread that answers each query after `work`.
    fn connect(work: impl Fn() + Send + 'static) -> Self {
        let (queries, asked) = mpsc::channel::<Query>();
        thread::spawn(move || {
            for query in asked {
                work();
                let _ = query.send(());
            }
        });
        Self(queries)
    }

    async fn query(&self) {
        let (done, is_done) = oneshot::channel();
        self.0.send(done).unwrap();
        is_done.await.unwrap();
    }
}

struct Pool {
    connection: Connection,
    /// sqlx's `test_before_acquire`, which is on by default.
    tests_before_acquire: bool,
}

impl Pool {
    /// Hands the connection out, or `None` after 30 seconds (sqlx's `PoolTimedOut`).
    async fn acquire(&self) -> Option<&Connection> {
        let connection = async {
            if self.tests_before_acquire {
                self.connection.query().await;
            }
            &self.connection
        };
        timeout(Duration::from_secs(30), connection).await.ok()
    }
}

/// "Connect first, then pause" was what the guide said: with sqlx, 32 of 50 queries were `PoolTimedOut`.
#[tokio::test]
async fn a_pool_that_pings_times_out_and_others_do_not() {
    let (answer, may_answer) = mpsc::channel::<()>();
    let slow = Connection::connect(move || may_answer.recv().unwrap());
    let mut pool = Pool {
        connection: slow,
        tests_before_acquire: true,
    };
    answer.send(()).unwrap();
    pool.acquire().await.expect("the clock is not paused");

    tokio::time::pause();
    assert!(pool.acquire().await.is_none(), "the clock has jumped");
    answer.send(()).unwrap();

    // Either of the two ways of the guide.
    pool.tests_before_acquire = false;
    let injector = Injector::new();
    let latency = Fault::latency(Latency::fixed(Duration::from_secs(3600)).unwrap());
    let slow = Rule::new("slow".parse().unwrap(), "db.read".parse().unwrap(), latency);
    let slow = injector.arm(slow);
    let held = pool.acquire().await.expect("nothing is waited for");
    for n in 1..=50 {
        inject_async!(injector: &injector, "db.read").await.unwrap();
        let connection = pool.acquire().await.expect("nothing is waited for");
        for connection in [connection, held] {
            answer.send(()).unwrap();
            connection.query().await;
        }
        slow.assert_injected(n);
    }
}
