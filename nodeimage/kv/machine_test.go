package kv

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// TestMachineAgainstMap applies random commands to the machine and to a plain
// map, takes snapshots on the way, and compares everything that can be seen.
func TestMachineAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, model := NewMachine(), map[string]string{}
		keys := rapid.SampledFrom([]string{"", "a", "b", "longer key", "\x00"})
		values := rapid.SampledFrom([]string{"", "1", "2", "a value of some length"})
		var views []func(io.Writer) error // snapshots not yet written
		var states []map[string]string    // what they have to hold
		var hashes []uint64
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				key, value := keys.Draw(t, "key"), values.Draw(t, "value")
				res := m.Apply(1, appendCommand(nil, OpPut, key, Value{}, value)).(response)
				old, had := model[key]
				model[key] = value
				if want := (response{status: statusOK, value: Value{Data: old, Present: had}}); res != want {
					t.Fatalf("put: %+v, want %+v", res, want)
				}
			},
			"delete": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				m.Apply(1, appendCommand(nil, OpDelete, key, Value{}, ""))
				delete(model, key)
			},
			"cas": func(t *rapid.T) {
				key, value := keys.Draw(t, "key"), values.Draw(t, "value")
				expect := Value{}
				if rapid.Bool().Draw(t, "expect present") {
					expect = Some(values.Draw(t, "expect"))
				}
				old, had := model[key]
				found := Value{Data: old, Present: had}
				want := response{status: statusCompareFailed, value: found}
				if found == expect {
					want = response{status: statusOK}
					model[key] = value
				}
				if got := m.Apply(1, appendCommand(nil, OpCAS, key, expect, value)); got != want {
					t.Fatalf("cas of %+v: %+v, want %+v", found, got, want)
				}
			},
			"snapshot": func(t *rapid.T) {
				write, err := m.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				views, states, hashes = append(views, write), append(states, maps.Clone(model)), append(hashes, m.Hash())
			},
			"": func(t *rapid.T) {
				compare(t, m, model)
				if m.Digest() != m.Hash() {
					t.Fatalf("digest %x, hash %x", m.Digest(), m.Hash())
				}
			},
		})
		for i, write := range views { // after all those changes they are what they were
			var buf bytes.Buffer
			if err := write(&buf); err != nil {
				t.Fatal(err)
			}
			restored := filled(3)
			if err := restored.Restore(&buf); err != nil {
				t.Fatal(err)
			}
			compare(t, restored, states[i])
			if restored.Hash() != hashes[i] {
				t.Fatalf("restored hash %x, was %x", restored.Hash(), hashes[i])
			}
		}
	})
}

// read is what a key holds, when that is a string or nothing.
func read(m *Machine, key string) Value {
	return m.Query(&command{op: OpGet, key: []byte(key)}).value
}

func compare(t *rapid.T, m *Machine, model map[string]string) {
	held := m.Stats()
	wantSize := 0
	for key, value := range model {
		wantSize += len(key) + len(value)
		if got := read(m, key); got != Some(value) {
			t.Fatalf("key %q holds %+v, want %q", key, got, value)
		}
	}
	if held.Keys != int64(len(model)) || held.Bytes != int64(wantSize) {
		t.Fatalf("%d keys of %d bytes, want %d of %d", held.Keys, held.Bytes, len(model), wantSize)
	}
	for _, shard := range m.shards {
		for key := range shard.entries {
			if _, ok := model[key]; !ok {
				t.Fatalf("key %q should not exist", key)
			}
		}
	}
	other := NewMachine() // the hash depends on the content alone
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(model))) {
		other.Apply(1, appendCommand(nil, OpPut, key, Value{}, model[key]))
	}
	if m.Hash() != other.Hash() {
		t.Fatalf("hash %x, but %x when the same was put directly", m.Hash(), other.Hash())
	}
}

func TestHashTellsStatesApart(t *testing.T) {
	seen := map[uint64]string{}
	add := func(name string, pairs ...string) {
		m := NewMachine()
		for i := 0; i < len(pairs); i += 2 {
			m.Apply(1, appendCommand(nil, OpPut, pairs[i], Value{}, pairs[i+1]))
		}
		if other, ok := seen[m.Hash()]; ok {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[m.Hash()] = name
	}
	add("empty")
	add("a=b", "a", "b")
	add("b=a", "b", "a")
	add("ab=", "ab", "")
	add("=ab", "", "ab")
	add("=", "", "")
	add("a=1 b=2", "a", "1", "b", "2")
	add("a=2 b=1", "a", "2", "b", "1")
	add("zero byte", "a", "\x00")
	add("two zero bytes", "a", "\x00\x00")
	add("eight zero bytes", "a", "\x00\x00\x00\x00\x00\x00\x00\x00")
	for i := range 10_000 {
		add(fmt.Sprintf("n=%d", i), "n", strconv.Itoa(i))
	}
}

// TestHashIsTheSameEverywhere pins the hash: nodes of different versions of the
// program compare theirs.
func TestHashIsTheSameEverywhere(t *testing.T) {
	if got, want := filled(100).Hash(), uint64(0x553fe31ae883e588); got != want {
		t.Errorf("hash %#x, want %#x", got, want)
	}
}

func TestApplyOfNonsense(t *testing.T) {
	m := filled(10)
	before := m.Hash()
	for _, raw := range [][]byte{nil, {0}, {99}, appendCommand(nil, OpGet, "key-1", Value{}, "")} {
		if res := m.Apply(1, raw).(response); res.status != statusFailed {
			t.Errorf("% x was applied", raw)
		}
	}
	if m.Hash() != before {
		t.Error("the state changed")
	}
}

func TestRestoreRefusesDamage(t *testing.T) {
	write, err := full().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		t.Fatal(err)
	}
	whole := buf.Bytes()
	m := filled(7)
	before := m.Hash()
	refuse := func(name string, b []byte) {
		if err := m.Restore(bytes.NewReader(b)); err == nil {
			t.Fatalf("%s: restored", name)
		}
		if m.Hash() != before {
			t.Fatalf("%s: refused, but the state changed", name)
		}
	}
	for i := range whole {
		refuse(fmt.Sprintf("cut to %d bytes", i), whole[:i])
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x10
		refuse(fmt.Sprintf("bit flipped in byte %d", i), damaged)
	}
	refuse("a byte too many", append(bytes.Clone(whole), 0))
	if err := m.Restore(bytes.NewReader(whole)); err != nil {
		t.Fatalf("undamaged: %v", err)
	}
	if m.Hash() != full().Hash() {
		t.Error("restored to another state")
	}
}

// TestSnapshotIsWrittenBesideApply is for the race detector.
func TestSnapshotIsWrittenBesideApply(t *testing.T) {
	m := filled(2000)
	want := m.Hash()
	write, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	written := make(chan error)
	go func() { written <- write(&buf) }()
	for i := range 4000 {
		m.Apply(1, appendCommand(nil, OpPut, "key-"+strconv.Itoa(i), Value{}, "changed"))
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	restored := NewMachine()
	if err := restored.Restore(&buf); err != nil {
		t.Fatal(err)
	}
	if restored.Hash() != want || m.Hash() == want {
		t.Errorf("snapshot has hash %x, state was %x and is %x", restored.Hash(), want, m.Hash())
	}
}
