package driver

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// TestBadConfiguration is refused with the reason, on both ways out.
func TestBadConfiguration(t *testing.T) {
	tests := []struct {
		name  string
		input string
		want  string
	}{
		{"nothing", "", "ended before its first line"},
		{"no JSON", "load\n", "first line of the input"},
		{"unknown field", `{"system":"fake","speed":3}` + "\n", `unknown field "speed"`},
		{"no nodes", `{"system":"fake","workload":"register"}` + "\n", "nodes is empty"},
		{"unknown system", `{"system":"oracle","workload":"register","nodes":[{"id":1,"name":"n1","addr":"127.0.0.1"}]}` + "\n", `no system is called "oracle"`},
		{"unknown workload", `{"system":"raftkv","workload":"dance","nodes":[{"id":1,"name":"n1","addr":"127.0.0.1"}]}` + "\n", `no workload is called "dance"`},
		{"no reads", `{"system":"raftkv","workload":"register","nodes":[{"id":1,"name":"n1","addr":"127.0.0.1"}],"args":{"mix":"0/1/0"}}` + "\n", "no reads"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var status batches
			err := Run(context.Background(), Streams{Commands: strings.NewReader(tt.input), Status: &status, History: io.Discard}, Catalogue{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if len(status.writes) != 1 || !strings.Contains(string(status.writes[0]), `"event":"error"`) {
				t.Errorf("events %q", status.writes)
			}
		})
	}
}

func TestValidateSaysEverything(t *testing.T) {
	cfg := Config{Clients: -1, Arrival: "tide", Patience: 2 * time.Second, Timeout: time.Second, Conns: 100,
		Nodes: append(testNodes(1), testNodes(1)...)}.WithDefaults()
	err := cfg.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"system", "workload", "clients", "arrival", "below patience", "conns", `two nodes called "n1"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %q in: %v", want, err)
		}
	}
}
