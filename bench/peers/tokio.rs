//! tokio.rs: the workloads in Rust, on Tokio's current-thread runtime.
//! SPDX-License-Identifier: MIT
//!
//! Fastest sane settings: current_thread, release, fat LTO, one codegen unit,
//! abort on panic; only the drivers a workload needs (none for most: with the
//! I/O and time drivers on, a lone yield costs six times as much);
//! spawn_blocking on at most two threads. Await chains are plain nested async
//! fns, which rustc flattens into one state machine; skynet alone needs a
//! boxed future, as a recursive async fn does. A workload of one task is the
//! root future, which is faster here than a spawned one; the parent of spawn is
//! spawned, for the same reason.
//!
//! sleep: the second counts from the first poll of the first task; all tasks
//! are spawned before that. timers: virtual time by tokio::time::pause and
//! advance, in steps of 1 ms; one Sleep each, side by side in one Vec, polled
//! once to arm it; cancel drops it. pingpong: two mpsc channels of capacity 1,
//! there and back, COUNT messages in all. offload: 1000 tasks that each await
//! one spawn_blocking after the other.
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
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
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
    Builder::new_current_thread().max_blocking_threads(2).build().unwrap()
}

fn runtime_with_time() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn sum_to(count: usize) -> u64 {
    let count = count as u64;
    count * (count - 1) / 2
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

async fn yield1(count: usize) {
    yields(1000).await;
    depth(yields(count), count).await;
}

async fn yield_tasks(tasks: usize, count: usize) {
    let each = count / tasks;
    tokio::spawn(yields(1000)).await.unwrap();
    let watch = Stopwatch::start();
    let handles: Vec<_> = (0..tasks).map(|_| tokio::spawn(yields(each))).collect();
    let mut done = 0;
    for handle in handles {
        done += handle.await.unwrap();
    }
    check("yields", done, each * tasks);
    watch.print(done);
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
    let watch = Stopwatch::start();
    let done = chain.await;
    check("yields", done, count);
    watch.print(count);
}

async fn plus_one(x: u64) -> u64 {
    opaque(x) + 1
}

async fn call(count: usize) {
    let watch = Stopwatch::start();
    let sum = tokio::spawn(async move {
        let mut sum = 0;
        for i in 0..count {
            sum += plus_one(i as u64).await;
        }
        sum
    });
    check("sum", sum.await.unwrap(), sum_to(count) + count as u64);
    watch.print(count);
}

// ---- tasks ------------------------------------------------------------------------

async fn spawn(count: usize) {
    let watch = Stopwatch::start();
    let mut sum = 0;
    for i in 0..count {
        sum += tokio::spawn(async move { i as u64 }).await.unwrap();
    }
    check("sum", sum, sum_to(count));
    watch.print(count);
}

async fn sleep(count: usize) {
    struct Seen {
        armed: AtomicUsize,
        first: Mutex<Option<Instant>>,
    }
    let seen = Arc::new(Seen { armed: AtomicUsize::new(0), first: Mutex::new(None) });
    let before = rss();
    let watch = Stopwatch::start();
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        let seen = seen.clone();
        handles.push(tokio::spawn(async move {
            if seen.armed.fetch_add(1, Relaxed) == 0 {
                *seen.first.lock().unwrap() = Some(Instant::now());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            1
        }));
    }
    while seen.armed.load(Relaxed) < count {
        yield_now().await;
    }
    let memory = rss() - before;
    let mut done = 0;
    for handle in handles {
        done += handle.await.unwrap();
    }
    check("sleepers", done, count);
    let first = seen.first.lock().unwrap().unwrap();
    let beyond = first.elapsed().as_nanos() as f64 / 1e6 - 1000.0;
    println!("memory {:.1} B", memory / count as f64);
    println!("beyond {:.1} ms", beyond);
    println!("cpu {:.1} ms", (cpu_ns() - watch.cpu) / 1e6);
}

struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

async fn timers(count: usize) {
    tokio::time::pause();
    let wakes = Arc::new(CountWakes(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    let mut context = Context::from_waker(&waker);
    let start = tokio::time::Instant::now();
    let mut timers: Vec<Option<tokio::time::Sleep>> = Vec::with_capacity(count);
    let mut x: u64 = 88172645463325252;

    let watch = Stopwatch::start();
    for i in 0..count {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        let deadline = start + Duration::from_millis(x % 10000);
        timers.push(Some(tokio::time::sleep_until(deadline)));
        // The Vec has room for all: nothing in it moves until it is dropped.
        let timer = unsafe { Pin::new_unchecked(&mut timers[i]) };
        let _ = timer.as_pin_mut().unwrap().poll(&mut context);
    }
    let arm = watch.wall_ns();

    let watch = Stopwatch::start();
    for timer in timers.iter_mut().skip(1).step_by(2) {
        unsafe { Pin::new_unchecked(timer) }.set(None);
    }
    let cancel = watch.wall_ns();

    let watch = Stopwatch::start();
    for _ in 0..=10000 {
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let expire = watch.wall_ns();

    let mut over = 0;
    for timer in timers.iter().flatten() {
        over += timer.is_elapsed() as usize;
    }
    let due = (count + 1) / 2;
    check("timers over", over, due);
    // a deadline of 0 ms is over when it is polled first, and wakes nobody
    let woken = wakes.0.load(Relaxed);
    if woken > due || woken + due / 1000 + 10 < due {
        check("timers that woke", woken, due);
    }
    println!("arm {:.2} ns", arm / count as f64);
    println!("cancel {:.2} ns", cancel / (count / 2) as f64);
    println!("expire {:.2} ns", expire / due as f64);
}

async fn gather(count: usize) {
    let watch = Stopwatch::start();
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
    watch.print(count);
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

async fn skynet(count: usize) {
    let mut power = 1;
    while power < count {
        power *= 10;
    }
    check("COUNT, a power of ten from 10 on", count, power.max(10));
    let watch = Stopwatch::start();
    let sum = tokio::spawn(skynet_node(0, count as u64)).await.unwrap();
    check("sum", sum, sum_to(count));
    watch.print_ms();
}

// ---- blocking calls -------------------------------------------------------------------

async fn offload1(count: usize) {
    for _ in 0..100 {
        spawn_blocking(|| ()).await.unwrap();
    }
    let watch = Stopwatch::start();
    let mut done = 0;
    for _ in 0..count {
        done += spawn_blocking(|| 1).await.unwrap();
    }
    check("jobs", done, count);
    watch.print(count);
}

async fn offload(count: usize) {
    let tasks = count.min(1000);
    for _ in 0..100 {
        spawn_blocking(|| ()).await.unwrap();
    }
    let watch = Stopwatch::start();
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
    watch.print(count);
}

fn pi_part(part: u64) -> u64 {
    let mut x = part + 1;
    let mut inside = 0;
    for _ in 0..2_000_000 {
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
    spawn_blocking(|| pi_part(0)).await.unwrap();
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
    let pi = inside as f64 * 4.0 / (parts as f64 * 2e6);
    check("pi is near", (pi - std::f64::consts::PI).abs() < 0.01, true);
    println!("speedup {:.3} x", alone / workers);
}

// ---- queues -----------------------------------------------------------------------------

async fn pingpong(count: usize) {
    let (to_b, mut at_b) = mpsc::channel::<u64>(1);
    let (to_a, mut at_a) = mpsc::channel::<u64>(1);
    let rounds = count / 2;
    let watch = Stopwatch::start();
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
    watch.print(2 * rounds);
}

async fn stream(count: usize) {
    let (sender, mut receiver) = mpsc::channel::<u64>(64);
    let watch = Stopwatch::start();
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
    watch.print(count);
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
    match arguments[1].as_str() {
        "yield1" => runtime().block_on(yield1(count)),
        "yield1000" => runtime().block_on(yield_tasks(1000, count)),
        "depth1" => runtime().block_on(depth(yields(count), count)),
        "depth8" => runtime().block_on(depth(depth8(count), count)),
        "depth32" => runtime().block_on(depth(depth32(count), count)),
        "call" => runtime().block_on(call(count)),
        "spawn" => runtime().block_on(async move { tokio::spawn(spawn(count)).await.unwrap() }),
        "sleep" => runtime_with_time().block_on(sleep(count)),
        "timers" => runtime_with_time().block_on(timers(count)),
        "gather" => runtime().block_on(gather(count)),
        "offload1" => runtime().block_on(offload1(count)),
        "offload" => runtime().block_on(offload(count)),
        "pi" => runtime().block_on(pi(count)),
        "pingpong" => runtime().block_on(pingpong(count)),
        "stream" => runtime().block_on(stream(count)),
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
