package testplan

import (
	"strings"
	"testing"
)

// TestTraceOfASystem: auto is settled by the system, and what a system has not is refused.
func TestTraceOfASystem(t *testing.T) {
	for _, c := range []struct{ system, asked, want, refused string }{
		{"raftkv", TraceAuto, TraceFull, ""},
		{"etcd", TraceAuto, TraceBasic, ""},
		{"raftkv", TraceBasic, TraceBasic, ""},
		{"raftkv", TraceFull, TraceFull, ""},
		{"etcd", TraceFull, "", "the servers of etcd write no trace"},
	} {
		test := DefaultTest()
		for name, value := range map[string]string{"system": c.system, "trace": c.asked} {
			option, _ := FindOption(name)
			if err := option.Set(&test, value); err != nil {
				t.Fatal(err)
			}
		}
		switch err := test.Validate(); {
		case c.refused != "":
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s of %s: %v, want %q", c.asked, c.system, err, c.refused)
			}
		case err != nil:
			t.Errorf("%s of %s: %v", c.asked, c.system, err)
		case test.Trace != c.want:
			t.Errorf("%s of %s is %s, want %s", c.asked, c.system, test.Trace, c.want)
		}
	}
	for _, name := range []string{"ci", "guided", "elections"} {
		test := DefaultTest()
		if err := ApplyProfile(&test, name); err != nil {
			t.Fatal(err)
		}
		if err := test.Validate(); err != nil || test.Trace != TraceFull {
			t.Errorf("the profile %s: trace %s, %v", name, test.Trace, err)
		}
	}
}
