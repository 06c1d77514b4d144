package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestNode serves clients through a node that is alone.
func TestNode(t *testing.T) {
	// A loopback address of its own: a port that was found free is not reserved.
	addr := raft.ServerAddress(fmt.Sprintf("127.%d.%d.%d:7000", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250)))
	n, err := startNode(config{name: "n1", servers: []raft.Server{{ID: "n1", Address: addr}}, data: t.TempDir(),
		heartbeat: 50 * time.Millisecond, snapshots: 1000}, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.raft.Shutdown().Error(); err != nil {
			t.Error(err)
		}
	}()
	server := httptest.NewServer(n.handler())
	defer server.Close()
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if code, _ := ask("PUT", "/kv/a", "1"); code == http.StatusNoContent {
			break
		} else if code != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("before there is a leader: status %d", code)
		}
	}
	for _, c := range []struct {
		method, path, body string
		code               int
		answer             string
	}{
		{"GET", "/kv/a", "", http.StatusOK, "1"},
		{"GET", "/kv/none", "", http.StatusNotFound, "there is no such key"},
		{"PUT", "/kv/a?expect=7", "x", http.StatusConflict, `{"found":"1"}`},
		{"PUT", "/kv/none?expect=7", "x", http.StatusConflict, `{"found":null}`},
		{"PUT", "/kv/a?expect=1", "x", http.StatusNoContent, ""},
		{"PUT", "/kv/a?absent=true", "y", http.StatusConflict, `{"found":"x"}`},
		{"PUT", "/kv/b?absent=true", "y", http.StatusNoContent, ""},
		{"GET", "/kv/b", "", http.StatusOK, "y"},
	} {
		if code, text := ask(c.method, c.path, c.body); code != c.code || strings.TrimSpace(text) != c.answer {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, code, text, c.code, c.answer)
		}
	}
	if code, text := ask("GET", "/status", ""); code != http.StatusOK || !strings.Contains(text, `"leader":"n1"`) {
		t.Errorf("status: %d %s", code, text)
	}
}
