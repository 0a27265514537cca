/* cxx20.cpp: the benchmark's workloads on bare C++20 coroutines.
 * SPDX-License-Identifier: MIT
 *
 * The smallest task type that does the work: lazy start, symmetric transfer to
 * the child and back to the awaiting parent, an executor that is an intrusive
 * FIFO whose links lie in the suspended frames. A frame that suspends jumps
 * straight to the next ready one, which takes half the time of a return to the
 * executor's loop; with sockets it would need a budget of jumps. No threads and
 * no sockets: the offload workloads, echo and the timers one (no timer type to
 * cancel) exit with 77.
 *
 * Fastest sane settings: frames from a free list a size class (promise
 * operator new), no exceptions, no RTTI, the clock read once a turn. Sleepers
 * wait in a std::priority_queue. pingpong goes through two queues of capacity
 * 1, COUNT messages in all. The callee of call is kept out of line. skynet
 * spawns to the front of the ready queue: depth first, so that the frames stay
 * in the cache; all else is FIFO.
 *
 *     build: g++ -std=c++20 -O2 -DNDEBUG -fno-exceptions -fno-rtti bench/peers/cxx20.cpp -o $OUT
 *     packages:
 *     version: g++ --version | head -n 1
 */
#include <coroutine>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <queue>
#include <unistd.h>
#include <utility>
#include <vector>

namespace
{

constexpr int no_sense = 77;

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
        fprintf(stderr, "cxx20: wrong %s\n", what);
        exit(1);
    }
}

/* Frames: a free list a size class of 16 bytes, filled from slabs. */

class frame_pool
{
    struct unused {
        unused *next;
    };
    static constexpr size_t step = 16, classes = 64, slab = 1 << 16;
    unused *lists[classes] = {};
    char *at = nullptr, *end = nullptr;

    [[gnu::noinline]] void *carve(size_t size)
    {
        if (size > size_t(end - at)) {
            at = static_cast<char *>(malloc(slab));
            check(at != nullptr, "memory");
            end = at + slab;
        }
        at += size;
        return at - size;
    }

  public:
    void *take(size_t size)
    {
        size_t i = (size + step - 1) / step;

        if (i >= classes)
            return malloc(size);
        if (unused *head = lists[i]) {
            lists[i] = head->next;
            return head;
        }
        return carve(i * step);
    }

    void give(void *memory, size_t size)
    {
        size_t i = (size + step - 1) / step;

        if (i >= classes) {
            free(memory);
            return;
        }
        unused *head = static_cast<unused *>(memory);
        head->next = lists[i];
        lists[i] = head;
    }
};

frame_pool frames;

struct pooled {
    static void *operator new(size_t size)
    {
        return frames.take(size);
    }
    static void operator delete(void *memory, size_t size)
    {
        frames.give(memory, size);
    }
};

/* The executor. A node lies in the awaiter, so in the frame that waits. */

struct node {
    node *next;
    std::coroutine_handle<> frame;
};

struct executor {
    node *head = nullptr, *tail = nullptr;

    void push(node *n)
    {
        n->next = nullptr;
        if (head)
            tail->next = n;
        else
            head = n;
        tail = n;
    }

    void push_front(node *n)
    {
        if (!head)
            tail = n;
        n->next = head;
        head = n;
    }

    /* The frame that runs next, for a suspending one to jump to. */
    std::coroutine_handle<> next()
    {
        node *n = head;

        if (!n)
            return std::noop_coroutine();
        head = n->next;
        return n->frame;
    }

    void run()
    {
        while (head)
            next().resume();
    }
};

executor ready;

struct yield : node {
    bool await_ready() const noexcept
    {
        return false;
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept
    {
        frame = h;
        ready.push(this);
        return ready.next();
    }
    void await_resume() const noexcept
    {
    }
};

/* A task: starts when awaited or spawned, returns to whoever awaits it. */

template <typename T> struct [[nodiscard]] task {
    struct promise_type : pooled, node {
        std::coroutine_handle<> parent = std::noop_coroutine();
        bool finished = false;
        T value;

        task get_return_object() noexcept
        {
            return task{handle::from_promise(*this)};
        }
        std::suspend_always initial_suspend() const noexcept
        {
            return {};
        }
        struct finish {
            bool await_ready() const noexcept
            {
                return false;
            }
            std::coroutine_handle<>
            await_suspend(std::coroutine_handle<promise_type> h) noexcept
            {
                h.promise().finished = true;
                return h.promise().parent;
            }
            void await_resume() const noexcept
            {
            }
        };
        finish final_suspend() const noexcept
        {
            return {};
        }
        void return_value(T result) noexcept
        {
            value = result;
        }
        void unhandled_exception() const noexcept
        {
            abort();
        }
    };
    using handle = std::coroutine_handle<promise_type>;

    handle coroutine;

    explicit task(handle h) noexcept : coroutine(h)
    {
    }
    task(task &&other) noexcept
        : coroutine(std::exchange(other.coroutine, nullptr))
    {
    }
    ~task()
    {
        if (coroutine)
            coroutine.destroy();
    }

    /* Queues it; co_await joins it then. */
    task &spawn() noexcept
    {
        coroutine.promise().frame = coroutine;
        ready.push(&coroutine.promise());
        return *this;
    }
    task &spawn_front() noexcept
    {
        coroutine.promise().frame = coroutine;
        ready.push_front(&coroutine.promise());
        return *this;
    }

    struct joiner {
        handle child;

        bool await_ready() const noexcept
        {
            return child.promise().finished;
        }
        std::coroutine_handle<>
        await_suspend(std::coroutine_handle<> h) const noexcept
        {
            child.promise().parent = h;
            return ready.next();
        }
        T await_resume() const noexcept
        {
            return child.promise().value;
        }
    };
    joiner join() noexcept
    {
        return {coroutine};
    }

    struct caller {
        handle child;

        bool await_ready() const noexcept
        {
            return false;
        }
        std::coroutine_handle<>
        await_suspend(std::coroutine_handle<> h) const noexcept
        {
            child.promise().parent = h;
            return child;
        }
        T await_resume() const noexcept
        {
            return child.promise().value;
        }
    };
    caller operator co_await() &&noexcept
    {
        return {coroutine};
    }
};

template <typename T> T run(task<T> main)
{
    main.spawn();
    ready.run();
    check(main.coroutine.promise().finished, "end");
    return main.coroutine.promise().value;
}

void print_each(double wall, double cpu, long count)
{
    printf("time %.2f ns\ncpu %.2f ns\n", wall / count, cpu / count);
}

/* Runs work(count) after a tenth of it as warm-up; it checks its own result. */
template <typename F> void measure(long count, F work)
{
    work(count / 10 + 1);
    double wall = wall_ns(), cpu = cpu_ns();
    work(count);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    print_each(wall, cpu, count);
}

/* yield1, yield1000, depth */

long steps, first_end;

task<long> yielder(long count)
{
    for (long i = 0; i < count; i++) {
        co_await yield();
        steps++;
    }
    if (!first_end)
        first_end = steps;
    co_return count;
}

void yield_in_turn(long n, long count)
{
    std::vector<task<long>> tasks;
    long sum = 0;

    steps = first_end = 0;
    for (long i = 0; i < n; i++) {
        tasks.push_back(yielder(count / n + (i < count % n)));
        tasks.back().spawn();
    }
    ready.run();
    for (auto &t : tasks)
        sum += t.coroutine.promise().value;
    check(sum == count && steps == count, "number of yields");
    check(first_end > count - 2 * n, "turns");
}

task<long> nest(int depth, long count)
{
    if (depth == 1) {
        for (long i = 0; i < count; i++)
            co_await yield();
        co_return count;
    }
    co_return co_await nest(depth - 1, count);
}

/* call */

[[gnu::noipa]] task<int> answer(int i)
{
    co_return i ^ 1;
}

task<long> caller(long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++)
        sum += co_await answer(int(i));
    co_return sum;
}

long sum_of_answers(long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++)
        sum += i ^ 1;
    return sum;
}

/* spawn */

task<long> spawner(long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++) {
        auto child = answer(int(i));
        sum += co_await child.spawn().join();
    }
    co_return sum;
}

/* gather */

task<int> child(int i)
{
    co_await yield();
    co_return i;
}

task<long> gatherer(long count)
{
    std::vector<task<int>> children;
    long sum = 0;

    children.reserve(count);
    for (long i = 0; i < count; i++) {
        children.push_back(child(int(i)));
        children.back().spawn();
    }
    for (auto &c : children)
        sum += co_await c.join();
    co_return sum;
}

/* sleep */

using nanoseconds = int64_t;

struct sleeper {
    nanoseconds deadline;
    std::coroutine_handle<> frame;

    bool operator<(const sleeper &other) const
    {
        return deadline > other.deadline;
    }
};

struct sleepers : std::priority_queue<sleeper> {
    void reserve(size_t n)
    {
        c.reserve(n);
    }
};

sleepers asleep;
nanoseconds now; /* the executor's: read once a turn */

struct sleep_for {
    nanoseconds duration;

    bool await_ready() const noexcept
    {
        return false;
    }
    void await_suspend(std::coroutine_handle<> h) const
    {
        asleep.push({now + duration, h});
    }
    void await_resume() const noexcept
    {
    }
};

/* A task that nobody holds: it counts itself off and frees its own frame. */
struct detached {
    struct promise_type : pooled {
        detached get_return_object() const noexcept
        {
            return {};
        }
        std::suspend_never initial_suspend() const noexcept
        {
            return {};
        }
        std::suspend_never final_suspend() const noexcept
        {
            return {};
        }
        void return_void() const noexcept
        {
        }
        void unhandled_exception() const noexcept
        {
            abort();
        }
    };
};

long unjoined;

detached sleep_one_second()
{
    co_await sleep_for{1000000000};
    unjoined--;
}

void sleep_once(long count)
{
    long before = resident_bytes();
    double wall = wall_ns(), cpu = cpu_ns();

    unjoined = count;
    asleep.reserve(count);
    now = nanoseconds(wall);
    for (long i = 0; i < count; i++)
        sleep_one_second();
    double memory = double(resident_bytes() - before) / count;
    while (!asleep.empty()) {
        nanoseconds deadline = asleep.top().deadline;

        now = nanoseconds(wall_ns());
        if (deadline > now) {
            timespec at = {time_t(deadline / 1000000000),
                           long(deadline % 1000000000)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
            continue;
        }
        while (!asleep.empty() && asleep.top().deadline <= now) {
            auto frame = asleep.top().frame;
            asleep.pop();
            frame.resume();
        }
    }
    wall = wall_ns() - wall;
    cpu = cpu_ns() - cpu;
    check(unjoined == 0 && wall >= 1e9, "sleep");
    printf("memory %.1f B\nbeyond %.1f ms\ncpu %.1f ms\n", memory,
           wall / 1e6 - 1000, cpu / 1e6);
}

/* pingpong, stream: a bounded queue for one producer and one consumer */

template <unsigned capacity> struct channel {
    static_assert((capacity & (capacity - 1)) == 0);
    unsigned head = 0, tail = 0;
    node *putter = nullptr, *taker = nullptr;
    int items[capacity];

    static void wake(node *&waiter)
    {
        if (waiter)
            ready.push(std::exchange(waiter, nullptr));
    }

    struct put_awaiter : node {
        channel &c;
        int item;

        put_awaiter(channel &c, int item) : c(c), item(item)
        {
        }
        bool await_ready() const noexcept
        {
            return c.tail - c.head < capacity;
        }
        std::coroutine_handle<>
        await_suspend(std::coroutine_handle<> h) noexcept
        {
            frame = h;
            c.putter = this;
            return ready.next();
        }
        void await_resume() noexcept
        {
            c.items[c.tail++ % capacity] = item;
            wake(c.taker);
        }
    };

    struct take_awaiter : node {
        channel &c;

        explicit take_awaiter(channel &c) : c(c)
        {
        }
        bool await_ready() const noexcept
        {
            return c.tail != c.head;
        }
        std::coroutine_handle<>
        await_suspend(std::coroutine_handle<> h) noexcept
        {
            frame = h;
            c.taker = this;
            return ready.next();
        }
        int await_resume() noexcept
        {
            int item = c.items[c.head++ % capacity];
            wake(c.putter);
            return item;
        }
    };

    put_awaiter put(int item)
    {
        return {*this, item};
    }
    take_awaiter take()
    {
        return take_awaiter(*this);
    }
};

template <unsigned n> task<long> producer(channel<n> &to, long count)
{
    for (long i = 0; i < count; i++)
        co_await to.put(int(i));
    co_return count;
}

template <unsigned n> task<long> consumer(channel<n> &from, long count)
{
    long sum = 0;

    for (long i = 0; i < count; i++)
        sum += co_await from.take();
    co_return sum;
}

void stream(long count)
{
    channel<64> c;
    auto p = producer(c, count);
    auto t = consumer(c, count);

    p.spawn();
    t.spawn();
    ready.run();
    check(t.coroutine.promise().value == count * (count - 1) / 2, "sum");
}

task<long> pinger(channel<1> &to, channel<1> &from, long rounds)
{
    long sum = 0;

    for (long i = 0; i < rounds; i++) {
        co_await to.put(int(i));
        sum += co_await from.take();
    }
    co_return sum;
}

task<long> ponger(channel<1> &from, channel<1> &to, long rounds)
{
    for (long i = 0; i < rounds; i++)
        co_await to.put(co_await from.take() + 1);
    co_return rounds;
}

void pingpong(long count)
{
    channel<1> there, back;
    long rounds = count / 2;
    auto a = pinger(there, back, rounds);
    auto b = ponger(there, back, rounds);

    a.spawn();
    b.spawn();
    ready.run();
    check(a.coroutine.promise().value == rounds * (rounds + 1) / 2, "sum");
}

/* skynet */

task<long> skynet(long first, long leaves)
{
    if (leaves == 1)
        co_return first;
    long sum = 0, n = leaves < 10 ? leaves : 10;
    task<long> children[10] = {
        skynet(first, leaves / n),
        skynet(first + leaves / n, leaves / n),
        skynet(first + leaves / n * 2, leaves / n),
        skynet(first + leaves / n * 3, leaves / n),
        skynet(first + leaves / n * 4, leaves / n),
        skynet(first + leaves / n * 5, leaves / n),
        skynet(first + leaves / n * 6, leaves / n),
        skynet(first + leaves / n * 7, leaves / n),
        skynet(first + leaves / n * 8, leaves / n),
        skynet(first + leaves / n * 9, leaves / n),
    };
    for (auto &c : children)
        c.spawn_front();
    for (auto &c : children)
        sum += co_await c.join();
    co_return sum;
}

void skynet_once(long count)
{
    check(run(skynet(0, count)) == count * (count - 1) / 2, "sum");
}

} // namespace

int main(int argc, char **argv)
{
    const char *workload = argc == 3 ? argv[1] : "";
    long count = argc == 3 ? atol(argv[2]) : 0;
    auto is = [&](const char *name) { return !strcmp(workload, name); };

    if (is("timers") || is("offload1") || is("offload") || is("pi") ||
        is("echo"))
        return no_sense;
    if (count <= 0) {
        fprintf(stderr, "usage: cxx20 WORKLOAD COUNT\n");
        return 2;
    }
    auto depth = [](int n) {
        return [n](long c) { check(run(nest(n, c)) == c, "number of yields"); };
    };
    if (is("yield1"))
        measure(count, [](long c) { yield_in_turn(1, c); });
    else if (is("yield1000"))
        measure(count, [](long c) { yield_in_turn(1000, c); });
    else if (is("depth1"))
        measure(count, depth(1));
    else if (is("depth8"))
        measure(count, depth(8));
    else if (is("depth32"))
        measure(count, depth(32));
    else if (is("call"))
        measure(count, [](long c) {
            check(run(caller(c)) == sum_of_answers(c), "sum");
        });
    else if (is("spawn"))
        measure(count, [](long c) {
            check(run(spawner(c)) == sum_of_answers(c), "sum");
        });
    else if (is("gather")) {
        auto gather = [](long c) {
            check(run(gatherer(c)) == c * (c - 1) / 2, "sum");
        };
        gather(count); /* as many again: their frames come from the pool */
        measure(count, gather);
    } else if (is("sleep"))
        sleep_once(count);
    else if (is("pingpong"))
        measure(count, pingpong);
    else if (is("stream"))
        measure(count, stream);
    else if (is("skynet")) {
        long power = 1;

        while (power < count)
            power *= 10;
        if (power != count) {
            fprintf(stderr, "cxx20: skynet needs a power of ten\n");
            return 2;
        }
        skynet_once(count);
        double wall = wall_ns(), cpu = cpu_ns();
        skynet_once(count);
        cpu = cpu_ns() - cpu;
        wall = wall_ns() - wall;
        printf("time %.2f ms\ncpu %.2f ms\n", wall / 1e6, cpu / 1e6);
    } else
        return 2;
    return 0;
}
