package etcdtla_test

import (
	"strings"
	"testing"

	"squall/history/conformance"
	"squall/history/etcdtla"
)

// FuzzReader: no lines, however untrue, are more than damage, silence or a broken rule.
func FuzzReader(f *testing.F) {
	lines, err := recordedFile()
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range []int{12, 60, 200} {
		f.Add(strings.Join(lines[:n], ""))
	}
	f.Add(strings.ReplaceAll(strings.Join(lines[:60], ""), `"log":3`, `"log":18446744073709551615`))
	f.Fuzz(func(t *testing.T, text string) {
		r := etcdtla.NewReader(etcdtla.File{Name: "one", From: strings.NewReader(text)}, etcdtla.File{Name: "two", From: strings.NewReader(text)})
		c := conformance.New()
		follow(t, c, r)
		c.Expect(r.Voters()...)
		c.Report()
	})
}
