package agent

import (
	"slices"
	"testing"
)

// The flags that the runtimes give to an agent, and what none is.
func TestParseOptions(t *testing.T) {
	o, err := ParseOptions([]string{"--server-uids", "65532,1000", "--server-processes=64", "--data", "/data"})
	if err != nil || !slices.Equal(o.Server.UIDs, []int{65532, 1000}) || o.Server.Processes != 64 || o.Server.DataDir != "/data" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"--server-uids", "0"}, {"--server-uids", "1,x"}, {"--server-uids", ""}, {"--server-processes", "many"}, {"--weather"}} {
		if o, err := ParseOptions(args); err == nil {
			t.Errorf("%q gives %+v", args, o)
		}
	}
}
