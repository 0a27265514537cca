//! tokio.rs: the workloads in Rust, on Tokio's current-thread runtime.
//! SPDX-License-Identifier: MIT
//!
//! Fastest sane settings: current_thread, release, fat LTO, one codegen unit,
//! abort on panic; only the drivers a workload needs (none for most: with the
//! I/O and time drivers on, a lone yield costs six times as much); the C
//! library's malloc (mimalloc took off less than a tenth). Await chains are
//! plain nested async fns, which rustc flattens into one state machine; skynet
//! alone needs a boxed future, as a recursive async fn does. A workload of one
//! task is the root future, which is faster here than a spawned one; the parent
//! of spawn is spawned, for the same reason.
//!
//! call: the poll of the called future is kept out of line, as each program
//! keeps its callee; inline-call: rustc may flatten it into its caller.
//! timers: virtual time by tokio::time::pause and advance, in steps of 1 ms;
//! one Sleep each, side by side in one Vec, polled once to arm it; cancel drops
//! it. pingpong: two mpsc channels of capacity 1, there and back, COUNT messages
//! in all. offload1: a blocking pool of one thread. offload: one of two, and
//! 1000 tasks that each await one spawn_blocking after the other.
//! wake-yield1, wake-yield1000: a future of our own, which wakes itself.
//!
//!     tokio WORKLOAD COUNT, or: tokio echo PORT
//!
//! The build line makes a small cargo project beside $OUT and builds it
//! offline from Debian's crates. Debian's rustc and cargo are called by
//! their paths: a newer one in PATH is not what is measured here.
/*
 *     build: d=$OUT.cargo && mkdir -p $d/src && cp bench/peers/tokio.rs $d/src/main.rs && printf '[package]\nname = "peer"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\ntokio = { version = "1", features = ["rt", "time", "sync", "net", "io-util", "test-util"] }\n[profile.release]\nlto = "fat"\ncodegen-units = 1\npanic = "abort"\n[workspace]\n' >$d/Cargo.toml && (cd $d && RUSTC=/usr/bin/rustc CARGO_HOME=$PWD/home /usr/bin/cargo build --release --offline --quiet --config 'source.crates-io.replace-with="debian"' --config 'source.debian.directory="/usr/share/cargo/registry"') && cp $d/target/release/peer $OUT
 *     packages: rustc cargo librust-tokio-dev
 *     version: echo "tokio $(dpkg-query -W -f '${Version}' librust-tokio-dev), $(/usr/bin/rustc --version)"
 */

#![recursion_limit = "256"] // 32 async fns, one inside the other

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{spawn_blocking, yield_now, JoinHandle};

// ---- measuring ----------------------------------------------------------------

#[repr(C)]
struct Timespec {
    sec: i64,
    nsec: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn cpu_ns() -> f64 {
    const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
    let mut time = Timespec { sec: 0, nsec: 0 };
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.sec as f64 * 1e9 + time.nsec as f64
}

struct Stopwatch {
    wall: Instant,
    cpu: f64,
}

impl Stopwatch {
    fn start() -> Self {
        Stopwatch { cpu: cpu_ns(), wall: Instant::now() }
    }
    fn wall_ns(&self) -> f64 {
        self.wall.elapsed().as_nanos() as f64
    }
    /// Its wall time; reads the CPU clock too, which is where instructions are cut.
    fn stop(&self) -> f64 {
        let wall = self.wall_ns();
        cpu_ns();
        wall
    }
    fn print(&self, count: usize) {
        let (wall, cpu) = (self.wall_ns(), cpu_ns() - self.cpu);
        println!("time {:.2} ns", wall / count as f64);
        println!("cpu {:.2} ns", cpu / count as f64);
    }
    fn print_ms(&self) {
        let (wall, cpu) = (self.wall_ns(), cpu_ns() - self.cpu);
        println!("time {:.2} ms", wall / 1e6);
        println!("cpu {:.2} ms", cpu / 1e6);
    }
}

fn check<T: PartialEq + std::fmt::Display>(what: &str, is: T, should: T) {
    if is != should {
        eprintln!("tokio: {}: {}, should be {}", what, is, should);
        std::process::exit(1);
    }
}

fn rss() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// A number the compiler knows nothing about.
fn opaque<T: Copy>(value: T) -> T {
    unsafe { std::ptr::read_volatile(&value) }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn runtime_and_pool(threads: usize) -> Runtime {
    Builder::new_current_thread().max_blocking_threads(threads).build().unwrap()
}

fn runtime_with_time() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn sum_to(count: usize) -> u64 {
    let count = count as u64;
    count * (count - 1) / 2
}

/// Runs work(count), after work(warm_up); it checks its own result.
async fn measure<F: Future<Output = ()>>(count: usize, warm_up: usize, work: impl Fn(usize) -> F) {
    work(warm_up).await;
    let watch = Stopwatch::start();
    work(count).await;
    watch.print(count);
}

// ---- yields and calls ---------------------------------------------------------

async fn yields(count: usize) -> usize {
    let mut done = 0;
    for _ in 0..count {
        yield_now().await;
        done += 1;
    }
    done
}

/// A yield that wakes itself, at once: yield_now waits for a turn of the drivers.
struct WakeSelf(bool);

impl Future for WakeSelf {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn wakes(count: usize) -> usize {
    let mut done = 0;
    for _ in 0..count {
        WakeSelf(false).await;
        done += 1;
    }
    done
}

const YIELDERS: usize = 1000;

async fn in_turn<F>(count: usize, task: impl Fn(usize) -> F)
where
    F: Future<Output = usize> + Send + 'static,
{
    let share = |i| count / YIELDERS + (i < count % YIELDERS) as usize;
    let handles: Vec<_> = (0..YIELDERS).map(|i| tokio::spawn(task(share(i)))).collect();
    let mut done = 0;
    for handle in handles {
        done += handle.await.unwrap();
    }
    check("yields", done, count);
}

macro_rules! level {
    ($outer:ident, $inner:ident) => {
        async fn $outer(count: usize) -> usize {
            $inner(count).await
        }
    };
}

level!(depth2, yields);
level!(depth3, depth2);
level!(depth4, depth3);
level!(depth5, depth4);
level!(depth6, depth5);
level!(depth7, depth6);
level!(depth8, depth7);
level!(depth9, depth8);
level!(depth10, depth9);
level!(depth11, depth10);
level!(depth12, depth11);
level!(depth13, depth12);
level!(depth14, depth13);
level!(depth15, depth14);
level!(depth16, depth15);
level!(depth17, depth16);
level!(depth18, depth17);
level!(depth19, depth18);
level!(depth20, depth19);
level!(depth21, depth20);
level!(depth22, depth21);
level!(depth23, depth22);
level!(depth24, depth23);
level!(depth25, depth24);
level!(depth26, depth25);
level!(depth27, depth26);
level!(depth28, depth27);
level!(depth29, depth28);
level!(depth30, depth29);
level!(depth31, depth30);
level!(depth32, depth31);

async fn depth<F: Future<Output = usize>>(chain: F, count: usize) {
    check("yields", chain.await, count);
}

async fn plus_one(x: u64) -> u64 {
    opaque(x) + 1
}

/// Keeps the poll of a future out of line.
struct Kept<F>(F);

impl<F: Future> Future for Kept<F> {
    type Output = F::Output;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        unsafe { self.map_unchecked_mut(|kept| &mut kept.0) }.poll(context)
    }
}

async fn call(count: usize) {
    let mut sum = 0;
    for i in 0..count {
        sum += Kept(plus_one(i as u64)).await;
    }
    check("sum", sum, sum_to(count) + count as u64);
}

async fn call_inline(count: usize) {
    let mut sum = 0;
    for i in 0..count {
        sum += plus_one(i as u64).await;
    }
    check("sum", sum, sum_to(count) + count as u64);
}

// ---- tasks ------------------------------------------------------------------------

async fn spawn(count: usize) {
    let mut sum = 0;
    for i in 0..count {
        sum += tokio::spawn(plus_one(i as u64)).await.unwrap();
    }
    check("sum", sum, sum_to(count) + count as u64);
}

static ASLEEP: AtomicUsize = AtomicUsize::new(0);

async fn sleep(count: usize) {
    let before = rss();
    let watch = Stopwatch::start();
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        handles.push(tokio::spawn(async {
            ASLEEP.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            1
        }));
    }
    while ASLEEP.load(Relaxed) < count {
        yield_now().await;
    }
    let memory = rss() - before;
    let mut done = 0;
    for handle in handles {
        done += handle.await.unwrap();
    }
    let (wall, cpu) = (watch.wall_ns(), cpu_ns() - watch.cpu);
    check("sleepers", done, count);
    check("slept for a second", wall >= 1e9, true);
    println!("memory {:.1} B", memory / count as f64);
    println!("beyond {:.1} ms", wall / 1e6 - 1000.0);
    println!("cpu {:.1} ms", cpu / 1e6);
}

const RANGE: u64 = 10000; // ms

static NOW: AtomicU64 = AtomicU64::new(0); // ms since the timers were armed
static FIRED: AtomicU64 = AtomicU64::new(0);
static FIRED_AT: AtomicU64 = AtomicU64::new(0); // the sum of the times

struct CountWakes;

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        FIRED.store(FIRED.load(Relaxed) + 1, Relaxed); // there is one thread
        FIRED_AT.store(FIRED_AT.load(Relaxed) + NOW.load(Relaxed), Relaxed);
    }
}

/// Returns the nanoseconds of arm, cancel and expire.
async fn timers_once(ms: &[u16]) -> [f64; 3] {
    let waker = Waker::from(Arc::new(CountWakes));
    let mut context = Context::from_waker(&waker);
    let start = tokio::time::Instant::now();
    let mut timers: Vec<Option<tokio::time::Sleep>> = Vec::with_capacity(ms.len());
    let mut over = 0; // a deadline of 0 ms is over at once, and wakes nobody

    FIRED.store(0, Relaxed);
    FIRED_AT.store(0, Relaxed);
    NOW.store(0, Relaxed);
    let watch = Stopwatch::start();
    for (i, &ms) in ms.iter().enumerate() {
        let deadline = start + Duration::from_millis(ms as u64);
        timers.push(Some(tokio::time::sleep_until(deadline)));
        // The Vec has room for all: nothing in it moves until it is dropped.
        let timer = unsafe { Pin::new_unchecked(&mut timers[i]) };
        let is_over = timer.as_pin_mut().unwrap().poll(&mut context).is_ready();
        over += (is_over && i % 2 == 1) as u64;
    }
    let arm = watch.stop();

    let watch = Stopwatch::start();
    for timer in timers.iter_mut().step_by(2) {
        unsafe { Pin::new_unchecked(timer) }.set(None);
    }
    let cancel = watch.stop();

    let watch = Stopwatch::start();
    for now in 1..=RANGE {
        NOW.store(now, Relaxed);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let expire = watch.stop();

    let due = ms.len() as u64 / 2;
    let due_at: u64 = ms.iter().skip(1).step_by(2).map(|&ms| ms as u64).sum();
    check("timers that fired", FIRED.load(Relaxed) + over, due);
    let fired_at = FIRED_AT.load(Relaxed); // Tokio rounds up to the next ms
    check("in time", (due_at..=due_at + due).contains(&fired_at), true);
    [arm, cancel, expire]
}

async fn timers(count: usize) {
    let mut x: u64 = 88172645463325252;
    let mut ms = Vec::with_capacity(count);
    for _ in 0..count {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        ms.push((x % RANGE) as u16);
    }
    tokio::time::pause();
    timers_once(&ms).await; // warms up
    let [arm, cancel, expire] = timers_once(&ms).await;
    println!("arm {:.2} ns", arm / count as f64);
    println!("cancel {:.2} ns", cancel / ((count + 1) / 2) as f64);
    println!("expire {:.2} ns", expire / (count / 2) as f64);
}

async fn gather(count: usize) {
    let mut handles = Vec::with_capacity(count);
    for i in 0..count {
        handles.push(tokio::spawn(async move {
            yield_now().await;
            i as u64
        }));
    }
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.unwrap();
    }
    check("sum", sum, sum_to(count));
}

type Boxed = Pin<Box<dyn Future<Output = u64> + Send>>;

fn skynet_node(number: u64, size: u64) -> Boxed {
    Box::pin(async move {
        let step = size / 10;
        let children: [JoinHandle<u64>; 10] = std::array::from_fn(|i| {
            let first = number + i as u64 * step;
            if step == 1 {
                tokio::spawn(async move { first })
            } else {
                tokio::spawn(skynet_node(first, step))
            }
        });
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

async fn skynet_once(count: usize) {
    let sum = tokio::spawn(skynet_node(0, count as u64)).await.unwrap();
    check("sum", sum, sum_to(count));
}

async fn skynet(count: usize) {
    let mut power = 1;
    while power < count {
        power *= 10;
    }
    check("COUNT, a power of ten from 10 on", count, power.max(10));
    skynet_once(count).await; // warms up
    let watch = Stopwatch::start();
    skynet_once(count).await;
    watch.print_ms();
}

// ---- blocking calls -------------------------------------------------------------------

async fn offload1(count: usize) {
    let mut done = 0;
    for _ in 0..count {
        done += spawn_blocking(|| 1).await.unwrap();
    }
    check("jobs", done, count);
}

async fn offload(count: usize) {
    let tasks = count.min(1000);
    let left = Rc::new(Cell::new(count));
    let local = tokio::task::LocalSet::new();
    let mut done = 0;
    local
        .run_until(async {
            let mut handles = Vec::with_capacity(tasks);
            for _ in 0..tasks {
                let left = left.clone();
                handles.push(tokio::task::spawn_local(async move {
                    let mut done = 0;
                    while left.get() > 0 {
                        left.set(left.get() - 1);
                        done += spawn_blocking(|| 1).await.unwrap();
                    }
                    done
                }));
            }
            for handle in handles {
                done += handle.await.unwrap();
            }
        })
        .await;
    check("jobs", done, count);
}

fn pi_part(part: u64) -> u64 {
    let mut x = part + 1;
    let mut inside = 0;
    for _ in 0..10_000_000 {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        let bits = x.wrapping_mul(2685821657736338717);
        let (a, b) = (bits >> 33, bits & 0x7FFFFFFF);
        inside += (a * a + b * b < 1 << 62) as u64;
    }
    inside
}

async fn pi(parts: usize) {
    for _ in 0..10 {
        spawn_blocking(|| ()).await.unwrap();
    }
    let watch = Stopwatch::start();
    let sequence: u64 = (0..parts as u64).map(|part| opaque(pi_part(part))).sum();
    let alone = watch.wall_ns();

    let watch = Stopwatch::start();
    let handles: Vec<_> =
        (0..parts as u64).map(|part| spawn_blocking(move || pi_part(part))).collect();
    let mut inside = 0;
    for handle in handles {
        inside += handle.await.unwrap();
    }
    let workers = watch.wall_ns();

    check("points inside", inside, sequence);
    let pi = inside as f64 * 4.0 / (parts as f64 * 1e7);
    check("pi is near", (pi - std::f64::consts::PI).abs() < 0.01, true);
    println!("speedup {:.3} x", alone / workers);
}

// ---- queues -----------------------------------------------------------------------------

async fn pingpong(count: usize) {
    let (to_b, mut at_b) = mpsc::channel::<u64>(1);
    let (to_a, mut at_a) = mpsc::channel::<u64>(1);
    let rounds = count / 2;
    let echo = tokio::spawn(async move {
        while let Some(value) = at_b.recv().await {
            to_a.send(value + 1).await.unwrap();
        }
    });
    let ping = tokio::spawn(async move {
        let mut value = 0;
        for _ in 0..rounds {
            to_b.send(value + 1).await.unwrap();
            value = at_a.recv().await.unwrap();
        }
        value
    });
    let value = ping.await.unwrap();
    echo.await.unwrap();
    check("value", value, 2 * rounds as u64);
}

async fn stream(count: usize) {
    let (sender, mut receiver) = mpsc::channel::<u64>(64);
    let produce = tokio::spawn(async move {
        for i in 0..count as u64 {
            sender.send(i).await.unwrap();
        }
    });
    let consume = tokio::spawn(async move {
        let mut sum = 0;
        while let Some(i) = receiver.recv().await {
            sum += i;
        }
        sum
    });
    produce.await.unwrap();
    check("sum", consume.await.unwrap(), sum_to(count));
}

// ---- echo ---------------------------------------------------------------------------------

async fn echo(port: u16) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (mut socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut buffer = [0u8; 4096];
            while let Ok(n @ 1..) = socket.read(&mut buffer).await {
                if socket.write_all(&buffer[..n]).await.is_err() {
                    break;
                }
            }
        });
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count = match arguments.get(2).map(|text| text.parse::<usize>()) {
        Some(Ok(count)) if count > 0 && arguments.len() == 3 => count,
        _ => {
            eprintln!("usage: tokio WORKLOAD COUNT, or: tokio echo PORT");
            std::process::exit(2);
        }
    };
    let tenth = count / 10 + 1;
    match arguments[1].as_str() {
        "yield1" => runtime().block_on(measure(count, tenth, |n| depth(yields(n), n))),
        "yield1000" => runtime().block_on(measure(count, tenth, |n| in_turn(n, yields))),
        "wake-yield1" => runtime().block_on(measure(count, tenth, |n| depth(wakes(n), n))),
        "wake-yield1000" => runtime().block_on(measure(count, tenth, |n| in_turn(n, wakes))),
        "depth1" => runtime().block_on(measure(count, tenth, |n| depth(yields(n), n))),
        "depth8" => runtime().block_on(measure(count, tenth, |n| depth(depth8(n), n))),
        "depth32" => runtime().block_on(measure(count, tenth, |n| depth(depth32(n), n))),
        "call" => runtime().block_on(measure(count, tenth, call)),
        "inline-call" => runtime().block_on(measure(count, tenth, call_inline)),
        "spawn" => runtime()
            .block_on(async move { tokio::spawn(measure(count, tenth, spawn)).await.unwrap() }),
        "sleep" => runtime_with_time().block_on(sleep(count)),
        "timers" => runtime_with_time().block_on(timers(count)),
        "gather" => runtime().block_on(measure(count, count, gather)),
        "offload1" => runtime_and_pool(1).block_on(measure(count, tenth, offload1)),
        "offload" => runtime_and_pool(2).block_on(measure(count, tenth, offload)),
        "pi" => runtime_and_pool(2).block_on(pi(count)),
        "pingpong" => runtime().block_on(measure(count, tenth, pingpong)),
        "stream" => runtime().block_on(measure(count, tenth, stream)),
        "skynet" => runtime().block_on(skynet(count)),
        "echo" => {
            let runtime = Builder::new_current_thread().enable_io().build().unwrap();
            if let Err(error) = runtime.block_on(echo(count as u16)) {
                eprintln!("tokio: echo: {}", error);
                std::process::exit(1);
            }
        }
        other => {
            eprintln!("tokio: no workload {}", other);
            std::process::exit(2);
        }
    }
}
