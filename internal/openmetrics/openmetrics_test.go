package openmetrics

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestWriter(t *testing.T) {
	var b strings.Builder
	m := New(&b, "run", "a")
	m.Family("x", "counter", "What \"x\" is.")
	m.Sample("x_total", 3, time.Unix(7, 8e6), "k", "a\"b\\c\nd")
	m.Sample("x_total", 0.25, time.Time{})
	if err := m.End(); err != nil {
		t.Fatal(err)
	}
	bare := New(&b)
	bare.Family("y", "gauge", "Bare.")
	bare.Sample("y", 1e9, time.Time{})
	if err := bare.End(); err != nil {
		t.Fatal(err)
	}
	want := `# TYPE x counter
# HELP x What \"x\" is.
x_total{run="a",k="a\"b\\c\nd"} 3 7.008
x_total{run="a"} 0.25
# EOF
# TYPE y gauge
# HELP y Bare.
y 1e+09
# EOF
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriterTellsAnError(t *testing.T) {
	m := New(full{})
	m.Sample("x", 1, time.Time{})
	if err := m.End(); !errors.Is(err, errFull) {
		t.Errorf("End = %v", err)
	}
}
