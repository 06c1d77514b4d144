package machinetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

const (
	// poll is how often a lock that somebody else has is tried.
	poll = 20 * time.Millisecond
	// waitsLong is how long a test waits before it says so, and then again.
	waitsLong = 30 * time.Second
	// reserve is what a test that gives up waiting leaves of its package's time,
	// so that it says why before `go test` ends the package.
	reserve = 15 * time.Second
	// longest is how long a test waits when its package has no -timeout.
	longest = 30 * time.Minute
)

// Turn waits until no other test of this computer has machines, in whatever
// package it is, and has the others wait until t is over with its subtests.
// Several storms at once would be slow in ways that no fault claims. A subtest
// of a test whose turn it is does not wait. Under -short the test is skipped.
//
// Waiting counts towards the package's -timeout. So a test has its turn for
// itself alone and passes it on before the next test of its package: the turns
// go round, and nobody waits for a whole package.
func Turn(t testing.TB) {
	t.Helper()
	NotShort(t, "it starts machines")
	end, err := machines.take(t.Context(), t.Name(), alone, budget(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
}

// Share is Turn, beside other tests that share theirs, of this package or of
// others: for tests whose few machines do not mind each other, and mostly wait.
func Share(t testing.TB) {
	t.Helper()
	NotShort(t, "it starts machines")
	end, err := machines.take(t.Context(), "tests of "+filepath.Base(os.Args[0]), shared, budget(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
}

// budget is the time by which a test must have its turn.
func budget(t testing.TB) time.Time {
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, ok := d.Deadline(); ok {
			return at.Add(-reserve)
		}
	}
	return time.Now().Add(longest)
}

// machines is the turn of this computer's user. Who may not open the other's
// files starts machines beside them.
var machines = turns{base: filepath.Join(os.TempDir(), fmt.Sprintf("squall-tests-%d", os.Getuid()))}

// kind of a turn.
type kind bool

const (
	alone  kind = false
	shared kind = true // with the shared turns of other processes
)

// turns are taken by one test at a time, or by those that share theirs: of this
// process by holder, of all processes by locks on files, which end with their
// process.
type turns struct {
	base string // path of the files, without their endings

	mu     sync.Mutex
	holder string        // the test of this process that has or waits for the locks
	holds  int           // by holder and its subtests
	freed  chan struct{} // is closed when holder lets go
	room   *flock.Flock
}

// take takes the turn for a test. It is given back by end.
func (m *turns) take(ctx context.Context, test string, how kind, by time.Time) (end func(), err error) {
	ctx, cancel := context.WithDeadline(ctx, by)
	defer cancel()
	begin := time.Now()
	told := time.AfterFunc(waitsLong, func() { m.tell(ctx, test, begin) })
	defer told.Stop()
	joined, err := m.enter(ctx, test)
	if err == nil && !joined {
		if err = m.lock(ctx, test, how); err != nil {
			m.leave()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s waited %v for its turn to start machines, which %s has: %w; "+
			"wait until that is over, or give the package more time: go test -timeout 20m",
			test, time.Since(begin).Round(time.Second), m.who(), err)
	}
	return sync.OnceFunc(m.leave), nil
}

// enter waits for the other tests of this process. The turn is joined if test is
// the one that has it, or a subtest of it.
func (m *turns) enter(ctx context.Context, test string) (joined bool, err error) {
	for {
		m.mu.Lock()
		if m.holds == 0 {
			m.holder, m.holds, m.freed = test, 1, make(chan struct{})
			m.mu.Unlock()
			return false, nil
		}
		if test == m.holder || strings.HasPrefix(test, m.holder+"/") {
			m.holds++
			m.mu.Unlock()
			return true, nil
		}
		freed := m.freed
		m.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// lock waits for the tests of other processes. Who waits for the room stands in
// the door: who has just left the room cannot come in again before, and nobody
// joins those who share it.
func (m *turns) lock(ctx context.Context, test string, how kind) error {
	door := flock.New(m.base + ".door")
	if _, err := door.TryLockContext(ctx, poll); err != nil {
		return err
	}
	defer door.Close()
	room := flock.New(m.base + ".lock")
	try := room.TryLockContext
	if how == shared {
		try = room.TryRLockContext
	}
	if _, err := try(ctx, poll); err != nil {
		return err
	}
	m.mu.Lock()
	m.room = room
	m.mu.Unlock()
	// That it cannot be told who has the turn is no reason not to have it.
	_ = os.WriteFile(m.base+".holder", fmt.Appendf(nil, "%s of process %d (%s)", test, os.Getpid(), filepath.Base(os.Args[0])), 0o644)
	return nil
}

// leave gives the turn back when its last holder is over.
func (m *turns) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holds--; m.holds > 0 {
		return
	}
	if m.room != nil {
		_ = m.room.Close() // what would stay locked ends with this process
		m.room = nil
	}
	close(m.freed)
}

// who is the test that has the turn, as far as is known.
func (m *turns) who() string {
	text, err := os.ReadFile(m.base + ".holder")
	if err != nil {
		return "another test"
	}
	return string(text)
}

// tell says that a test waits, until it waits no longer.
func (m *turns) tell(ctx context.Context, test string, begin time.Time) {
	for ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "%s has waited %v for its turn to start machines: %s has it\n", test, time.Since(begin).Round(time.Second), m.who())
		select {
		case <-time.After(waitsLong):
		case <-ctx.Done():
		}
	}
}
