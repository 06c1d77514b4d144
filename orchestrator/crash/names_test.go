package crash

import (
	"math"
	"testing"

	"squall/nodeimage/disk"
)

// TestNamesThatNobodySynced: strictly a new file is gone whose directory was not synced; on a file system with a journal its own sync will do.
func TestNamesThatNobodySynced(t *testing.T) {
	dir := t.TempDir()
	p := newTape(t, dir, "n1")
	p.do(1, disk.Op{Kind: disk.Mount})
	p.do(2, disk.Op{Kind: disk.Create, Node: logFile, Dir: disk.Root, Name: "log"})
	p.do(3, disk.Op{Kind: disk.Write, Node: logFile, Data: []byte("x")})
	p.do(4, disk.Op{Kind: disk.Sync, Node: logFile})
	disks, err := FindDisks(dir, []string{"n1"})
	if err != nil {
		t.Fatal(err)
	}
	for rule, want := range map[disk.NameRule]int{disk.Strict: 0, disk.Journaled: 1} {
		disks[0].Names = rule
		ws := newWalks(disks)
		defer ws.close()
		if err := ws.advance(math.MaxInt64); err != nil {
			t.Fatal(err)
		}
		choice, _ := ws[0].model.Choose(disk.SyncedOnly, nil)
		img, err := ws[0].model.Image(choice)
		if err != nil || len(img.Entries) != want {
			t.Errorf("rule %d: %d names are left, %v", rule, len(img.Entries), err)
		}
	}
}
