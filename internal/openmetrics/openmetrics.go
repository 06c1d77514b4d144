// Package openmetrics writes text in the exposition format of OpenMetrics, which Prometheus
// scrapes and imports. Source: the OpenMetrics specification, version 1.0.
package openmetrics

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ContentType is that of an answer over HTTP.
const ContentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// Writer writes families of metrics, each once, and then the end.
type Writer struct {
	w      *bufio.Writer
	common []string
}

// New writes to w. common are names and values of labels that every sample has.
func New(w io.Writer, common ...string) *Writer {
	return &Writer{bufio.NewWriter(w), common}
}

// Family begins the samples of a metric of a type: gauge, or counter, whose samples are
// called as the family with _total behind.
func (m *Writer) Family(name, kind, help string) {
	fmt.Fprintf(m.w, "# TYPE %s %s\n# HELP %s %s\n", name, kind, name, escape.Replace(help))
}

// Sample writes a value, with its time unless that is zero. labels are names and values.
func (m *Writer) Sample(name string, value float64, at time.Time, labels ...string) {
	m.w.WriteString(name)
	sep := byte('{')
	for _, list := range [][]string{m.common, labels} {
		for i := 0; i+1 < len(list); i += 2 {
			m.w.WriteByte(sep)
			fmt.Fprintf(m.w, `%s="%s"`, list[i], escape.Replace(list[i+1]))
			sep = ','
		}
	}
	if sep == ',' {
		m.w.WriteByte('}')
	}
	m.w.WriteByte(' ')
	m.w.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
	if !at.IsZero() {
		fmt.Fprintf(m.w, " %d.%03d", at.Unix(), at.Nanosecond()/1e6)
	}
	m.w.WriteByte('\n')
}

// escape is for the value of a label, and for a help text.
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// End writes the end, and returns the first error of all that was written.
func (m *Writer) End() error {
	m.w.WriteString("# EOF\n")
	return m.w.Flush()
}
