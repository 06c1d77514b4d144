package host

import (
	"os"
	"strconv"
	"strings"
)

// fill reads what the kernel says.
func (s *State) fill() { s.from(os.ReadFile) }

// from reads it by way of read.
func (s *State) from(read func(string) ([]byte, error)) {
	if text, err := read("/proc/loadavg"); err == nil {
		if first, _, ok := strings.Cut(string(text), " "); ok {
			s.Load = number(first, s.Load)
		}
	}
	if text, err := read("/proc/meminfo"); err == nil {
		s.FreeMiB = memory(string(text), "MemAvailable:")
		s.MemoryMiB = memory(string(text), "MemTotal:")
	}
	s.CPUStall = stall(read, "cpu", "some")
	s.DiskStall = stall(read, "io", "full")
	s.MemoryStall = stall(read, "memory", "full")
}

func number(text string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(text, 64); err == nil && v >= 0 {
		return v
	}
	return otherwise
}

// memory is a line of /proc/meminfo, which counts in KiB, in MiB.
func memory(meminfo, name string) float64 {
	for line := range strings.Lines(meminfo) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == name {
			if kib := number(fields[1], unknown); kib >= 0 {
				return round(kib / 1024)
			}
		}
	}
	return unknown
}

// stall is the pressure stall information of a resource, of the last ten
// seconds, in %; unknown where the kernel has none.
func stall(read func(string) ([]byte, error), resource, kind string) float64 {
	text, err := read("/proc/pressure/" + resource)
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != kind {
			continue
		}
		if value, ok := strings.CutPrefix(fields[1], "avg10="); ok {
			return number(value, unknown)
		}
	}
	return unknown
}
