package host

import (
	"errors"
	"testing"
)

func TestTheKernelsFilesAreRead(t *testing.T) {
	files := map[string]string{
		"/proc/loadavg":         "80.12 40.00 10.00 9/812 4711\n",
		"/proc/meminfo":         "MemTotal:        8192000 kB\nMemFree: 1 kB\nMemAvailable:    2048000 kB\n",
		"/proc/pressure/cpu":    "some avg10=91.20 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"/proc/pressure/memory": "some avg10=50.00 avg60=1.00 avg300=0.00 total=1\nfull avg10=33.30 avg60=0.00 avg300=0.00 total=0\n",
	}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("no such file")
	}
	s := State{Load: unknown}
	s.from(read)
	if s.Load != 80.12 || s.MemoryMiB != 8000 || s.FreeMiB != 2000 || s.CPUStall != 91.2 || s.MemoryStall != 33.3 || s.DiskStall != unknown {
		t.Errorf("it read %+v", s)
	}
	for name := range files {
		files[name] = "what is this"
	}
	s = State{Load: unknown}
	s.from(read)
	if s.Load != unknown || s.FreeMiB != unknown || s.CPUStall != unknown {
		t.Errorf("of damaged files it read %+v", s)
	}
}
