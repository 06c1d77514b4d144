package kv

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"squall/nodeimage/raft"
)

// statusView is the node's status as JSON.
type statusView struct {
	Node          string            `json:"node"`
	Role          string            `json:"role"`
	Term          uint64            `json:"term"`
	Leader        string            `json:"leader,omitempty"`
	FirstIndex    uint64            `json:"firstIndex"`
	LastIndex     uint64            `json:"lastIndex"`
	CommitIndex   uint64            `json:"commitIndex"`
	Applied       uint64            `json:"applied"`
	SnapshotIndex uint64            `json:"snapshotIndex"`
	Match         map[string]uint64 `json:"match,omitempty"`
	Proposals     uint64            `json:"proposals"`
	Reads         uint64            `json:"reads"`
	Elections     uint64            `json:"elections"`
	TermsAsLeader uint64            `json:"termsAsLeader"`
	Members       map[string]string `json:"members"`
	Peers         int64             `json:"peersConnected"`
	Clients       int64             `json:"clientConnections"`
	Damaged       uint64            `json:"damagedConnections"`
	Keys          int64             `json:"keys"`
	Bytes         int64             `json:"bytes"`
	Locks         int64             `json:"locks"`
	Sessions      int64             `json:"sessions"`
}

func nodeName(id NodeID) string { return string(appendName(nil, id)) }

func (s *Server) view() statusView {
	st := s.node.Status()
	v := statusView{
		Node: nodeName(s.cfg.ID), Role: st.Role.String(), Term: st.Term,
		FirstIndex: st.FirstIndex, LastIndex: st.LastIndex, CommitIndex: st.CommitIndex,
		Applied: st.Applied, SnapshotIndex: st.SnapshotIndex,
		Proposals: st.Proposals, Reads: st.Reads, Elections: st.Elections, TermsAsLeader: st.TermsAsLeader,
		Members: make(map[string]string), Peers: s.metrics.peersUp.Load(), Clients: s.metrics.clients.Load(),
		Damaged: s.metrics.damaged.Load(),
	}
	if st.Leader != 0 {
		v.Leader = nodeName(st.Leader)
	}
	if len(st.Match) > 0 {
		v.Match = make(map[string]uint64)
		for id, index := range st.Match {
			v.Match[nodeName(id)] = index
		}
	}
	for id, addr := range s.cfg.Peers {
		v.Members[nodeName(id)] = addr
	}
	held := s.machine.Stats()
	v.Keys, v.Bytes, v.Locks, v.Sessions = held.Keys, held.Bytes, held.Locks, held.Sessions
	return v
}

const pageText = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>{{.Node}} – squall kv</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:40rem;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.2rem 1rem .2rem 0;text-align:left;font-weight:normal}
td{font-variant-numeric:tabular-nums}th{color:#666}</style>
<h1>{{.Node}}: {{.Role}}</h1>
<table>
<tr><th>term<td>{{.Term}}
<tr><th>leader<td>{{with .Leader}}{{.}}{{else}}none known{{end}}
<tr><th>log<td>{{.FirstIndex}} to {{.LastIndex}}
<tr><th>committed<td>{{.CommitIndex}}
<tr><th>applied<td>{{.Applied}}
<tr><th>snapshot<td>{{.SnapshotIndex}}
<tr><th>keys<td>{{.Keys}}
<tr><th>bytes<td>{{.Bytes}}
<tr><th>locks<td>{{.Locks}}
<tr><th>sessions<td>{{.Sessions}}
<tr><th>clients<td>{{.Clients}}
<tr><th>peers connected<td>{{.Peers}}
<tr><th>connections damaged<td>{{.Damaged}}
{{range $id, $index := .Match}}<tr><th>{{$id}} matches to<td>{{$index}}
{{end}}</table>
<p><a href="/status">status</a> · <a href="/metrics">metrics</a> · <a href="/healthz">health</a></p>
</html>
`

// page is the HTTP server for people.
type page struct {
	server *http.Server
	wg     sync.WaitGroup
}

func startPage(ln net.Listener, s *Server) *page {
	tmpl := template.Must(template.New("page").Parse(pageText))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = tmpl.Execute(w, s.view()) // a write error: the reader has gone
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(s.view())
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_ = writeMetrics(w, s.metrics, s.node.Status(), s.machine.Stats())
	})
	// Healthy means that the process works, not that there is a leader: a node
	// in a minority is in good health.
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if s.node.Status().Role == raft.Stopped {
			http.Error(w, "stopped", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	p := &page{server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}
	p.wg.Go(func() {
		if err := p.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("http page", "err", err)
		}
	})
	return p
}

func (p *page) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		p.server.Close()
	}
	p.wg.Wait()
}
