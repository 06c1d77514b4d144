package raftkv

import (
	"testing"
	"time"

	"squall/workloads/lease"
)

// A lease is a lock's, and what it protects is a register with the highest token.
func TestLeases(t *testing.T) {
	ctx := t.Context()
	c, err := System{}.Dial(ctx, scripted(t, map[string]string{"free": answerToken7, "held": answerHeld, "none": answerNone, "seven": "\x01\x017", "text": "\x01\x01x",
		"failed": answerFailed, "unknown": answerUnknown}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	leases := c.(lease.Client)
	if token, holder, err := leases.AcquireLease(ctx, "free", "c1-1", time.Second); token != 7 || holder != "" || err != nil {
		t.Errorf("acquire: %d, %q, %v", token, holder, err)
	}
	if token, holder, err := leases.AcquireLease(ctx, "held", "c2-1", time.Second); token != 0 || holder != "c1-1" || err != nil {
		t.Errorf("acquire of a held lock: %d, %q, %v", token, holder, err)
	}
	for key, want := range map[string]bool{"free": true, "held": false} {
		if alive, err := leases.KeepAlive(ctx, key, "c1-1", 7, time.Second); alive != want || err != nil {
			t.Errorf("keep-alive of %s: %v, %v", key, alive, err)
		}
	}
	for key, want := range map[string]uint64{"none": 0, "seven": 7} {
		if token, err := leases.ReadFence(ctx, key); token != want || err != nil {
			t.Errorf("%s holds %d, %v", key, token, err)
		}
	}
	// The server swaps whatever is expected, as one does that has carried out the same
	// command before: a write that was overtaken since is accepted all the same.
	for key, token := range map[string]uint64{"none": 3, "seven": 8} {
		if accepted, err := leases.WriteFenced(ctx, key, token); !accepted || err != nil {
			t.Errorf("a write to %s: %v, %v", key, accepted, err)
		}
	}
	if accepted, err := leases.WriteFenced(ctx, "seven", 5); !accepted || err != nil {
		t.Errorf("a write that had taken effect before: %v, %v", accepted, err)
	}
	_, err = leases.WriteFenced(ctx, "failed", 1)
	checkError(t, "a write whose read failed", err, true, false)
	if _, err := leases.WriteFenced(ctx, "text", 1); err == nil {
		t.Error("what is no token was replaced")
	}
	_, err = leases.KeepAlive(ctx, "unknown", "c1-1", 7, time.Second)
	checkError(t, "a keep-alive of unknown outcome", err, false, false)
}
