package local

import (
	"strings"
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
