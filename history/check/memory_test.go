package check

import "testing"

func TestDefaultLimits(t *testing.T) {
	l := Limits{}.WithDefaults()
	if l.Time != DefaultTime || l.Memory < 64<<20 || l.Memory > 8*gib || l.Workers < 1 {
		t.Errorf("%+v", l)
	}
	if got := memAvailable([]byte("MemTotal: 10 kB\nMemAvailable:   2048 kB\n")); got != 2<<20 {
		t.Errorf("memAvailable: %d", got)
	}
	if HeapBytes() == 0 {
		t.Error("the heap cannot be measured")
	}
}
