package check

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
)

const gib = 1 << 30

// DefaultMemory is the memory limit in bytes when none is given: half of what
// the machine, or the control group of this process, has left, at most 8 GiB;
// 1 GiB where that cannot be found out.
func DefaultMemory() uint64 {
	free := FreeMemory()
	if free == 0 {
		return gib
	}
	return min(free/2, 8*gib)
}

// FreeMemory is what the machine, or the control group of this process, has
// left in bytes; 0 where that cannot be found out.
func FreeMemory() uint64 {
	free := uint64(0)
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		free = memAvailable(data)
	}
	for _, path := range [...]string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// "max" is no number: no limit.
		if n, err := strconv.ParseUint(string(bytes.TrimSpace(data)), 10, 64); err == nil && n > 0 && (free == 0 || n < free) {
			free = n
		}
	}
	return free
}

// memAvailable finds MemAvailable in the text of /proc/meminfo, in bytes; 0
// when it is not there.
func memAvailable(meminfo []byte) uint64 {
	for line := range bytes.Lines(meminfo) {
		if fields := bytes.Fields(line); len(fields) >= 2 && string(fields[0]) == "MemAvailable:" {
			n, err := strconv.ParseUint(string(fields[1]), 10, 64)
			if err == nil {
				return n << 10 // the file counts in KiB
			}
		}
	}
	return 0
}

// HeapBytes is what the heap's objects take, dead ones that were not yet swept
// included. Unlike runtime.ReadMemStats it does not stop the world.
func HeapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// MemoryFull says whether the heap is over the limit with what is really in
// use. A quarter is left free, lest the collector be run again and again for
// a few bytes.
func MemoryFull(limit uint64) bool {
	if HeapBytes() <= limit {
		return false
	}
	runtime.GC()
	return HeapBytes() > limit/4*3
}
