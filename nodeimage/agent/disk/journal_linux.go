package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
)

// journal is the journal of a life, as long as its bound lets it be.
type journal struct {
	file *os.File
	w    *disk.Writer
	max  int64 // bytes
	full bool
}

// newJournal begins the journal of a life.
func newJournal(folder string, life int, limit int64) (*journal, error) {
	f, err := os.OpenFile(journalPath(folder, life), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("beginning the journal: %w", err)
	}
	return &journal{file: f, w: disk.NewWriter(f), max: limit}, nil
}

func (j *journal) write(op *disk.Op) error {
	if j.full || j.w.Bytes()+int64(len(op.Data)) > j.max {
		j.full = true
		return nil
	}
	return j.w.Write(op)
}

func journalPath(folder string, life int) string {
	return path.Join(folder, journalDir, disk.JournalName(life))
}

// readJournal reads a part of the journal of a life, of which none need be.
func readJournal(folder string, p protocol.DiskJournal) (*protocol.DiskJournalPart, error) {
	if p.Life < 1 || p.Offset < 0 {
		return nil, fmt.Errorf("no journal has a life %d or an offset %d", p.Life, p.Offset)
	}
	f, err := os.Open(journalPath(folder, p.Life))
	if err != nil {
		return nil, fmt.Errorf("reading the journal of life %d: %w", p.Life, err)
	}
	defer f.Close()
	data := make([]byte, protocol.MaxDiskJournalPart)
	n, err := f.ReadAt(data, p.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the journal of life %d: %w", p.Life, err)
	}
	return &protocol.DiskJournalPart{Data: data[:n]}, nil
}
