package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

const (
	// maxValue bounds a value, bytes.
	maxValue = 1 << 20
	// forwarded marks a request that another node has forwarded: it is not forwarded
	// again.
	forwarded = "Kv-Forwarded"
)

// handler serves clients:
//
//	GET /kv/KEY              200 with the value, 404 if there is none
//	PUT /kv/KEY              204
//	PUT /kv/KEY?expect=VALUE 204, or 409 with {"found": the value that is there instead, or null}
//	PUT /kv/KEY?absent=true  204, or 409 with {"found": the value that is there}
//	GET /status              who leads
//
// 503 means that nothing was done; 504 that it is not known whether it was.
func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /kv/{key}", n.onLeader(n.get))
	mux.Handle("PUT /kv/{key}", n.onLeader(n.put))
	mux.HandleFunc("GET /status", n.status)
	return mux
}

func (n *node) get(w http.ResponseWriter, r *http.Request) {
	if err := n.read(); err != nil {
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
	switch result, err := n.do(c); {
	case errors.Is(err, errNotLeading), errors.Is(err, errNotTaken):
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

func (n *node) status(w http.ResponseWriter, _ *http.Request) {
	_, leader := n.raft.LeaderWithID()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"name": n.name, "role": n.raft.State().String(), "leader": leader,
		"term": n.raft.CurrentTerm(), "applied": n.raft.AppliedIndex()})
}

// onLeader serves a request if this node leads, and else forwards it, once.
func (n *node) onLeader(serve http.HandlerFunc) http.Handler {
	transport := &http.Transport{DialContext: dialChecked, MaxIdleConnsPerHost: 100,
		ResponseHeaderTimeout: requestTimeout}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr, leader := n.raft.LeaderWithID()
		switch {
		case string(leader) == n.name:
			serve(w, r)
			return
		case leader == "", r.Header.Get(forwarded) != "":
			http.Error(w, errNotLeading.Error(), http.StatusServiceUnavailable)
			return
		}
		host, _, err := net.SplitHostPort(string(addr))
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		proxy := httputil.ReverseProxy{Transport: transport, ErrorHandler: notForwarded, Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: net.JoinHostPort(host, n.forwardPort)})
			p.Out.Header.Set(forwarded, n.name)
		}}
		proxy.ServeHTTP(w, r)
	})
}

// notForwarded answers for a leader that did not.
func notForwarded(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusGatewayTimeout
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" { // it was never sent
		status = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), status)
}
