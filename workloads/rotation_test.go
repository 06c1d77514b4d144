package workloads

import (
	"slices"
	"testing"
)

// All keys are told that were ever taken, the newest first, and no other.
func TestAllKeys(t *testing.T) {
	r := NewRotation("k", 3, 2)
	if keys := r.All(10); len(keys) != 0 {
		t.Errorf("before any was taken: %q", keys)
	}
	taken := map[string]bool{}
	for i, times := range []int{5, 0, 2} { // the third key of slot 0, none of slot 1, the first of slot 2
		for range times {
			taken[r.Take(i).Key] = true
		}
	}
	want := []string{"k6", "k2", "k3", "k0"}
	if keys := r.All(10); !slices.Equal(keys, want) || len(taken) != len(want) {
		t.Errorf("%q, want %q of %v", keys, want, taken)
	}
	if keys := r.All(2); !slices.Equal(keys, want[:2]) {
		t.Errorf("two of them: %q", keys)
	}
}

// To peek at a key does not use it up.
func TestPeek(t *testing.T) {
	r := NewRotation("k", 2, 1)
	for range 3 {
		if key := r.Peek(1); key != "k1" {
			t.Fatalf("the key is %s", key)
		}
	}
	r.Take(1)
	r.Take(1)
	if key := r.Peek(1); key != "k3" {
		t.Errorf("the key is %s after its share of operations", key)
	}
}
