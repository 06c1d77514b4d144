package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// requestTimeout is how long a request is tried for.
	requestTimeout = 3 * time.Second
	// maxValue bounds a value, bytes.
	maxValue = 1 << 20
)

// handler serves clients:
//
//	GET /kv/KEY              200 with the value, 404 if there is none
//	PUT /kv/KEY              204
//	PUT /kv/KEY?expect=VALUE 204, or 409 with {"found": the value that is there instead, or null}
//	PUT /kv/KEY?absent=true  204, or 409 with {"found": the value that is there}
//	GET /status              who leads, and how far this node is
//
// 503 means that nothing was done; 504 that it is not known whether it was.
func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /kv/{key}", n.get)
	mux.HandleFunc("PUT /kv/{key}", n.put)
	mux.HandleFunc("GET /status", n.status)
	return mux
}

func (n *node) get(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	if err := n.read(ctx); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	value, there := n.store.get(r.PathValue("key"))
	if !there {
		http.Error(w, "there is no such key", http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, value)
}

func (n *node) put(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := command{Key: r.PathValue("key"), Value: string(value), Absent: r.URL.Query().Get("absent") == "true"}
	if r.URL.Query().Has("expect") {
		expect := r.URL.Query().Get("expect")
		c.Expect = &expect
	}
	switch result, err := n.do(ctx, c); {
	case errors.Is(err, errDropped):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
	case result.done:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(map[string]*string{"found": result.found})
	}
}

func (n *node) status(w http.ResponseWriter, r *http.Request) {
	s := n.raft.Status()
	n.mu.Lock()
	applied := n.applied
	n.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"id": n.id, "role": s.RaftState.String(), "leader": s.Lead,
		"term": s.HardState.GetTerm(), "applied": applied})
}
