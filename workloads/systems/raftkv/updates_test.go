package raftkv

import (
	"testing"

	"squall/workloads/counter"
	"squall/workloads/monotonic"
	"squall/workloads/queue"
	"squall/workloads/setremove"
	"squall/workloads/uniqueids"
)

// A counter is a number of the servers', and one that nobody added to is 0.
func TestCounters(t *testing.T) {
	ctx := t.Context()
	c, err := System{}.Dial(ctx, scripted(t, map[string]string{"none": answerNone, "sum": "\x01\x01-12", "text": "\x01\x01x", "failed": answerFailed, "unknown": answerUnknown}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	counters := c.(counter.Client)
	if err := counters.Increase(ctx, "sum", 3); err != nil {
		t.Errorf("increase: %v", err)
	}
	checkError(t, "an add that was refused", counters.Increase(ctx, "failed", 1), true, false)
	checkError(t, "an add of unknown outcome", counters.Increase(ctx, "unknown", 1), false, false)
	for key, want := range map[string]int64{"none": 0, "sum": -12} {
		if n, err := counters.Count(ctx, key); n != want || err != nil {
			t.Errorf("count of %s: %d, %v", key, n, err)
		}
	}
	if n, err := c.(monotonic.Client).Grow(ctx, "sum"); n != -12 || err != nil {
		t.Errorf("grow: %d, %v", n, err)
	}
	if id, err := c.(uniqueids.Client).NewID(ctx, "sum"); id != "-12" || err != nil {
		t.Errorf("an id: %q, %v", id, err)
	}
	_, err = c.(uniqueids.Client).NewID(ctx, "unknown")
	checkError(t, "an id of unknown outcome", err, false, false)
	if n, err := counters.Count(ctx, "text"); err == nil {
		t.Errorf("what is no number was read as %d", n)
	}
}

// A queue is a list of the server's, whose first element is taken.
func TestQueues(t *testing.T) {
	ctx := t.Context()
	c, err := System{}.Dial(ctx, scripted(t, map[string]string{"none": answerNone, "one": "\x01\x01a", "failed": answerFailed, "unknown": answerUnknown}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	queues := c.(queue.FIFOClient)
	if err := queues.Enqueue(ctx, "none", "a"); err != nil {
		t.Errorf("enqueue: %v", err)
	}
	for key, want := range map[string]string{"none": "", "one": "a"} {
		if value, found, err := queues.Dequeue(ctx, key); value != want || found != (want != "") || err != nil {
			t.Errorf("dequeue of %s: %q, %v, %v", key, value, found, err)
		}
	}
	_, _, err = queues.Dequeue(ctx, "failed")
	checkError(t, "a dequeue that was refused", err, true, false)
	_, _, err = queues.Dequeue(ctx, "unknown")
	checkError(t, "a dequeue of unknown outcome", err, false, false)
}

func TestRemove(t *testing.T) {
	ctx := t.Context()
	c, err := System{}.Dial(ctx, scripted(t, map[string]string{"there": answerNone, "not": "\x02\x00", "unknown": answerUnknown}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sets := c.(setremove.Client)
	for key, want := range map[string]bool{"there": true, "not": false} {
		if removed, err := sets.Remove(ctx, key, "a"); removed != want || err != nil {
			t.Errorf("remove from %s: %v, %v", key, removed, err)
		}
	}
	_, err = sets.Remove(ctx, "unknown", "a")
	checkError(t, "a remove of unknown outcome", err, false, false)
}
