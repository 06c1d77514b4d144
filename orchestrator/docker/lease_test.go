package docker

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// crowded is an engine with clusters on it, which can be removed.
func crowded(t *testing.T, containers []map[string]any) (*Runtime, *[]string) {
	t.Helper()
	var mu sync.Mutex
	removed := []string{}
	gone := func(id string) bool { return slices.Contains(removed, id) }
	fake := &fakeEngine{answers: map[string]http.HandlerFunc{
		"GET /containers/json": func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			var some []map[string]any
			for _, c := range containers {
				labels := c["Labels"].(map[string]string)
				asked := r.URL.Query().Get("filters")
				if gone(c["Id"].(string)) || strings.Contains(asked, ClusterLabel) && !strings.Contains(asked, labels[ClusterLabel]) {
					continue
				}
				some = append(some, c)
			}
			says(200, some)(w, r)
		},
		"DELETE /containers/{id}": func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			removed = append(removed, r.PathValue("id"))
			mu.Unlock()
			w.WriteHeader(http.StatusNoContent)
		},
	}}
	return connect(t, fake.start(t)), &removed
}

func box(id, cluster, state string, age time.Duration) map[string]any {
	return map[string]any{"Id": id, "State": state, "Created": time.Now().Add(-age).Unix(),
		"Labels": map[string]string{Label: "run", ClusterLabel: cluster}}
}

// Clean leaves runs alone that are under way: of this computer by their lease,
// of another by what runs, or is young. All else is removed.
func TestCleanLeavesRunsInUseAlone(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	lease, err := takeLease("ours.live")
	if err != nil {
		t.Fatal(err)
	}
	killed, err := leasePath("ours.killed") // its process is gone, and the lock with it
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(killed, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r, removed := crowded(t, []map[string]any{
		box("a", "ours.live", "exited", time.Hour), // switched off, and will be on again
		box("b", "ours.killed", "running", time.Second),
		box("c", "theirs.live", "running", time.Hour), box("d", "theirs.live", "exited", time.Hour),
		box("e", "theirs.young", "created", time.Second),
		box("f", "theirs.old", "exited", time.Hour),
	})
	if n, err := r.Leftovers(t.Context()); n != 2 || err != nil {
		t.Errorf("%d leftovers, %v, want 2", n, err)
	}
	report, err := r.Clean(t.Context(), CleanOptions{})
	if err != nil || report.Containers != 2 || report.InUse != 3 {
		t.Errorf("%+v, %v, want 2 containers removed and 3 runs left alone", report, err)
	}
	if slices.Sort(*removed); !slices.Equal(*removed, []string{"b", "f"}) {
		t.Errorf("it removed %v, want b and f", *removed)
	}
	if _, err := os.Stat(killed); err == nil {
		t.Errorf("%s is left", filepath.Base(killed))
	}
	_ = lease.Close() // that run has ended
	if report, err := r.Clean(t.Context(), CleanOptions{}); err != nil || report.Containers != 1 {
		t.Errorf("%+v, %v, want the container of the run that has ended removed", report, err)
	}
	if report, err := r.Clean(t.Context(), CleanOptions{Force: true}); err != nil || report.Containers != 3 || report.InUse != 0 {
		t.Errorf("by force: %+v, %v, want the other three removed", report, err)
	}
}
