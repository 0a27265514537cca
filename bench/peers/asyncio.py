#!/usr/bin/python3 -I
"""asyncio.py: the workloads in Python, on asyncio.
SPDX-License-Identifier: MIT

Fastest sane settings: debug off, Python without -X options, the standard
library's selector loop (epoll). Called as "uvloop" it is the same programs on
uvloop's loop, a peer of its own: see uvloop.py.

timers: virtual time, by a loop whose time() is a variable; call_at and cancel,
then 1 ms an iteration. call: an awaited coroutine, no task. pingpong: two
queues of capacity 1, there and back, COUNT messages in all. offload1:
run_in_executor on a ThreadPoolExecutor of one; offload: of two, 1000 coroutines
that each await one job after the other. pi: the same in threads, which the
interpreter's lock lets run one at a time; a part has 20,000 points here, not
10,000,000. skynet: warmed up by a tenth only, as all of it takes so long. echo: a
Protocol, which is faster than streams.

    asyncio WORKLOAD COUNT, or: asyncio echo PORT

Called as a script of this name it must run isolated (-I, as the first line
says), or `import asyncio` would find this file.

     build: cp bench/peers/asyncio.py $OUT && chmod +x $OUT
     packages: python3
     version: /usr/bin/python3 -I --version
"""

import asyncio
import concurrent.futures
import math
import socket
import sys
import time

TICK = 0.001
RANGE = 10_000  # ticks
POINTS = 20_000
MASK = (1 << 64) - 1


# ---- measuring -----------------------------------------------------------------

class Stopwatch:
    def __init__(self):
        self.cpu = time.process_time_ns()
        self.wall = time.perf_counter_ns()

    def wall_ns(self):
        return time.perf_counter_ns() - self.wall

    def show(self, count, unit="ns", divisor=1):
        wall = self.wall_ns()
        cpu = time.process_time_ns() - self.cpu
        print(f"time {wall / count / divisor:.2f} {unit}")
        print(f"cpu {cpu / count / divisor:.2f} {unit}")


def check(what, is_, should):
    if is_ != should:
        sys.exit(f"asyncio: {what}: {is_}, should be {should}")


def rss():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024


def sum_to(count):
    return count * (count - 1) // 2


async def measure(count, warm_up, work):
    """Runs work(count), after work(warm_up); it checks its own result."""
    await work(warm_up)
    watch = Stopwatch()
    await work(count)
    watch.show(count)


# ---- yields and calls ------------------------------------------------------------

async def yields(count):
    done = 0
    for _ in range(count):
        await asyncio.sleep(0)
        done += 1
    return done


async def yield_tasks(tasks, count):
    shares = [count // tasks + (i < count % tasks) for i in range(tasks)]
    done = sum(await asyncio.gather(*map(yields, shares)))
    check("yields", done, count)


async def level(depth, count):
    if depth == 1:
        return await yields(count)
    return await level(depth - 1, count)


async def depth(levels, count):
    # the leaf is one of the levels
    done = await (yields(count) if levels == 1 else level(levels - 1, count))
    check("yields", done, count)


async def plus_one(x):
    return x + 1


async def call(count):
    total = 0
    for i in range(count):
        total += await plus_one(i)
    check("sum", total, sum_to(count) + count)


# ---- tasks -----------------------------------------------------------------------

async def spawn(count):
    total = 0
    for i in range(count):
        total += await asyncio.create_task(plus_one(i))
    check("sum", total, sum_to(count) + count)


async def sleep(count):
    armed = 0

    async def sleeper():
        nonlocal armed
        armed += 1
        await asyncio.sleep(1)
        return 1

    before = rss()
    watch = Stopwatch()
    tasks = [asyncio.create_task(sleeper()) for _ in range(count)]
    while armed < count:
        await asyncio.sleep(0)
    memory = rss() - before
    done = 0
    for task in tasks:
        done += await task
    wall, cpu = watch.wall_ns(), time.process_time_ns() - watch.cpu
    check("sleepers", done, count)
    check("a second slept", wall > 0.998e9, True)  # uvloop counts in ms
    print(f"memory {memory / count:.1f} B")
    print(f"beyond {wall / 1e6 - 1000:.1f} ms")
    print(f"cpu {cpu / 1e6:.1f} ms")


class VirtualLoop(asyncio.SelectorEventLoop):
    now = 0.0

    def time(self):
        return self.now


async def timers_once(ticks):
    loop = asyncio.get_running_loop()
    expired = expired_at = tick = 0

    def expire():
        nonlocal expired, expired_at
        expired += 1
        expired_at += tick

    loop.now = 0.0
    deadlines = [tick * TICK for tick in ticks]
    watch = Stopwatch()
    handles = [loop.call_at(deadline, expire) for deadline in deadlines]
    arm = watch.wall_ns()

    watch = Stopwatch()
    for handle in handles[::2]:
        handle.cancel()
    cancel = watch.wall_ns()

    watch = Stopwatch()
    for tick in range(RANGE + 1):
        loop.now = tick * TICK
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    took = watch.wall_ns()
    due, due_at = len(ticks) // 2, sum(ticks[1::2])
    check("timers over", expired, due)
    # found due in one iteration, called in the next
    check("in time", due_at <= expired_at <= due_at + due, True)
    return arm, cancel, took


async def timers(count):
    x = 88172645463325252
    ticks = []
    for _ in range(count):
        x ^= x << 13 & MASK
        x ^= x >> 7
        x ^= x << 17 & MASK
        ticks.append(x % RANGE)
    await timers_once(ticks[:count // 10])  # warms up
    arm, cancel, expire = await timers_once(ticks)
    print(f"arm {arm / count:.2f} ns")
    print(f"cancel {cancel / ((count + 1) // 2):.2f} ns")
    print(f"expire {expire / (count // 2):.2f} ns")


async def yielding_child(i):
    await asyncio.sleep(0)
    return i


async def gather(count):
    results = await asyncio.gather(*(yielding_child(i) for i in range(count)))
    check("sum", sum(results), sum_to(count))


async def node(first, size):
    if size == 1:
        return first
    size //= 10
    return sum(await asyncio.gather(
        *(node(first + i * size, size) for i in range(10))))


async def skynet(count):
    check("COUNT, a power of ten", count, 10 ** (len(str(count)) - 1))
    await asyncio.create_task(node(0, count // 10))  # warms up
    watch = Stopwatch()
    check("sum", await asyncio.create_task(node(0, count)), sum_to(count))
    watch.show(1, "ms", 1e6)


# ---- blocking calls ----------------------------------------------------------------

def empty():
    return 1


async def offload1(count):
    loop = asyncio.get_running_loop()

    async def work(count):
        done = 0
        for _ in range(count):
            done += await loop.run_in_executor(pool, empty)
        check("jobs", done, count)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        await measure(count, count // 10 + 1, work)


async def offload(count):
    loop = asyncio.get_running_loop()

    async def carrier(left):
        done = 0
        for _ in left:
            done += await loop.run_in_executor(pool, empty)
        return done

    async def work(count):
        left = iter(range(count))
        done = sum(await asyncio.gather(
            *(carrier(left) for _ in range(min(count, 1000)))))
        check("jobs", done, count)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        await measure(count, count // 10 + 1, work)


def pi_part(part):
    x = part + 1  # xorshift64*
    inside = 0
    for _ in range(POINTS):
        x ^= x >> 12
        x ^= x << 25 & MASK
        x ^= x >> 27
        bits = x * 2685821657736338717 & MASK
        a, b = bits >> 33, bits & 0x7FFFFFFF
        inside += a * a + b * b < 1 << 62
    return inside


async def pi(parts):
    loop = asyncio.get_running_loop()
    watch = Stopwatch()
    sequence = sum(map(pi_part, range(parts)))
    alone = watch.wall_ns()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            await loop.run_in_executor(pool, empty)
        watch = Stopwatch()
        inside = sum(await asyncio.gather(
            *(loop.run_in_executor(pool, pi_part, i) for i in range(parts))))
        workers = watch.wall_ns()
    check("points inside", inside, sequence)
    check("pi is near",
          abs(4 * inside / (parts * POINTS) - math.pi) < 0.05, True)
    print(f"speedup {alone / workers:.3f} x")


# ---- queues ------------------------------------------------------------------------

async def pingpong(count):
    rounds = count // 2
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def echo():
        for _ in range(rounds):
            await back.put(await there.get() + 1)

    task = asyncio.create_task(echo())
    value = 0
    for _ in range(rounds):
        await there.put(value + 1)
        value = await back.get()
    await task
    check("value", value, 2 * rounds)


async def stream(count):
    queue = asyncio.Queue(64)

    async def produce():
        for i in range(count):
            await queue.put(i)

    task = asyncio.create_task(produce())
    total = 0
    for _ in range(count):
        total += await queue.get()
    await task
    check("sum", total, sum_to(count))


# ---- echo --------------------------------------------------------------------------

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.transport.write(data)


async def echo(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


# A tenth of it warms up.
MEASURED = {
    "yield1": lambda count: yield_tasks(1, count),
    "yield1000": lambda count: yield_tasks(1000, count),
    "depth1": lambda count: depth(1, count),
    "depth8": lambda count: depth(8, count),
    "depth32": lambda count: depth(32, count),
    "call": call,
    "spawn": spawn,
    "pingpong": pingpong,
    "stream": stream,
}
OTHERS = {
    "gather": lambda count: measure(count, count, gather),
    "sleep": sleep,
    "timers": timers,
    "offload1": offload1,
    "offload": offload,
    "pi": pi,
    "skynet": skynet,
    "echo": echo,
}


def main():
    name = sys.argv[1] if len(sys.argv) == 3 else ""
    if not name or not sys.argv[2].isdigit() or int(sys.argv[2]) < 1:
        print("usage: asyncio WORKLOAD COUNT, or: asyncio echo PORT",
              file=sys.stderr)
        sys.exit(2)
    count = int(sys.argv[2])
    if name not in MEASURED and name not in OTHERS:
        print(f"asyncio: no workload {name}", file=sys.stderr)
        sys.exit(2)
    if sys.argv[0].endswith("uvloop"):
        if name == "timers":
            sys.exit(77)  # its clock is its own
        import uvloop
        uvloop.install()
    if name == "timers":
        loop = VirtualLoop()
        loop.run_until_complete(timers(count))
        loop.close()
    elif name in MEASURED:
        asyncio.run(measure(count, count // 10 + 1, MEASURED[name]))
    else:
        asyncio.run(OTHERS[name](count))


if __name__ == "__main__":
    main()
