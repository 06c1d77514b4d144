package local

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

func TestTelling(t *testing.T) {
	stacks := strings.Repeat("\nmain.main()\n\t/src/main.go:1 +0x1", 20)
	for text, want := range map[string]string{
		"one\ntwo":                          "one\ntwo",
		"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11": "2\n3\n4\n5\n6\n7\n8\n9\n10\n11",
		"runtime: failed to create new OS thread\nfatal error: newosproc\n\ngoroutine 1:" + stacks: "runtime: failed to create new OS thread\nfatal error: newosproc",
		"listening\npanic: no index\n\ngoroutine 1:" + stacks:                                      "listening\npanic: no index",
	} {
		if got := telling(text); got != want {
			t.Errorf("%.60q: %q, want %q", text, got, want)
		}
	}
}

// TestDeathAfterABrokenPipe: an agent whose end is first seen in writing to it has ended, and
// how is waited for as when it is seen in reading.
func TestDeathAfterABrokenPipe(t *testing.T) {
	l, theirs, err := newLife(1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	defer closeAll(theirs[1:]) // what it says may stay open a little longer
	theirs[0].Close()
	if _, err := l.control.Write([]byte("?")); !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("writing to an agent that has ended: %v", err)
	}
	go l.end("exit status 2")
	if death := (&machine{life: l}).Death(t.Context()); death != "exit status 2" {
		t.Errorf("it says %q of its end", death)
	}
}
