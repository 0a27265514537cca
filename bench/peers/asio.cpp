/* asio.cpp: the benchmark's workloads on Boost.Asio's C++20 coroutines.
 * SPDX-License-Identifier: MIT
 *
 * A task is a coroutine of type awaitable<> started by co_spawn; a yield is
 * co_await post(); gather, offload and the queues are composed operations,
 * since this Boost has none of them (its channels came later). The callee of
 * call is kept out of line, as in each program.
 *
 * Timers are callbacks on a waitable timer whose clock is a variable, moved on
 * by 1 ms before each io_context::poll(): Asio's own way to virtual time. It
 * would still set a kernel timer in real time at each step; that workload's
 * timerfd_create fails, so that each poll looks at the timers instead. A cancel
 * includes the run of its handler with operation_aborted.
 *
 * Fastest sane settings: awaitables, timers and sockets are bound to
 * io_context's own executor type instead of any_io_executor; one thread, so no
 * locking (BOOST_ASIO_CONCURRENCY_HINT_UNSAFE), except beside the pool of two
 * threads, where the hint is 1; one work guard holds the loop open, not one a
 * job; offload1's pool has one thread; echo uses TCP_NODELAY and error codes
 * instead of exceptions.
 *
 *     build: g++ -std=c++20 -fcoroutines -O3 -DNDEBUG bench/peers/asio.cpp -o $OUT -pthread
 *     packages: libboost-dev
 *     version: echo "Boost $(sed -n 's/^#define BOOST_LIB_VERSION "\(.*\)"/\1/p' /usr/include/boost/version.hpp)"
 */
#include <utility>

#include <boost/asio.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <exception>
#include <optional>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

/* Without a kernel timer the reactor looks at the clock each turn. */
static bool kernel_timer = true;

extern "C" int timerfd_create(int clock, int flags) noexcept
{
    if (kernel_timer)
        return int(syscall(SYS_timerfd_create, clock, flags));
    errno = ENOSYS;
    return -1;
}

namespace
{

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using executor = asio::io_context::executor_type;
template <typename T> using awaitable = asio::awaitable<T, executor>;
constexpr asio::use_awaitable_t<executor> use_awaitable;

constexpr int in_flight = 1000, range = 10000;
constexpr long points = 10000000;

double clock_ns(clockid_t id)
{
    timespec at;

    clock_gettime(id, &at);
    return at.tv_sec * 1e9 + at.tv_nsec;
}

double wall_ns()
{
    return clock_ns(CLOCK_MONOTONIC);
}

double cpu_ns()
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

long resident_bytes()
{
    long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        abort();
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "asio: wrong %s\n", what);
        exit(1);
    }
}

template <typename T> T run(asio::io_context &io, awaitable<T> main)
{
    std::optional<T> result;
    auto open = asio::make_work_guard(io);

    io.restart();
    asio::co_spawn(io.get_executor(), std::move(main),
                   [&](std::exception_ptr error, T value) {
                       check(!error, "end");
                       result = value;
                       open.reset();
                   });
    io.run();
    check(result.has_value(), "end");
    return *result;
}

/* Runs work(count) after a tenth of it as warm-up; it checks its own result. */
template <typename F> void measure(long count, F work)
{
    work(count / 10 + 1);
    double wall = wall_ns(), cpu = cpu_ns();
    work(count);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    printf("time %.2f ns\ncpu %.2f ns\n", wall / count, cpu / count);
}

/* yield1, yield1000, depth */

long steps, first_end;

awaitable<long> yielder(executor ex, long count)
{
    for (long i = 0; i < count; i++) {
        co_await asio::post(ex, use_awaitable);
        steps++;
    }
    if (!first_end)
        first_end = steps;
    co_return count;
}

void yield_in_turn(asio::io_context &io, long n, long count)
{
    long sum = 0;

    steps = first_end = 0;
    for (long i = 0; i < n; i++)
        asio::co_spawn(io.get_executor(),
                       yielder(io.get_executor(), count / n + (i < count % n)),
                       [&](std::exception_ptr, long yields) { sum += yields; });
    io.restart();
    io.run();
    check(sum == count && steps == count, "number of yields");
    check(first_end > count - 2 * n, "turns");
}

awaitable<long> nest(executor ex, int depth, long count)
{
    if (depth == 1) {
        for (long i = 0; i < count; i++)
            co_await asio::post(ex, use_awaitable);
        co_return count;
    }
    co_return co_await nest(ex, depth - 1, count);
}

/* call, spawn */

[[gnu::noipa]] awaitable<int> answer(int i)
{
    co_return i ^ 1;
}

awaitable<long> caller(long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++)
        sum += co_await answer(int(i));
    co_return sum;
}

awaitable<long> spawner(executor ex, long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++)
        sum += co_await asio::co_spawn(ex, answer(int(i)), use_awaitable);
    co_return sum;
}

long sum_of_answers(long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++)
        sum += i ^ 1;
    return sum;
}

/* gather: spawns the tasks, completes with the last of them */

template <typename T, typename Start>
auto gather(executor ex, long count, T *results, Start start)
{
    return asio::async_initiate<const asio::use_awaitable_t<executor> &,
                                void()>(
        [=](auto handler) {
            struct state {
                decltype(handler) done;
                long left;
            };
            auto *shared = new state{std::move(handler), count};

            for (long i = 0; i < count; i++)
                asio::co_spawn(ex, start(i),
                               [=](std::exception_ptr error, T value) {
                                   check(!error, "end");
                                   results[i] = value;
                                   if (--shared->left)
                                       return;
                                   auto done = std::move(shared->done);
                                   delete shared;
                                   done();
                               });
        },
        use_awaitable);
}

awaitable<int> child(executor ex, int i)
{
    co_await asio::post(ex, use_awaitable);
    co_return i;
}

awaitable<long> gatherer(executor ex, long count)
{
    std::vector<int> results(count);
    long sum = 0;

    co_await gather(ex, count, results.data(),
                    [=](long i) { return child(ex, int(i)); });
    for (int result : results)
        sum += result;
    co_return sum;
}

/* sleep */

using timer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>,
                               executor>;

long armed, slept, resident_asleep;

awaitable<void> sleeper(executor ex, long count)
{
    timer sleep(ex, std::chrono::seconds(1));

    if (++armed == count)
        resident_asleep = resident_bytes();
    co_await sleep.async_wait(use_awaitable);
    slept++;
}

void sleep_once(asio::io_context &io, long count)
{
    long before = resident_bytes();
    double wall = wall_ns(), cpu = cpu_ns();
    executor ex = io.get_executor();

    for (long i = 0; i < count; i++)
        asio::co_spawn(ex, sleeper(ex, count), asio::detached);
    io.run();
    wall = wall_ns() - wall;
    cpu = cpu_ns() - cpu;
    check(slept == count && wall >= 1e9, "sleep");
    printf("memory %.1f B\nbeyond %.1f ms\ncpu %.1f ms\n",
           double(resident_asleep - before) / count, wall / 1e6 - 1000,
           cpu / 1e6);
}

/* timers */

struct virtual_clock {
    using duration = std::chrono::milliseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<virtual_clock>;
    static constexpr bool is_steady = true;
    static inline time_point at{};

    static time_point now()
    {
        return at;
    }
};

/* Nothing is slept: each poll looks at the clock. */
struct virtual_wait {
    static virtual_clock::duration to_wait_duration(virtual_clock::duration)
    {
        return virtual_clock::duration::zero();
    }
    static virtual_clock::duration to_wait_duration(virtual_clock::time_point)
    {
        return virtual_clock::duration::zero();
    }
};

using virtual_timer =
    asio::basic_waitable_timer<virtual_clock, virtual_wait, executor>;

/* Arms, cancels and expires them; the nanoseconds of each go to `took`. The CPU
 * clock is read around each: that is where instructions are cut. */
void timers_once(asio::io_context &io, const std::vector<uint16_t> &ms,
                 double *took)
{
    std::deque<virtual_timer> alarms;
    long count = long(ms.size()), expired = 0, aborted = 0, wrong = 0;
    auto start = virtual_clock::now();
    auto open = asio::make_work_guard(io);

    io.restart();
    for (long i = 0; i < count; i++)
        alarms.emplace_back(io.get_executor());
    cpu_ns();
    double clock = wall_ns();
    for (long i = 0; i < count; i++) {
        auto due = start + std::chrono::milliseconds(ms[i]);
        alarms[i].expires_at(due);
        alarms[i].async_wait([&, due](const error_code &error) {
            if (error) {
                aborted++;
                return;
            }
            expired++;
            wrong += virtual_clock::at != due;
        });
    }
    took[0] = wall_ns() - clock;
    cpu_ns();

    cpu_ns();
    clock = wall_ns();
    for (long i = 0; i < count; i += 2)
        alarms[i].cancel();
    /* The clock stands before the first deadline, so only aborts run. */
    virtual_clock::at = start - std::chrono::milliseconds(1);
    io.poll();
    took[1] = wall_ns() - clock;
    cpu_ns();

    cpu_ns();
    clock = wall_ns();
    for (int now = 0; now < range; now++) {
        virtual_clock::at = start + std::chrono::milliseconds(now);
        io.poll();
    }
    took[2] = wall_ns() - clock;
    cpu_ns();

    check(aborted == count - count / 2, "cancel");
    check(expired == count / 2 && !wrong, "expiry");
}

void timers(asio::io_context &io, long count)
{
    std::vector<uint16_t> ms(count);
    uint64_t x = 88172645463325252;
    double took[3];

    for (auto &m : ms) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        m = uint16_t(x % range);
    }
    timers_once(io, ms, took); /* warms up */
    timers_once(io, ms, took);
    printf("arm %.2f ns\ncancel %.2f ns\nexpire %.2f ns\n", took[0] / count,
           took[1] / (count - count / 2), took[2] / (count / 2));
}

/* offload1, offload, pi */

/* Runs the job on the pool, then goes on where the task lives. */
template <typename Job> auto offload(asio::thread_pool &pool, Job job)
{
    return asio::async_initiate<const asio::use_awaitable_t<executor> &,
                                void()>(
        [&pool, job](auto handler) {
            asio::post(pool, [job, handler = std::move(handler)]() mutable {
                auto back = asio::get_associated_executor(handler);

                job();
                asio::post(back, std::move(handler));
            });
        },
        use_awaitable);
}

awaitable<long> offload_one_by_one(asio::thread_pool &pool, long count)
{
    long done = 0;

    for (long i = 0; i < count; i++)
        co_await offload(pool, [&done] { done++; });
    co_return done;
}

awaitable<long> offload_many(executor ex, asio::thread_pool &pool, long count)
{
    std::vector<long> done(in_flight);
    long sum = 0;

    co_await gather(ex, in_flight, done.data(), [&pool, count](long i) {
        return offload_one_by_one(pool,
                                  count / in_flight + (i < count % in_flight));
    });
    for (long n : done)
        sum += n;
    co_return sum;
}

/* The points of a part that lie in the quarter of a circle. */
long hits_of(long part)
{
    uint64_t x = uint64_t(part) + 1; /* xorshift64*, Vigna 2014 */
    long hits = 0;

    for (long i = 0; i < points; i++) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        uint64_t bits = x * 2685821657736338717u;
        uint64_t a = bits >> 33, b = bits & 0x7FFFFFFF;
        hits += a * a + b * b < uint64_t(1) << 62;
    }
    return hits;
}

awaitable<long> pi_task(asio::thread_pool &pool, long i)
{
    long inside;

    co_await offload(pool, [&inside, i] { inside = hits_of(i); });
    co_return inside;
}

awaitable<long> pi_on_pool(executor ex, asio::thread_pool &pool, long count)
{
    std::vector<long> inside(count);
    long sum = 0;

    co_await gather(ex, count, inside.data(),
                    [&pool](long i) { return pi_task(pool, i); });
    for (long n : inside)
        sum += n;
    co_return sum;
}

void pi(asio::io_context &io, asio::thread_pool &pool, long count)
{
    long expected = 0;

    run(io, offload_one_by_one(pool, 10));
    double sequence = wall_ns();
    for (long i = 0; i < count; i++)
        expected += hits_of(i);
    sequence = wall_ns() - sequence;
    double parallel = wall_ns();
    long sum = run(io, pi_on_pool(io.get_executor(), pool, count));
    parallel = wall_ns() - parallel;
    double value = 4.0 * sum / (double(points) * count);
    check(sum == expected, "sum");
    check(value > 3.13 && value < 3.15, "pi");
    printf("speedup %.3f x\n", sequence / parallel);
}

/* pingpong, stream: a bounded queue for one producer and one consumer. Who
 * waits leaves its handler there. It is resumed at once where there is but one
 * place, else by the queue, so that the other side fills or empties it first:
 * each is the faster way there. */

template <unsigned capacity> class channel
{
    using handler = asio::async_result<asio::use_awaitable_t<executor>,
                                       void()>::handler_type;
    executor ex;
    unsigned head = 0, tail = 0;
    int items[capacity];
    std::optional<handler> putter, taker;

    auto wait(std::optional<handler> &waiter)
    {
        return asio::async_initiate<const asio::use_awaitable_t<executor> &,
                                    void()>(
            [&waiter](auto h) { waiter.emplace(std::move(h)); }, use_awaitable);
    }
    void wake(std::optional<handler> &waiter)
    {
        if (!waiter)
            return;
        handler h = std::move(*waiter);
        waiter.reset();
        if constexpr (capacity == 1)
            asio::dispatch(ex, std::move(h));
        else
            asio::post(ex, std::move(h));
    }

  public:
    explicit channel(executor e) : ex(e)
    {
    }
    bool full() const
    {
        return tail - head == capacity;
    }
    bool empty() const
    {
        return tail == head;
    }
    auto not_full()
    {
        return wait(putter);
    }
    auto not_empty()
    {
        return wait(taker);
    }
    void put(int item)
    {
        items[tail++ % capacity] = item;
        wake(taker);
    }
    int take()
    {
        int item = items[head++ % capacity];
        wake(putter);
        return item;
    }
};

template <unsigned n> awaitable<void> producer(channel<n> &to, long count)
{
    for (long i = 0; i < count; i++) {
        if (to.full())
            co_await to.not_full();
        to.put(int(i));
    }
}

template <unsigned n> awaitable<long> consumer(channel<n> &from, long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++) {
        if (from.empty())
            co_await from.not_empty();
        sum += from.take();
    }
    co_return sum;
}

void stream(asio::io_context &io, long count)
{
    channel<64> c(io.get_executor());

    asio::co_spawn(io.get_executor(), producer(c, count), asio::detached);
    check(run(io, consumer(c, count)) == count * (count - 1) / 2, "sum");
}

awaitable<void> ponger(channel<1> &from, channel<1> &to, long rounds)
{
    for (long i = 0; i < rounds; i++) {
        if (from.empty())
            co_await from.not_empty();
        int value = from.take();
        if (to.full())
            co_await to.not_full();
        to.put(value + 1);
    }
}

awaitable<long> pinger(channel<1> &to, channel<1> &from, long rounds)
{
    long value = 0;

    for (long i = 0; i < rounds; i++) {
        if (to.full())
            co_await to.not_full();
        to.put(int(value) + 1);
        if (from.empty())
            co_await from.not_empty();
        value = from.take();
    }
    co_return value;
}

void pingpong(asio::io_context &io, long count)
{
    executor ex = io.get_executor();
    channel<1> there(ex), back(ex);
    long rounds = count / 2;

    asio::co_spawn(ex, ponger(there, back, rounds), asio::detached);
    check(run(io, pinger(there, back, rounds)) == 2 * rounds, "value");
}

/* skynet */

awaitable<long> node(executor ex, long first, long leaves)
{
    if (leaves == 1)
        co_return first;
    long sums[10], step = leaves / 10, sum = 0;

    co_await gather(ex, 10, sums,
                    [=](long i) { return node(ex, first + i * step, step); });
    for (long s : sums)
        sum += s;
    co_return sum;
}

void skynet(asio::io_context &io, long count)
{
    long power = 1;

    while (power < count)
        power *= 10;
    check(power == count, "count: a power of ten, please");
    auto once = [&] {
        check(run(io, node(io.get_executor(), 0, count)) ==
                  count * (count - 1) / 2,
              "sum");
    };
    once(); /* warms up */
    double wall = wall_ns(), cpu = cpu_ns();
    once();
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    printf("time %.3f ms\ncpu %.3f ms\n", wall / 1e6, cpu / 1e6);
}

/* echo */

using socket_type = asio::basic_stream_socket<tcp, executor>;
using acceptor_type = asio::basic_socket_acceptor<tcp, executor>;

awaitable<void> serve(socket_type client)
{
    char bytes[4096];
    error_code error;
    auto token = asio::redirect_error(use_awaitable, error);

    client.set_option(tcp::no_delay(true));
    for (;;) {
        size_t n = co_await client.async_read_some(asio::buffer(bytes), token);
        if (error)
            co_return;
        co_await asio::async_write(client, asio::buffer(bytes, n), token);
        if (error)
            co_return;
    }
}

awaitable<void> listen(executor ex, unsigned short port)
{
    acceptor_type acceptor(ex, {asio::ip::address_v4::loopback(), port});

    for (;;) {
        socket_type client = co_await acceptor.async_accept(use_awaitable);
        asio::co_spawn(ex, serve(std::move(client)), asio::detached);
    }
}

void on_terminate(int)
{
    _exit(0);
}

void echo(asio::io_context &io, unsigned short port)
{
    signal(SIGTERM, on_terminate);
    asio::co_spawn(io.get_executor(), listen(io.get_executor(), port),
                   [port](std::exception_ptr) {
                       fprintf(stderr, "asio: cannot serve port %d\n", port);
                       exit(1);
                   });
    io.run();
}

} // namespace

int main(int argc, char **argv)
{
    const char *workload = argc == 3 ? argv[1] : "";
    long count = argc == 3 ? atol(argv[2]) : 0;
    auto is = [&](const char *name) { return !strcmp(workload, name); };

    if (count <= 0) {
        fprintf(stderr, "usage: asio WORKLOAD COUNT | asio echo PORT\n");
        return 2;
    }
    kernel_timer = !is("timers");
    bool threads = is("offload1") || is("offload") || is("pi");
    asio::io_context io(threads ? 1 : BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    executor ex = io.get_executor();
    auto depth = [&](int n) {
        return [&io, ex, n](long c) {
            check(run(io, nest(ex, n, c)) == c, "number of yields");
        };
    };
    if (is("yield1"))
        measure(count, [&](long c) { yield_in_turn(io, 1, c); });
    else if (is("yield1000"))
        measure(count, [&](long c) { yield_in_turn(io, 1000, c); });
    else if (is("depth1"))
        measure(count, depth(1));
    else if (is("depth8"))
        measure(count, depth(8));
    else if (is("depth32"))
        measure(count, depth(32));
    else if (is("call"))
        measure(count, [&](long c) {
            check(run(io, caller(c)) == sum_of_answers(c), "sum");
        });
    else if (is("spawn"))
        measure(count, [&](long c) {
            check(run(io, spawner(ex, c)) == sum_of_answers(c), "sum");
        });
    else if (is("gather")) {
        auto work = [&](long c) {
            check(run(io, gatherer(ex, c)) == c * (c - 1) / 2, "sum");
        };
        work(count); /* as many again: the memory has been touched */
        measure(count, work);
    } else if (is("sleep"))
        sleep_once(io, count);
    else if (is("pingpong"))
        measure(count, [&](long c) { pingpong(io, c); });
    else if (is("stream"))
        measure(count, [&](long c) { stream(io, c); });
    else if (is("skynet"))
        skynet(io, count);
    else if (is("timers"))
        timers(io, count);
    else if (threads) {
        asio::thread_pool pool(is("offload1") ? 1 : 2);

        if (is("offload1"))
            measure(count, [&](long c) {
                check(run(io, offload_one_by_one(pool, c)) == c, "jobs");
            });
        else if (is("offload"))
            measure(count, [&](long c) {
                check(run(io, offload_many(ex, pool, c)) == c, "jobs");
            });
        else
            pi(io, pool, count);
        pool.join();
    } else if (is("echo"))
        echo(io, static_cast<unsigned short>(count));
    else
        return 2;
    return 0;
}
