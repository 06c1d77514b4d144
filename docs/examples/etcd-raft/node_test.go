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
)

// TestNodes serves clients through any of three nodes, which live until the test ends.
func TestNodes(t *testing.T) {
	peers := map[uint64]string{}
	for id := uint64(1); id <= 3; id++ {
		// A loopback address of its own: a port that was found free is not reserved.
		peers[id] = fmt.Sprintf("127.%d.%d.%d:7000", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	}
	var urls []string
	for id := range peers {
		n, err := startNode(config{id: id, peers: peers, data: t.TempDir(), tick: 10 * time.Millisecond, snapshotEvery: 20})
		if err != nil {
			t.Fatal(err)
		}
		go n.run()
		go n.transport.listen(n.receive)
		server := httptest.NewServer(n.handler())
		t.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	ask := func(method, url, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, url, strings.NewReader(body))
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
		if code, _ := ask("PUT", urls[0]+"/kv/first", "1"); code == http.StatusNoContent {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("no write in a minute: status %d", code)
		}
	}
	for i := range 50 { // several snapshots
		write, read := urls[i%3], urls[(i+1)%3]
		if code, text := ask("PUT", write+"/kv/a", fmt.Sprint(i)); code != http.StatusNoContent {
			t.Fatalf("write %d: %d %s", i, code, text)
		}
		if code, text := ask("GET", read+"/kv/a", ""); code != http.StatusOK || text != fmt.Sprint(i) {
			t.Errorf("after write %d another node reads %d %s", i, code, text)
		}
	}
	for _, c := range []struct {
		method, path, body string
		code               int
		answer             string
	}{
		{"GET", "/kv/none", "", http.StatusNotFound, "there is no such key"},
		{"PUT", "/kv/a?expect=7", "x", http.StatusConflict, `{"found":"49"}`},
		{"PUT", "/kv/none?expect=7", "x", http.StatusConflict, `{"found":null}`},
		{"PUT", "/kv/a?expect=49", "x", http.StatusNoContent, ""},
		{"PUT", "/kv/a?absent=true", "y", http.StatusConflict, `{"found":"x"}`},
		{"PUT", "/kv/b?absent=true", "y", http.StatusNoContent, ""},
		{"GET", "/kv/b", "", http.StatusOK, "y"},
	} {
		if code, text := ask(c.method, urls[1]+c.path, c.body); code != c.code || strings.TrimSpace(text) != c.answer {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, code, text, c.code, c.answer)
		}
	}
}
