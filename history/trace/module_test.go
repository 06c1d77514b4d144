package trace

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// TestModulesBytes: what the module for users writes is read as it was meant. Its own test
// (trace/steps) demands that it writes these very bytes.
func TestModulesBytes(t *testing.T) {
	data, err := os.ReadFile("../../trace/steps/testdata/every.trace")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	kinds, types := map[Kind]bool{}, map[MessageType]bool{}
	for r := NewReader(bytes.NewReader(data)); ; {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[e.Kind] = true
		if e.Message != nil {
			types[e.Message.Type] = true
		}
		e.Time = 0
		got = append(got, e.String())
	}
	for _, k := range Kinds() {
		if !kinds[k] && k != Silent { // which is squall's own
			t.Errorf("there is no %v", k)
		}
	}
	for m := PreVote; m <= lastMessageType; m++ {
		if !types[m] {
			t.Errorf("there is no message %v", m)
		}
	}
	want := strings.TrimSpace(`
n3 start term=1 vote=n2 base=4/1 runs=5-6/1 mark=4/1 members=n1,n2,n3 lacks=config,numbers,begun-configs
n3 role candidate term=2 mark=6/1 reason="election timeout"
n3 grant term=2 peer=n3 mark=6/1
n3 tally term=2 peer=n1 pre reject
n3 append term=2 runs=7-9/1,10/2,300-304/2
n3 truncate term=2 mark=7/2
n3 compact term=2 mark=7/2
n3 persist term=2 vote=n3 mark=7/2
n3 commit term=2 mark=7/2 hash=0000000000000abc
n3 apply term=2 mark=7/2
n3 state term=2 mark=7/2 hash=8000000000000000
n3 read-came term=2 first=1 last=4
n3 round-begun term=2 first=1 last=4 round=9 mark=7/2
n3 round-done term=2 round=9
n3 read-served term=2 first=1 last=4 mark=7/2 reason="lease"
n3 snapshot term=2 reason="taken" peer=n1 mark=7/2 members=n1,n2
n3 transfer term=2 peer=n1
n3 config term=2 mark=7/2 members=n1,n2 old=n1,n2,n3
n3 failed term=2 reason="the disk is full"
n3 progress term=2 peer=n3 match=300 next=301
n3 timeout term=2 steps=400
n3 receive pre-vote term=2 from=n1 number=1 mark=7/2
n3 send pre-vote-reply term=2 to=n1 number=2 reject
n3 receive vote term=2 from=n1 number=3 mark=7/2
n3 send vote-reply term=2 to=n1 number=4 reject
n3 receive append term=2 from=n1 number=5 mark=7/2 runs=8-9/2 commit=5
n3 send append-reply term=2 to=n1 number=6 mark=7/2 reject hint=3/1
n3 receive heartbeat term=2 from=n1 number=7 commit=5 round=6
n3 send heartbeat-reply term=2 to=n1 number=8 round=6
n3 receive snapshot term=2 from=n1 number=9 mark=7/2 offset=100 size=50 done
n3 send snapshot-reply term=2 to=n1 number=10 mark=7/2 offset=100
n3 receive timeout-now term=2 from=n1 number=11
n3 send other term=2 to=n1 number=12`)
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("it is read as\n%s\nwant\n%s", text, want)
	}
}
