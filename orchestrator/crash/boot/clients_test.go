package boot

import (
	"strings"
	"testing"

	"squall/nodeimage/agent/protocol"
	"squall/workloads/driver"
)

// A driver that was in trouble is none that did its work, however it ended: what it told
// may not be whole.
func TestTroubleOfADriverIsNotForgottenAtItsEnd(t *testing.T) {
	for name, does := range map[string]func(c *clients){
		"an error": func(c *clients) {
			c.Stream(protocol.StreamLog, 1, []byte(`{"event":"error","error":"no such workload"}`+"\n"))
		},
		"too much": func(c *clients) {
			c.Stream(protocol.StreamTrace, 1, make([]byte, maxLines+1))
		},
	} {
		c := &clients{boot: 1, seen: map[string]driver.Event{}, changed: make(chan struct{})}
		does(c)
		c.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Reason: "exit status 0"})
		if ops, err := c.awaitExit(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "the driver: ") {
			t.Errorf("%s: %d operations, %v", name, len(ops), err)
		}
	}
}
