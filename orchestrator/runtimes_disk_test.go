package orchestrator

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// Machines on whose data directory squall's file system lies.

// TestDisk: a power cut alone keeps what was written, and a cut of the disk takes what was
// not synced. Neither server nor agent keeps a right of it.
func TestDisk(t *testing.T) { onEach(t, disk) }

func disk(t *testing.T, h testHost) {
	if why := h.Runtime.Can(t.Context())[machines.CanDisk]; why != "" {
		machinetest.Missing(t, why)
	}
	s := spec(t, h, "n1")
	s.Machines[0].Disk, s.Machines[0].DiskJournal = true, 1<<20
	m, ctx := up(t, h, s).Machine("n1"), t.Context()
	for life, cut := range []string{"", "synced", ""} {
		c, out := command(t, m)
		hello, err := c.Hello(ctx)
		if err != nil || strings.Contains(strings.Join(hello.Capabilities, " "), "SYS_ADMIN") {
			t.Fatalf("life %d: %+v, %v", life, hello, err)
		}
		st, err := c.DiskStatus(ctx)
		if err != nil || st.Life != life+1 || st.Broken != "" {
			t.Fatalf("life %d: %+v, %v", life, st, err)
		}
		if r := st.Restored; life == 2 && (r == nil || r.Wrong != "") || life < 2 && r != nil {
			t.Errorf("life %d: restored: %+v", life, r)
		}
		if _, err := c.Start(ctx, idle("-append", "/data/lives", "-ls", "/data")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the server of this life", func() bool { return strings.Contains(out.text(), "idle") })
		// That of the second life begins with what the first has written and not synced; that
		// of the third with what was there when the second began, which a mount takes for synced.
		if want := "/data/lives: " + []string{"x", "xx", "xx"}[life] + "\n"; !strings.Contains(out.text(), want) {
			t.Errorf("life %d: %q, want %q in it", life, out.text(), want)
		}
		if !strings.Contains(out.text(), "/data: lives\n") && life > 0 {
			t.Errorf("life %d: %q: more is to be seen than the server's file", life, out.text())
		}
		probesDisk(ctx, t, c)
		hasJournal(ctx, t, c, life+1)
		if cut != "" {
			lost, err := c.DiskCut(ctx, protocol.DiskCut{How: cut})
			if err != nil || lost.Writes != 1 || lost.Bytes != 1 {
				t.Errorf("lost: %+v, %v", lost, err)
			}
		}
		if err := m.Kill(ctx); err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if err := m.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// probesDisk wants a rule to be felt, and to be gone.
func probesDisk(ctx context.Context, t *testing.T, c *protocol.Client) {
	t.Helper()
	for _, want := range []string{"EIO", ""} {
		var rules []protocol.DiskRule
		if want != "" {
			rules = []protocol.DiskRule{{Effect: protocol.DiskError, On: protocol.DiskOnSync}}
		}
		if err := c.DiskRules(ctx, rules); err != nil {
			t.Fatal(err)
		}
		if p, err := c.DiskProbe(ctx); err != nil || p.SyncErr != want || p.WriteErr != "" {
			t.Errorf("probe: %+v, %v, want %q of a sync", p, err, want)
		}
	}
}

// hasJournal wants the journal of a life to tell of the server's file.
func hasJournal(ctx context.Context, t *testing.T, c *protocol.Client, life int) {
	t.Helper()
	var text bytes.Buffer
	n, err := c.DiskJournal(ctx, life, &text)
	if err != nil || n != int64(text.Len()) || !strings.Contains(text.String(), "lives") {
		t.Errorf("the journal of life %d has %d bytes, %v", life, n, err)
	}
	if _, err := c.DiskJournal(ctx, life+1, io.Discard); err == nil {
		t.Error("a life to come has a journal")
	}
}

// TestNoDisk: a machine that was not asked for it has none, nor the device.
func TestNoDisk(t *testing.T) { onEach(t, noDisk) }

func noDisk(t *testing.T, h testHost) {
	c, _ := command(t, up(t, h, spec(t, h, "n1")).Machine("n1"))
	if _, err := c.DiskStatus(t.Context()); err == nil || !strings.Contains(err.Error(), "does not lie on the data directory") {
		t.Error(err)
	}
}
