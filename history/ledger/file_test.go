package ledger

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"squall/history/check"
)

func someCampaign() *Campaign {
	at := time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)
	return &Campaign{SchemaVersion: SchemaVersion, Squall: "v", Name: "c", File: "c.yaml", Digest: "d", Command: "squall campaign c.yaml",
		Began: at, Jobs: 1, Cells: []Cell{
			{ID: "nodes-3_s1", System: "raftkv", Nodes: 3, Seed: 1, Repeat: 1, Settings: map[string]string{"nodes": "3"}, State: Done,
				Attempts: []Attempt{{Dir: "cells/nodes-3_s1/t-1", Verdict: check.Pass, Began: at, Ended: at, Figures: map[string]float64{"throughput": 2}}}},
			{ID: "nodes-5_s1", System: "raftkv", Nodes: 5, Seed: 1, Repeat: 1, Settings: map[string]string{}, State: Waiting},
		}}
}

func TestRecordReadsBack(t *testing.T) {
	dir, want := t.TempDir(), someCampaign()
	for range 2 { // the second replaces the first
		if err := Write(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files; half a record was left", len(entries))
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a record that is not there: %v", err)
	}
}

func TestAFailedWriteLeavesTheOldRecord(t *testing.T) {
	dir, c := t.TempDir(), someCampaign()
	if err := Write(dir, c); err != nil {
		t.Fatal(err)
	}
	c.Cells[0].Attempts[0].Figures["latency"] = nan() // which JSON cannot hold
	if err := Write(dir, c); err == nil {
		t.Error("it was written")
	}
	old, err := Read(dir)
	if err != nil || len(old.Cells[0].Attempts[0].Figures) != 1 {
		t.Errorf("the old record is %+v, %v", old, err)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestHostileRecordsAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(c *Campaign)
		want   string
	}{
		{"another version", func(c *Campaign) { c.SchemaVersion = 99 }, "it has schema version 99, and this squall reads 1: use the squall that wrote it"},
		{"a path that leaves", func(c *Campaign) { c.Cells[0].Attempts[0].Dir = "cells/../../../etc" }, "leaves the campaign's directory"},
		{"a path from the root", func(c *Campaign) { c.Cells[0].Attempts[0].Dir = "/etc" }, "leaves the campaign's directory"},
		{"a script for a name", func(c *Campaign) { c.Cells[0].ID = "</script><script>alert(1)" }, "is not the name of a cell"},
		{"a name with a slash", func(c *Campaign) { c.Cells[0].ID = "../x" }, "is not the name of a cell"},
		{"a megabyte for a name", func(c *Campaign) { c.Cells[0].ID = strings.Repeat("a", 1<<20) }, "is not the name of a cell"},
		{"twice", func(c *Campaign) { c.Cells[1].ID = c.Cells[0].ID }, "nodes-3_s1 occurs twice"},
		{"no such state", func(c *Campaign) { c.Cells[1].State = "lost" }, `in the unknown state "lost"`},
		{"done without a run", func(c *Campaign) { c.Cells[1].State = Done }, "is done but has never run"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := someCampaign()
			tc.change(c)
			dir := t.TempDir()
			if err := Write(dir, c); err != nil {
				t.Fatal(err)
			}
			_, err := Read(dir)
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(err.Error()) > 1000 {
				t.Errorf("error %.1000v\nwant one with %s", err, tc.want)
			}
			if tc.name == "another version" && !errors.Is(err, ErrVersion) {
				t.Error("it is not ErrVersion")
			}
		})
	}
	dir := t.TempDir()
	for _, text := range []string{"", "[]", "{", `{"schemaVersion":1,"cells":[{"id":7}]}`, "null"} {
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil {
			t.Errorf("%q is a record", text)
		}
	}
}

// Any text is a record that holds together, or is refused.
func FuzzRecord(f *testing.F) {
	text, err := json.Marshal(someCampaign())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := decode(text)
		if err != nil {
			return
		}
		for _, cell := range c.Cells {
			_ = cell.Group()
			if cell.State == Done && cell.Last() == nil || !IsID(cell.ID) {
				t.Errorf("cell %+v", cell)
			}
		}
	})
}
