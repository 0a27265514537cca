// go.go: the workloads in Go, with goroutines and channels.
// SPDX-License-Identifier: MIT
//
// Fastest sane settings: GOMAXPROCS(1) for everything but offload1, offload and
// pi, as switching between goroutines of one thread is faster and is what the
// other programs do; GOGC 400, which saves a tenth to a fifth where goroutines
// are made by the thousand, but as it comes for sleep, where memory counts.
// Joining is by sync.WaitGroup, or by a channel where a value is returned.
//
// call: the callee is kept out of line. offload1: a goroutine that is locked to
// a thread of its own; offload: two; jobs and results go through channels with
// room for all that is in flight. pingpong: two channels of capacity 1, there
// and back, COUNT messages in all. sleep: a million goroutines may take longer
// than 1 s to start, so that the first end before the last is there: memory is
// divided by the most that were there together.
// timers: Go has no virtual time. A deadline of x ms becomes x us after a start
// that lies behind all arming and canceling: the heap does the same work, and
// the 10 s last 10 ms, which is less than expiry takes. Each timer expires into
// its own channel; expire includes the receive.
//
//	go WORKLOAD COUNT, or: go echo PORT
/*
 *     build: GO111MODULE=off go build -o $OUT bench/peers/go.go
 *     packages: golang-go
 *     version: go version
 */
package main

import (
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// ---- measuring ---------------------------------------------------------------

func cpuNs() float64 {
	const clockProcessCPUTimeID = 2
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockProcessCPUTimeID,
		uintptr(unsafe.Pointer(&ts)), 0)
	return float64(ts.Nano())
}

type stopwatch struct {
	wall time.Time
	cpu  float64
}

func start() stopwatch {
	cpu := cpuNs()
	return stopwatch{time.Now(), cpu}
}

func (w stopwatch) wallNs() float64 {
	return float64(time.Since(w.wall).Nanoseconds())
}

func (w stopwatch) print(count int) {
	wall, cpu := w.wallNs(), cpuNs()-w.cpu
	fmt.Printf("time %.2f ns\n", wall/float64(count))
	fmt.Printf("cpu %.2f ns\n", cpu/float64(count))
}

func (w stopwatch) printMs() {
	wall, cpu := w.wallNs(), cpuNs()-w.cpu
	fmt.Printf("time %.2f ms\n", wall/1e6)
	fmt.Printf("cpu %.2f ms\n", cpu/1e6)
}

func check(what string, is, should int) {
	if is != should {
		fmt.Fprintf(os.Stderr, "go: %s: %d, should be %d\n", what, is, should)
		os.Exit(1)
	}
}

// Runs work(count), after work(warmUp); it checks its own result.
func measure(count, warmUp int, work func(int)) {
	work(warmUp)
	watch := start()
	work(count)
	watch.print(count)
}

func rss() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmRSS:") {
			kib, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return kib * 1024
		}
	}
	return 0
}

func sumTo(count int) int {
	return count * (count - 1) / 2
}

// ---- yields and calls ----------------------------------------------------------

func yields(count int) int {
	done := 0
	for i := 0; i < count; i++ {
		runtime.Gosched()
		done++
	}
	return done
}

func yieldTasks(tasks, count int) {
	done := make([]int, tasks)
	var group sync.WaitGroup
	group.Add(tasks)
	for i := 0; i < tasks; i++ {
		i := i
		share := count / tasks
		if i < count%tasks {
			share++
		}
		go func() {
			done[i] = yields(share)
			group.Done()
		}()
	}
	group.Wait()
	sum := 0
	for _, n := range done {
		sum += n
	}
	check("yields", sum, count)
}

//go:noinline
func level(depth, count int) int {
	if depth == 1 {
		return yields(count)
	}
	return level(depth-1, count)
}

func depth(levels, count int) {
	check("yields", level(levels, count), count)
}

//go:noinline
func plusOne(x int) int {
	return x + 1
}

func call(count int) {
	sum := 0
	for i := 0; i < count; i++ {
		sum += plusOne(i)
	}
	check("sum", sum, sumTo(count)+count)
}

// ---- tasks ----------------------------------------------------------------------

func spawn(count int) {
	result := make(chan int, 1)
	sum := 0
	for i := 0; i < count; i++ {
		go func(i int) { result <- plusOne(i) }(i)
		sum += <-result
	}
	check("sum", sum, sumTo(count)+count)
}

func sleep(count int) {
	var asleep, done, peak int64 // goroutines share them, so atomically
	var group sync.WaitGroup
	before := rss()
	watch := start()
	group.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			atomic.AddInt64(&asleep, 1)
			time.Sleep(time.Second)
			atomic.AddInt64(&done, 1)
			group.Done()
		}()
		if alive := int64(i) + 1 - atomic.LoadInt64(&done); alive > peak {
			peak = alive
		}
	}
	for atomic.LoadInt64(&asleep) < int64(count) {
		runtime.Gosched()
	}
	memory := rss() - before
	group.Wait()
	wall, cpu := watch.wallNs(), cpuNs()-watch.cpu
	check("sleepers", int(done), count)
	if wall < 1e9 {
		fmt.Fprintln(os.Stderr, "go: slept for less than a second")
		os.Exit(1)
	}
	fmt.Printf("memory %.1f B\n", memory/float64(peak))
	fmt.Printf("beyond %.1f ms\n", wall/1e6-1000)
	fmt.Printf("cpu %.1f ms\n", cpu/1e6)
}

// Arms, cancels and expires them; the first deadline comes so long after now.
// Returns the nanoseconds of each.
func timersOnce(all []*time.Timer, ms []uint16, wait time.Duration) (arm, cancel, expire float64) {
	watch := start()
	due := watch.wall.Add(wait)
	left := wait
	for i := range all {
		if i%64 == 0 { // a duration needs a clock that is read now and then
			left = time.Until(due)
		}
		all[i] = time.NewTimer(left + time.Duration(ms[i])*time.Microsecond)
	}
	arm = watch.wallNs()

	watch = start()
	stopped := 0
	for i := 0; i < len(all); i += 2 {
		if all[i].Stop() {
			stopped++
		}
	}
	cancel = watch.wallNs()
	check("timers stopped", stopped, (len(all)+1)/2)
	if time.Now().After(due) {
		fmt.Fprintln(os.Stderr, "go: arming took too long to measure expiry")
		os.Exit(1)
	}

	for time.Now().Before(due) { // busy: it is no disturbance that sleeps
	}
	watch = stopwatch{wall: due}
	var at, should time.Duration
	for i := 1; i < len(all); i += 2 {
		at += (<-all[i].C).Sub(due)
		should += time.Duration(ms[i]) * time.Microsecond
	}
	expire = watch.wallNs()
	if at < should {
		fmt.Fprintln(os.Stderr, "go: timers fired too early")
		os.Exit(1)
	}
	return
}

func timers(count int) {
	all := make([]*time.Timer, count)
	ms := make([]uint16, count)
	x := uint64(88172645463325252)
	for i := range ms {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		ms[i] = uint16(x % 10000)
	}
	begin := time.Now() // the first round warms up, and tells how long to wait
	timersOnce(all, ms, time.Second/10+time.Duration(count)*2*time.Microsecond)
	arm, cancel, expire := timersOnce(all, ms, time.Since(begin))
	fmt.Printf("arm %.2f ns\n", arm/float64(count))
	fmt.Printf("cancel %.2f ns\n", cancel/float64((count+1)/2))
	fmt.Printf("expire %.2f ns\n", expire/float64(count/2))
}

func gather(count int) {
	results := make([]int, count)
	var group sync.WaitGroup
	group.Add(count)
	for i := 0; i < count; i++ {
		go func(i int) {
			runtime.Gosched()
			results[i] = i
			group.Done()
		}(i)
	}
	group.Wait()
	sum := 0
	for _, value := range results {
		sum += value
	}
	check("sum", sum, sumTo(count))
}

func skynetNode(result chan<- int, number, size int) {
	if size == 1 {
		result <- number
		return
	}
	results := make(chan int, 10)
	size /= 10
	for i := 0; i < 10; i++ {
		go skynetNode(results, number+i*size, size)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-results
	}
	result <- sum
}

func skynet(count int) {
	power := 1
	for power < count {
		power *= 10
	}
	check("COUNT, a power of ten", count, power)
	once := func() {
		result := make(chan int, 1)
		go skynetNode(result, 0, count)
		check("sum", <-result, sumTo(count))
	}
	once() // warms up
	watch := start()
	once()
	watch.printMs()
}

// ---- blocking calls ---------------------------------------------------------------

type job struct {
	fn     func(int) int
	number int
	done   chan<- int
}

// Threads of their own, which take jobs as long as there are any.
func pool(threads, room int) chan<- job {
	jobs := make(chan job, room)
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			for j := range jobs {
				j.done <- j.fn(j.number)
			}
		}()
	}
	return jobs
}

func empty(int) int {
	return 1
}

func offload1(jobs chan<- job, count int) {
	done := make(chan int, 1)
	sum := 0
	for i := 0; i < count; i++ {
		jobs <- job{empty, i, done}
		sum += <-done
	}
	check("jobs", sum, count)
}

const mostInFlight = 1000

func offload(jobs chan<- job, count int) {
	inFlight := mostInFlight
	if count < inFlight {
		inFlight = count
	}
	done := make(chan int, inFlight)
	for i := 0; i < inFlight; i++ {
		jobs <- job{empty, i, done}
	}
	sum := 0
	for i := inFlight; i < count; i++ {
		sum += <-done
		jobs <- job{empty, i, done}
	}
	for i := 0; i < inFlight; i++ {
		sum += <-done
	}
	check("jobs", sum, count)
}

//go:noinline
func piPart(part int) int {
	x := uint64(part) + 1 // xorshift64*
	inside := 0
	for i := 0; i < 10000000; i++ {
		x ^= x >> 12
		x ^= x << 25
		x ^= x >> 27
		bits := x * 2685821657736338717
		a, b := bits>>33, bits&0x7FFFFFFF
		if a*a+b*b < 1<<62 {
			inside++
		}
	}
	return inside
}

func pi(parts int) {
	jobs := pool(2, parts)
	offload(jobs, 10)
	watch := start()
	sequence := 0
	for i := 0; i < parts; i++ {
		sequence += piPart(i)
	}
	alone := watch.wallNs()

	done := make(chan int, parts)
	watch = start()
	for i := 0; i < parts; i++ {
		jobs <- job{piPart, i, done}
	}
	inside := 0
	for i := 0; i < parts; i++ {
		inside += <-done
	}
	workers := watch.wallNs()

	check("points inside", inside, sequence)
	if math.Abs(float64(inside)*4/(float64(parts)*1e7)-math.Pi) > 0.01 {
		fmt.Fprintln(os.Stderr, "go: that is not pi")
		os.Exit(1)
	}
	fmt.Printf("speedup %.3f x\n", alone/workers)
}

// ---- queues -----------------------------------------------------------------------

func pingpong(count int) {
	rounds := count / 2
	there, back := make(chan int, 1), make(chan int, 1)
	go func() {
		for value := range there {
			back <- value + 1
		}
		close(back)
	}()
	value := 0
	for i := 0; i < rounds; i++ {
		there <- value + 1
		value = <-back
	}
	close(there)
	<-back
	check("value", value, 2*rounds)
}

func stream(count int) {
	queue := make(chan int, 64)
	go func() {
		for i := 0; i < count; i++ {
			queue <- i
		}
		close(queue)
	}()
	sum := 0
	for i := range queue {
		sum += i
	}
	check("sum", sum, sumTo(count))
}

// ---- echo ---------------------------------------------------------------------------

func serve(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func echo(port int) {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	for err == nil {
		var connection net.Conn
		if connection, err = listener.Accept(); err == nil {
			go serve(connection)
		}
	}
	fmt.Fprintln(os.Stderr, "go: echo:", err)
	os.Exit(1)
}

func main() {
	count := 0
	if len(os.Args) == 3 {
		count, _ = strconv.Atoi(os.Args[2])
	}
	if count <= 0 {
		fmt.Fprintln(os.Stderr, "usage: go WORKLOAD COUNT, or: go echo PORT")
		os.Exit(2)
	}
	threads := runtime.GOMAXPROCS(1)
	if os.Args[1] != "sleep" {
		debug.SetGCPercent(400)
	}
	tenth := count/10 + 1
	switch os.Args[1] {
	case "yield1":
		measure(count, tenth, func(n int) { yieldTasks(1, n) })
	case "yield1000":
		measure(count, tenth, func(n int) { yieldTasks(1000, n) })
	case "depth1":
		measure(count, tenth, func(n int) { depth(1, n) })
	case "depth8":
		measure(count, tenth, func(n int) { depth(8, n) })
	case "depth32":
		measure(count, tenth, func(n int) { depth(32, n) })
	case "call":
		measure(count, tenth, call)
	case "spawn":
		measure(count, tenth, spawn)
	case "sleep":
		sleep(count)
	case "timers":
		timers(count)
	case "gather":
		measure(count, count, gather)
	case "offload1":
		runtime.GOMAXPROCS(threads)
		jobs := pool(1, 1)
		measure(count, tenth, func(n int) { offload1(jobs, n) })
	case "offload":
		runtime.GOMAXPROCS(threads)
		jobs := pool(2, mostInFlight)
		measure(count, tenth, func(n int) { offload(jobs, n) })
	case "pi":
		runtime.GOMAXPROCS(threads)
		pi(count)
	case "pingpong":
		measure(count, tenth, pingpong)
	case "stream":
		measure(count, tenth, stream)
	case "skynet":
		skynet(count)
	case "echo":
		echo(count)
	default:
		fmt.Fprintln(os.Stderr, "go: no workload", os.Args[1])
		os.Exit(2)
	}
}
