package docker

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// attached is an engine with one network that it keeps for these endpoints, by
// the key and the name of their container.
type attached struct {
	mu        sync.Mutex
	endpoints map[string]string
	removed   bool
}

func (a *attached) engine(t *testing.T) *Runtime {
	t.Helper()
	locked := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			a.mu.Lock()
			defer a.mu.Unlock()
			h(w, r)
		}
	}
	fake := &fakeEngine{answers: map[string]http.HandlerFunc{
		"GET /networks": locked(func(w http.ResponseWriter, r *http.Request) {
			found := []map[string]any{}
			if !a.removed {
				found = append(found, map[string]any{"Id": "net", "Labels": map[string]string{Label: "run", ClusterLabel: "cluster"}})
			}
			says(200, found)(w, r)
		}),
		"GET /networks/net": locked(func(w http.ResponseWriter, r *http.Request) {
			containers := map[string]any{}
			for key, name := range a.endpoints {
				containers[key] = map[string]string{"Name": name}
			}
			says(200, map[string]any{"Id": "net", "Containers": containers})(w, r)
		}),
		"POST /networks/net/disconnect": locked(func(w http.ResponseWriter, r *http.Request) {
			var asked struct {
				Container string
				Force     bool
			}
			json.NewDecoder(r.Body).Decode(&asked)
			for key, name := range a.endpoints {
				if name == asked.Container && asked.Force {
					delete(a.endpoints, key)
				}
			}
		}),
		"DELETE /networks/net": locked(func(w http.ResponseWriter, r *http.Request) {
			if len(a.endpoints) > 0 {
				says(403, map[string]string{"message": "network squall id net has active endpoints"})(w, r)
				return
			}
			a.removed = true
			w.WriteHeader(http.StatusNoContent)
		}),
	}}
	return connect(t, fake.start(t))
}

// An engine may keep the endpoint of a container that is gone: it is taken off,
// so that the network can be removed.
func TestCleanTakesStaleEndpointsOff(t *testing.T) {
	t.Parallel()
	a := &attached{endpoints: map[string]string{"ep-1": "n1", "ep-2": "n2"}}
	report, err := a.engine(t).Clean(t.Context(), CleanOptions{Force: true})
	if err != nil || report.Networks != 1 || !a.removed {
		t.Errorf("%+v, %v, removed: %t; want the network removed", report, err, a.removed)
	}
}

// Somebody's container that is attached stays so, and the error says what is kept.
func TestCleanLeavesLivingEndpoints(t *testing.T) {
	t.Parallel()
	a := &attached{endpoints: map[string]string{"0123456789ab": "somebody", "ep-2": "n2"}}
	_, err := a.engine(t).Clean(t.Context(), CleanOptions{Force: true})
	if err == nil || !strings.Contains(err.Error(), "active endpoints") {
		t.Errorf("%v, want what the engine says", err)
	}
	if left := slices.Collect(maps.Values(a.endpoints)); !slices.Equal(left, []string{"somebody"}) {
		t.Errorf("left are %q, want somebody's container alone", left)
	}
}
