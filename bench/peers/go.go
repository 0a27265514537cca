// go.go: the workloads in Go, with goroutines and channels.
// SPDX-License-Identifier: MIT
//
// Fastest sane settings: GOMAXPROCS(1) for everything but offload1, offload and
// pi, as switching between goroutines of one thread is faster and is what the
// other programs do; the garbage collector as it comes. Joining is by
// sync.WaitGroup, or by a channel where a value is returned.
//
// sleep: a million goroutines take longer than 1 s to start, so the first have
// ended before the last is there: memory is divided by the most that were there
// together. offload: a pool of two goroutines, each locked to a thread of its own; jobs
// and results go through channels with room for all that is in flight.
// timers: Go has no virtual time. A deadline of x ms becomes x us after a start
// that lies behind all arming and canceling: the heap does the same work, and
// the 10 s last 10 ms, which is less than expiry takes. Each timer expires into
// its own channel; expire includes the receive.
// pingpong: two channels of capacity 1, there and back, COUNT messages in all.
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
	yields(1000)
	each := count / tasks
	done := make([]int, tasks)
	var group sync.WaitGroup
	watch := start()
	group.Add(tasks)
	for i := 0; i < tasks; i++ {
		i := i
		go func() {
			done[i] = yields(each)
			group.Done()
		}()
	}
	group.Wait()
	sum := 0
	for _, n := range done {
		sum += n
	}
	check("yields", sum, each*tasks)
	watch.print(sum)
}

//go:noinline
func level(depth, count int) int {
	if depth == 1 {
		return yields(count)
	}
	return level(depth-1, count)
}

func depth(levels, count int) {
	yields(1000)
	watch := start()
	check("yields", level(levels, count), count)
	watch.print(count)
}

//go:noinline
func plusOne(x int) int {
	return x + 1
}

func call(count int) {
	watch := start()
	sum := 0
	for i := 0; i < count; i++ {
		sum += plusOne(i)
	}
	check("sum", sum, sumTo(count)+count)
	watch.print(count)
}

// ---- tasks ----------------------------------------------------------------------

func spawn(count int) {
	result := make(chan int, 1)
	watch := start()
	sum := 0
	for i := 0; i < count; i++ {
		go func(i int) { result <- i }(i)
		sum += <-result
	}
	check("sum", sum, sumTo(count))
	watch.print(count)
}

func sleep(count int) {
	var first time.Time
	var armed, done, peak int64 // goroutines share them, so atomically
	var group sync.WaitGroup
	before := rss()
	watch := start()
	group.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			if atomic.AddInt64(&armed, 1) == 1 {
				first = time.Now()
			}
			time.Sleep(time.Second)
			atomic.AddInt64(&done, 1)
			group.Done()
		}()
		if alive := int64(i) + 1 - atomic.LoadInt64(&done); alive > peak {
			peak = alive
		}
	}
	for atomic.LoadInt64(&armed) < int64(count) {
		runtime.Gosched()
	}
	memory := rss() - before
	group.Wait()
	check("sleepers", int(done), count)
	beyond := float64(time.Since(first).Nanoseconds())/1e6 - 1000
	fmt.Printf("memory %.1f B\n", memory/float64(peak))
	fmt.Printf("beyond %.1f ms\n", beyond)
	fmt.Printf("cpu %.1f ms\n", (cpuNs()-watch.cpu)/1e6)
}

func timers(count int) {
	all := make([]*time.Timer, count)
	x := uint64(88172645463325252)
	due := time.Now().Add(time.Second + time.Duration(count)*3*time.Microsecond)

	watch := start()
	now := watch.wall
	for i := range all {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		if i%64 == 0 {
			now = time.Now()
		}
		all[i] = time.NewTimer(due.Sub(now) + time.Duration(x%10000)*time.Microsecond)
	}
	arm := watch.wallNs()

	watch = start()
	stopped := 0
	for i := 1; i < count; i += 2 {
		if all[i].Stop() {
			stopped++
		}
	}
	cancel := watch.wallNs()
	check("timers stopped", stopped, count/2)
	if time.Now().After(due) {
		fmt.Fprintln(os.Stderr, "go: arming took too long to measure expiry")
		os.Exit(1)
	}

	time.Sleep(time.Until(due))
	watch = stopwatch{wall: due}
	expired := 0
	for i := 0; i < count; i += 2 {
		<-all[i].C
		expired++
	}
	expire := watch.wallNs()
	check("timers over", expired, (count+1)/2)
	fmt.Printf("arm %.2f ns\n", arm/float64(count))
	fmt.Printf("cancel %.2f ns\n", cancel/float64(stopped))
	fmt.Printf("expire %.2f ns\n", expire/float64(expired))
}

func gather(count int) {
	results := make([]int, count)
	var group sync.WaitGroup
	watch := start()
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
	watch.print(count)
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
	result := make(chan int, 1)
	watch := start()
	go skynetNode(result, 0, count)
	check("sum", <-result, sumTo(count))
	watch.printMs()
}

// ---- blocking calls ---------------------------------------------------------------

type job struct {
	fn     func(int) int
	number int
	done   chan<- int
}

// Two threads of their own, which take jobs as long as there are any.
func pool(room int) chan<- job {
	jobs := make(chan job, room)
	for i := 0; i < 2; i++ {
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

func offload1(count int) {
	done := make(chan int, 1)
	jobs := pool(1)
	run := func(count int) int {
		sum := 0
		for i := 0; i < count; i++ {
			jobs <- job{empty, i, done}
			sum += <-done
		}
		return sum
	}
	run(100)
	watch := start()
	check("jobs", run(count), count)
	watch.print(count)
}

func offload(count int) {
	inFlight := 1000
	if count < inFlight {
		inFlight = count
	}
	done := make(chan int, inFlight)
	jobs := pool(inFlight)
	watch := start()
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
	watch.print(count)
}

//go:noinline
func piPart(part int) int {
	x := uint64(part) + 1 // xorshift64*
	inside := 0
	for i := 0; i < 2000000; i++ {
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
	piPart(0)
	watch := start()
	sequence := 0
	for i := 0; i < parts; i++ {
		sequence += piPart(i)
	}
	alone := watch.wallNs()

	done := make(chan int, parts)
	jobs := pool(parts)
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
	if math.Abs(float64(inside)*4/(float64(parts)*2e6)-math.Pi) > 0.01 {
		fmt.Fprintln(os.Stderr, "go: that is not pi")
		os.Exit(1)
	}
	fmt.Printf("speedup %.3f x\n", alone/workers)
}

// ---- queues -----------------------------------------------------------------------

func pingpong(count int) {
	rounds := count / 2
	there, back := make(chan int, 1), make(chan int, 1)
	watch := start()
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
	watch.print(2 * rounds)
}

func stream(count int) {
	queue := make(chan int, 64)
	watch := start()
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
	watch.print(count)
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
	switch os.Args[1] {
	case "yield1":
		yieldTasks(1, count)
	case "yield1000":
		yieldTasks(1000, count)
	case "depth1":
		depth(1, count)
	case "depth8":
		depth(8, count)
	case "depth32":
		depth(32, count)
	case "call":
		call(count)
	case "spawn":
		spawn(count)
	case "sleep":
		sleep(count)
	case "timers":
		timers(count)
	case "gather":
		gather(count)
	case "offload1":
		runtime.GOMAXPROCS(threads)
		offload1(count)
	case "offload":
		runtime.GOMAXPROCS(threads)
		offload(count)
	case "pi":
		runtime.GOMAXPROCS(threads)
		pi(count)
	case "pingpong":
		pingpong(count)
	case "stream":
		stream(count)
	case "skynet":
		skynet(count)
	case "echo":
		echo(count)
	default:
		fmt.Fprintln(os.Stderr, "go: no workload", os.Args[1])
		os.Exit(2)
	}
}
