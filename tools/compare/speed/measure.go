package main

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"syscall"
	"time"
)

// job is one row: something that is done over and over.
type job struct {
	group string
	name  string
	// run does it once. It returns an error when the outcome is not the one
	// that the row is about.
	run func() error
	// prepare, if not nil, makes ready for n runs. Its time does not count.
	prepare func(n int) error
	// limit is the crypto that the job cannot do without.
	limit func() error
	// workers do it at once; 0 is 1.
	workers int
}

// result is what a job costs.
type result struct {
	job
	nanoseconds float64 // of CPU time
	bytes       float64
	allocations float64
	ratio       float64 // to the limit
	beyond      float64 // nanoseconds more than the limit
}

const (
	pairs = 31
	slice = 25 * time.Millisecond
)

// cpuTime returns how much CPU time this process has used: all threads, the
// garbage collector included, other processes excluded.
func cpuTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// measure lets the limit and the job alternate in slices of CPU time, so that
// whatever else the machine does strikes both, and takes the median of the
// ratios of neighbouring slices.
func measure(j job) (result, error) {
	limits, err := fit(j.limit, nil, 1)
	if err != nil {
		return result{}, err
	}
	runs, err := fit(j.run, j.prepare, j.workers)
	if err != nil {
		return result{}, err
	}
	r := result{job: j}
	ratios, times, beyond := make([]float64, pairs), make([]float64, pairs), make([]float64, pairs)
	for i := range pairs {
		limit, err := spend(j.limit, nil, limits, 1)
		if err != nil {
			return result{}, err
		}
		if times[i], err = spend(j.run, j.prepare, runs, j.workers); err != nil {
			return result{}, err
		}
		ratios[i], beyond[i] = times[i]/limit, times[i]-limit
	}
	r.ratio, r.nanoseconds, r.beyond = median(ratios), median(times), median(beyond)
	r.bytes, r.allocations, err = allocations(j)
	return r, err
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// fit returns how many runs make a slice.
func fit(run func() error, prepare func(int) error, workers int) (int, error) {
	for n := 1; ; n *= 2 {
		each, err := spend(run, prepare, n, workers)
		if err != nil {
			return 0, err
		}
		if each*float64(n) >= float64(slice)/2 {
			return max(1, int(float64(slice)/each)), nil
		}
	}
}

// spend returns the CPU time of one of n runs in nanoseconds.
func spend(run func() error, prepare func(int) error, n, workers int) (float64, error) {
	if prepare != nil {
		if err := prepare(n); err != nil {
			return 0, err
		}
		runtime.GC() // what preparing left behind is not the job's
	}
	began, err := cpuTime()
	if err != nil {
		return 0, err
	}
	if err := repeat(run, n, workers); err != nil {
		return 0, err
	}
	ended, err := cpuTime()
	return float64(ended-began) / float64(n), err
}

// repeat runs n times, spread over workers.
func repeat(run func() error, n, workers int) error {
	if workers <= 1 {
		for range n {
			if err := run(); err != nil {
				return err
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	failures := make([]error, workers)
	for w := range workers {
		wg.Go(func() { failures[w] = repeat(run, (n+workers-1)/workers, 1) })
	}
	wg.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// allocations returns the mean of many runs.
func allocations(j job) (bytes, count float64, err error) {
	const runs = 500
	if j.prepare != nil {
		if err := j.prepare(runs); err != nil {
			return 0, 0, err
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := repeat(j.run, runs, 1); err != nil {
		return 0, 0, err
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / runs, float64(after.Mallocs-before.Mallocs) / runs, nil
}

// scale is how throughput grows from one worker to two, compared with the bare
// crypto: 1 is alike.
type scale struct {
	cpu      float64       // by CPU time: what cores pay for sharing memory
	wall     float64       // by elapsed time: also what they wait for each other
	lockWait time.Duration // that all goroutines have waited for locks meanwhile
}

func scaling(limit, run func() error) (scale, error) {
	limits, err := fit(limit, nil, 1)
	if err != nil {
		return scale{}, err
	}
	runs, err := fit(run, nil, 1)
	if err != nil {
		return scale{}, err
	}
	timed := func(run func() error, n, workers int) (cpu, wall float64, err error) {
		began := time.Now()
		cpu, err = spend(run, nil, n, workers)
		return cpu, float64(time.Since(began)) / float64(n), err
	}
	waited := lockWait()
	cpus, walls := make([]float64, pairs), make([]float64, pairs)
	for i := range pairs {
		var cpu, wall [4]float64
		for k, f := range []struct {
			run        func() error
			n, workers int
		}{{limit, limits, 1}, {run, runs, 1}, {limit, limits, 2}, {run, runs, 2}} {
			if cpu[k], wall[k], err = timed(f.run, f.n, f.workers); err != nil {
				return scale{}, err
			}
		}
		cpus[i] = (cpu[1] / cpu[3]) / (cpu[0] / cpu[2])
		walls[i] = (wall[1] / wall[3]) / (wall[0] / wall[2])
	}
	return scale{cpu: median(cpus), wall: median(walls), lockWait: lockWait() - waited}, nil
}

// lockWait returns how long goroutines have waited for mutexes so far.
func lockWait() time.Duration {
	sample := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64 {
		return 0
	}
	return time.Duration(sample[0].Value.Float64() * float64(time.Second))
}

// grown is what many verifications have left behind.
type grown struct {
	goroutines int
	heap       int64 // live bytes
	early      float64
	late       float64 // allocations of one, at the beginning and at the end
}

func growth(runs int, run func() error) (grown, error) {
	if err := repeat(run, 100, 1); err != nil {
		return grown{}, err
	}
	_, early, err := allocations(job{run: run})
	if err != nil {
		return grown{}, err
	}
	goroutines, heap := runtime.NumGoroutine(), liveHeap()
	if err := repeat(run, runs, 2); err != nil {
		return grown{}, err
	}
	heapAfter, goroutinesAfter := liveHeap(), runtime.NumGoroutine()
	_, late, err := allocations(job{run: run})
	return grown{goroutinesAfter - goroutines, heapAfter - heap, early, late}, err
}

// expect turns an outcome into an error of the benchmark.
func expect(accepted bool, err error) error {
	switch {
	case accepted && err != nil:
		return fmt.Errorf("a good token was refused: %w", err)
	case !accepted && err == nil:
		return errAccepted
	default:
		return nil
	}
}

// liveHeap returns the bytes that are in use.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // the first one only retires what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
